//! `lnn info`.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use lnn_autodiff::{Activation, MlpShape, instruction_set};
use lnn_gpu::device::{AdapterKind, AdapterSummary, adapters};
use lnn_train::backend::KERNELS;
use lnn_train::config::{FeaturesConfig, ModelKind};
use lnn_train::experiment::device;
use lnn_train::field::config::FieldModelKind;
use lnn_train::store::{
    Label, LoadedFieldModel, LoadedModel, MODEL_FORMAT, ModelFileFacts, Parameters, Provenance, StoreError,
    load_field_model, load_model, model_file_facts,
};
use serde_json::{Value, json};

use super::output::print_json;

/// Say what a model's file holds, or what this machine computes with.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct InfoArguments {
    /// A model's file; without one, what this machine has: processor, threads, graphics cards with their limits.
    model: Option<PathBuf>,

    /// For programs: print one JSON object instead.
    #[arg(long)]
    json: bool,
}

/// Columns of a value that is a sentence.
const WIDTH: usize = 76;

pub(super) fn run(arguments: &InfoArguments) -> Result<ExitCode, Box<dyn Error>> {
    let (title, rows, object) = match &arguments.model {
        None => machine(),
        Some(path) => match load_model(path) {
            Ok(loaded) => of_model(path, &loaded)?,
            Err(StoreError::OtherModel { .. }) => of_field_model(path, &load_field_model(path)?)?,
            Err(error) => return Err(error.into()),
        },
    };
    if arguments.json {
        print_json(&object)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("{title}\n");
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 3;
    for (name, value) in &rows {
        let mut lines = value.lines();
        let _ = writeln!(text, "  {name:<width$}{}", lines.next().unwrap_or_default());
        for line in lines {
            let _ = writeln!(text, "  {:<width$}{line}", "");
        }
    }
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// A heading, the rows of a table for a person, and the same for a program.
type Description = (String, Vec<(&'static str, String)>, Value);

fn machine() -> Description {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (device, set) = (device(), instruction_set());
    let version = env!("CARGO_PKG_VERSION");
    let mut rows = vec![
        ("processor", device.clone()),
        ("threads", threads.to_string()),
        ("instruction set", set.to_owned()),
        ("model files", format!("format {MODEL_FORMAT}")),
    ];
    let cards = adapters();
    if cards.is_empty() {
        rows.push(("graphics card", "none, or none with a driver for Vulkan, Metal or Direct3D 12".to_owned()));
    }
    rows.extend(cards.iter().map(|card| ("graphics card", card_in_words(card))));
    rows.push(("--backend cpu", "every experiment and model".to_owned()));
    if !cards.is_empty() {
        let text = format!("trainings of experiments: {KERNELS}; rollouts by rk4: Lagrangian networks (Lnn)");
        rows.push(("--backend gpu", textwrap::wrap(&text, WIDTH).join("\n")));
    }
    let backends: &[&str] = if cards.is_empty() { &["cpu"] } else { &["cpu", "gpu"] };
    let cards: Vec<Value> = cards.iter().map(card_for_programs).collect();
    let object = json!({
        "version": version, "processor": device, "threads": threads, "instruction_set": set, "backends": backends,
        "graphics_cards": cards, "model_format": MODEL_FORMAT,
    });
    (format!("lnn {version}"), rows, object)
}

fn card_in_words(card: &AdapterSummary) -> String {
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let kind = match card.kind {
        AdapterKind::Cpu => "software, which --backend auto passes over",
        other => other.name(),
    };
    let driver = if card.driver.is_empty() { "unnamed" } else { &card.driver };
    let times = if card.timestamps { "kernels can be timed" } else { "kernels cannot be timed" };
    format!(
        "{}\n{kind}; {}, driver {driver}\nbuffers up to {}, {} in one binding, {} a kernel\nworkgroups of {} with {} KiB of \
         memory; {times}",
        card.name,
        card.backend,
        mebibytes(card.largest_buffer),
        mebibytes(card.largest_binding),
        card.storage_buffers,
        card.workgroup_invocations,
        card.workgroup_memory >> 10,
    )
}

fn card_for_programs(card: &AdapterSummary) -> Value {
    json!({
        "name": card.name, "kind": card.kind.name(), "interface": card.backend, "driver": card.driver,
        "largest_buffer_bytes": card.largest_buffer, "largest_binding_bytes": card.largest_binding,
        "storage_buffers": card.storage_buffers, "workgroup_invocations": card.workgroup_invocations,
        "workgroup_memory_bytes": card.workgroup_memory, "subgroup_sizes": card.subgroup_sizes,
        "timestamps": card.timestamps, "float64": card.float64, "subgroup": card.subgroup,
    })
}

fn of_model(path: &Path, loaded: &LoadedModel) -> Result<Description, Box<dyn Error>> {
    let header = &loaded.header;
    let (d, c) = (header.degrees_of_freedom, header.conditionals);
    let inputs = feature_names(&header.features, d, c, &header.kind);
    let mut rows = vec![
        ("name", header.name.clone()),
        ("kind", kind_in_words(&header.kind)),
        ("coordinates", format!("{d}{}", labels_in_words(&header.coordinates))),
        (
            "conditionals",
            if c == 0 { "none".to_owned() } else { format!("{c}{}", labels_in_words(&header.conditional_labels)) },
        ),
    ];
    if let Some(unit) = &header.time_unit {
        rows.push(("unit of time", unit.clone()));
    }
    rows.push(("networks", networks_in_words(&loaded.shapes, header.activation, &["main", "potential"])));
    rows.push(("parameters", parameters_in_words(&loaded.parameters)));
    rows.push(("inputs", inputs.join(", ")));
    if let Some(system) = &header.system {
        let parameters: Vec<String> =
            system.parameters.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        rows.push(("system", format!("{}: {}", system.name, parameters.join(", "))));
    }
    rows.extend(provenance_in_words(&header.provenance).map(|text| ("trained by", text)));
    let file = model_file_facts(path)?;
    rows.push(("file", file_in_words(&file)));
    let object = json!({
        "model_of": "system", "header": header, "inputs": inputs, "networks": sizes(&loaded.shapes),
        "parameters": loaded.parameters.len(), "precision": precision(&loaded.parameters), "format": MODEL_FORMAT,
        "checksum": file.checksum,
    });
    Ok((format!("{}: a model of a system", path.display()), rows, object))
}

fn of_field_model(path: &Path, loaded: &LoadedFieldModel) -> Result<Description, Box<dyn Error>> {
    let header = &loaded.header;
    let shapes: Vec<MlpShape> = loaded.density.shapes().cloned().collect();
    let kind = match header.kind {
        FieldModelKind::Lgn { residual_mass, .. } => {
            format!("learned Lagrangian density, residual mass {residual_mass}")
        }
        FieldModelKind::Hgn => "learned Hamiltonian density".to_owned(),
        FieldModelKind::Cnn { .. } => "convolutional network of accelerations".to_owned(),
    };
    let mut rows = vec![
        ("name", header.name.clone()),
        ("kind", kind),
        ("sees", format!("{:?} neighbourhoods, {} field component(s)", header.neighbourhood, header.components)),
        ("site attributes", header.site_attributes.to_string()),
        ("networks", networks_in_words(&shapes, header.activation, &["first", "second"])),
        ("parameters", parameters_in_words(&loaded.parameters)),
    ];
    if let Some(field) = &header.field {
        rows.push(("field", format!("{field:?}")));
    }
    rows.extend(provenance_in_words(&header.provenance).map(|text| ("trained by", text)));
    let file = model_file_facts(path)?;
    rows.push(("file", file_in_words(&file)));
    let object = json!({
        "model_of": "field", "header": header, "networks": sizes(&shapes), "parameters": loaded.parameters.len(),
        "precision": precision(&loaded.parameters), "format": MODEL_FORMAT, "checksum": file.checksum,
    });
    Ok((format!("{}: a model of a field", path.display()), rows, object))
}

fn kind_in_words(kind: &ModelKind) -> String {
    match kind {
        ModelKind::Lnn { residual_mass, potential_scale, scaled_velocities, .. } => {
            let mass = match (residual_mass, scaled_velocities) {
                (0.0, _) => String::new(),
                (mass, false) => format!("½ · {mass} |q̇|² + "),
                (mass, true) => format!("½ · {mass} |q̇ / scale|² + "),
            };
            let potential = potential_scale.map_or(String::new(), |scale| format!(" + {scale} net₂(q)"));
            format!("Lagrangian network, L = {mass}net(q, q̇){potential}")
        }
        ModelKind::Delan { diagonal, regularisation, potential_scale } => format!(
            "deep Lagrangian network, L = ½ q̇ᵀ (C Cᵀ + {regularisation} I) q̇ − {potential_scale} net₂(q), C = {diagonal} I + net(q)"
        ),
        ModelKind::Hnn => "Hamiltonian network, H = net(q, q̇), which takes q̇ for p".to_owned(),
        ModelKind::HnnCanonical { potential_scale } => {
            let potential = potential_scale.map_or(String::new(), |scale| format!(" + {scale} net₂(q)"));
            format!("Hamiltonian network in canonical coordinates, H = net(q, p){potential}")
        }
        ModelKind::Baseline { output_scale } => format!("plain network, q̈ = {output_scale} net(q, q̇)"),
        ModelKind::BaselineFirstOrder { velocity_scale, output_scale } => {
            format!("plain network, dq/dt = {velocity_scale} net(q, q̇), dq̇/dt = {output_scale} net(q, q̇)")
        }
    }
}

fn labels_in_words(labels: &[Label]) -> String {
    let label = |label: &Label| match &label.unit {
        Some(unit) => format!("{} [{unit}]", label.name),
        None => label.name.clone(),
    };
    let labels: Vec<String> = labels.iter().map(label).collect();
    if labels.is_empty() { String::new() } else { format!(": {}", labels.join(", ")) }
}

/// The inputs of the main network, in their order, as formulas.
fn feature_names(features: &FeaturesConfig, d: usize, c: usize, kind: &ModelKind) -> Vec<String> {
    use lnn_train::config::AngleFeatures::{Identity, SinCos, Wrap};
    let each = features.of_coordinates(d);
    let scaled = |text: String, scale: f64| if scale == 1.0 { text } else { format!("{text} / {scale}") };
    let shifted = |text: String, centre: f64| match centre {
        0.0 => text,
        centre if centre < 0.0 => format!("({text} + {})", -centre),
        centre => format!("({text} − {centre})"),
    };
    let circular = || (0..d).filter(|&j| each[j].angles == SinCos);
    let mut names: Vec<String> = circular().map(|j| format!("sin q{j}")).collect();
    names.extend(circular().map(|j| format!("cos q{j}")));
    names.extend(each.iter().enumerate().filter_map(|(j, one)| match one.angles {
        SinCos => None,
        Wrap => Some(scaled(format!("wrap(q{j})"), one.position_scale)),
        Identity => Some(scaled(shifted(format!("q{j}"), one.position_centre), one.position_scale)),
    }));
    if !matches!(kind, ModelKind::Delan { .. }) {
        let symbol = if matches!(kind, ModelKind::HnnCanonical { .. }) { "p" } else { "q̇" };
        names.extend(each.iter().enumerate().map(|(j, one)| scaled(format!("{symbol}{j}"), one.velocity_scale)));
    }
    names.extend((0..c).map(|k| match features.conditionals.get(k) {
        Some(one) => scaled(shifted(format!("c{k}"), one.centre), one.scale),
        None => scaled(format!("c{k}"), features.conditional_scale),
    }));
    names
}

fn networks_in_words(shapes: &[MlpShape], activation: Activation, names: &[&str]) -> String {
    let network = |shape: &MlpShape| {
        let sizes: Vec<String> = shape.dimensions().iter().map(ToString::to_string).collect();
        format!("{}, {activation}, {} parameters", sizes.join(" → "), shape.parameter_count())
    };
    match shapes {
        [only] => network(only),
        several => {
            let lines: Vec<String> =
                several.iter().zip(names).map(|(one, name)| format!("{name}: {}", network(one))).collect();
            lines.join("\n")
        }
    }
}

fn sizes(shapes: &[MlpShape]) -> Vec<&[usize]> {
    shapes.iter().map(MlpShape::dimensions).collect()
}

fn precision(parameters: &Parameters) -> &'static str {
    match parameters {
        Parameters::F32(_) => "f32",
        Parameters::F64(_) => "f64",
    }
}

fn parameters_in_words(parameters: &Parameters) -> String {
    format!("{} in {}", parameters.len(), precision(parameters))
}

/// Where the weights come from; `None` for a file that does not say.
fn provenance_in_words(provenance: &Provenance) -> Option<String> {
    let Provenance { program, experiment, preset, seed, steps, samples, configuration, data } = provenance;
    let mut parts = Vec::new();
    let mut push = |text: &str, part: String| {
        if !text.is_empty() {
            parts.push(part);
        }
    };
    push(program, program.clone());
    push(experiment, format!("experiment {experiment}"));
    push(preset, format!("preset {preset}"));
    if *steps > 0 {
        parts.push(format!("seed {seed}, {steps} steps, {samples} states"));
    }
    if !configuration.is_empty() {
        parts.push(format!("configuration {configuration}"));
    }
    if !data.is_empty() {
        parts.push(format!("data {data}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn file_in_words(file: &ModelFileFacts) -> String {
    let checksum = match &file.checksum {
        Some(checksum) => format!("checksum {checksum}, right"),
        None => "no checksum, as of files written by hand".to_owned(),
    };
    format!("format {MODEL_FORMAT}, {:.1} KiB, {checksum}", file.bytes as f64 / 1024.0)
}

const EXAMPLES: &str = "\
Examples:
  lnn info
  lnn info runs/dblpend/fast-0/model-lnn.safetensors
  lnn info model.safetensors --json | jq .header.features";
