//! Translation of each kernel to the languages of Metal and Direct3D 12, so that what only those cannot express is seen
//! on every machine. What the tests run is the translation for Vulkan.

use naga::back::{PipelineConstants, hlsl, msl, pipeline_constants};
use naga::valid::ModuleInfo;
use naga::{Module, ShaderStage};

use crate::variants::Variant;

/// Fails if one of the translations does; they are not kept, since wgpu makes its own.
pub(crate) fn translate(variant: &Variant, module: &Module, info: &ModuleInfo) -> Result<(), String> {
    let mut constants = PipelineConstants::default();
    for (_, constant) in module.overrides.iter() {
        constants.insert(constant.name.clone().unwrap_or_default(), 0.0);
    }
    let failed = |target: &str, error: &dyn std::fmt::Display| {
        format!("shader {}, shaders/{}.wgsl: no translation to {target}: {error}", variant.name(), variant.kernel)
    };
    let entry = Some((ShaderStage::Compute, variant.stem()));
    let (module, info) = pipeline_constants::process_overrides(module, info, entry, &constants)
        .map_err(|error| failed("one without overrides", &error))?;

    // Old versions of both languages: what they can express, newer ones can.
    let options = msl::Options { lang_version: (2, 3), ..Default::default() };
    msl::write_string(&module, &info, &options, &msl::PipelineOptions::default())
        .map_err(|error| failed("Metal", &error))?;
    let options = hlsl::Options { shader_model: hlsl::ShaderModel::V6_0, ..Default::default() };
    let pipeline = hlsl::PipelineOptions::default();
    let mut text = String::new();
    hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(&module, &info, None)
        .map_err(|error| failed("Direct3D 12", &error))?;
    Ok(())
}
