//! Validation of a composed shader, and what the crate needs to know of it: bindings, workgroup, memory.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ResourceBinding, StorageAccess, TypeInner};

use crate::compose::Composed;
use crate::translate::translate;
use crate::variants::Variant;

/// A binding of group 0.
pub(crate) struct Binding {
    pub(crate) name: String,
    pub(crate) index: u32,
    /// `Uniform`, `Read` or `ReadWrite`.
    pub(crate) kind: &'static str,
    /// Bytes that a bound buffer must have at least: those of one element.
    pub(crate) least_bytes: u32,
}

/// What is known of a valid kernel.
pub(crate) struct Inspected {
    pub(crate) bindings: Vec<Binding>,
    pub(crate) workgroup_size: [u32; 3],
    /// Bytes of workgroup memory.
    pub(crate) workgroup_memory: u32,
    pub(crate) overrides: Vec<String>,
    pub(crate) float64: bool,
    pub(crate) subgroup: bool,
}

/// Parses and validates with the compiler that the device uses.
pub(crate) fn inspect(root: &Path, variant: &Variant, composed: &Composed, path: &Path) -> Result<Inspected, String> {
    let shown = path.display().to_string();
    let module = naga::front::wgsl::parse_str(&composed.wgsl).map_err(|error| {
        let line = error.location(&composed.wgsl).map(|location| location.line_number as usize);
        let place = origin(root, variant, composed, line);
        format!("shader {}, {place}:\n{}", variant.name(), error.emit_to_string_with_path(&composed.wgsl, &shown))
    })?;
    let validate =
        |capabilities| Validator::new(ValidationFlags::all(), capabilities).validate(&module).map_err(Box::new);
    let needs = |capability: Capabilities| validate(Capabilities::all().difference(capability)).is_err();
    let info = validate(Capabilities::FLOAT64 | Capabilities::SUBGROUP).map_err(|error| {
        let line = error.location(&composed.wgsl).map(|location| location.line_number as usize);
        let place = origin(root, variant, composed, line);
        format!("shader {}, {place}:\n{}", variant.name(), error.emit_to_string_with_path(&composed.wgsl, &shown))
    })?;

    let [entry] = &module.entry_points[..] else {
        let count = module.entry_points.len();
        return Err(format!("shaders/{}.wgsl has {count} entry points; a file has exactly one", variant.kernel));
    };
    if entry.name != variant.stem() {
        return Err(format!(
            "shaders/{}.wgsl: the entry point is `{}`, but must have the file's name, `{}`",
            variant.kernel,
            entry.name,
            variant.stem()
        ));
    }
    translate(variant, &module, &info)?;

    let used = info.get_entry_point(0);
    let mut bindings = Vec::new();
    let mut workgroup_memory = 0;
    for (handle, variable) in module.global_variables.iter() {
        if used[handle].is_empty() {
            continue;
        }
        let name = variable.name.clone().unwrap_or_default();
        let bytes = least_bytes(&module, variable.ty);
        match (variable.space, variable.binding) {
            (AddressSpace::WorkGroup, _) => workgroup_memory += bytes,
            (space, Some(ResourceBinding { group: 0, binding: index })) => {
                let kind = match space {
                    AddressSpace::Uniform => "Uniform",
                    AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => "ReadWrite",
                    AddressSpace::Storage { .. } => "Read",
                    other => return Err(format!("shaders/{}.wgsl: `{name}` is in {other:?}", variant.kernel)),
                };
                bindings.push(Binding { name, index, kind, least_bytes: bytes });
            }
            (_, Some(ResourceBinding { group, .. })) => {
                return Err(format!("shaders/{}.wgsl: `{name}` is in group {group}; use group 0", variant.kernel));
            }
            _ => {}
        }
    }
    bindings.sort_by_key(|binding| binding.index);
    for pair in bindings.windows(2) {
        if pair[0].index == pair[1].index {
            let (index, [one, other]) = (pair[0].index, [&pair[0].name, &pair[1].name]);
            return Err(format!("shaders/{}.wgsl: `{one}` and `{other}` are both binding {index}", variant.kernel));
        }
    }
    Ok(Inspected {
        bindings,
        workgroup_size: entry.workgroup_size,
        workgroup_memory,
        overrides: module.overrides.iter().filter_map(|(_, constant)| constant.name.clone()).collect(),
        float64: needs(Capabilities::FLOAT64),
        subgroup: needs(Capabilities::SUBGROUP),
    })
}

/// Bytes of a type, an array without length counted as one element.
fn least_bytes(module: &Module, ty: naga::Handle<naga::Type>) -> u32 {
    let context = module.to_ctx();
    let size = module.types[ty].inner.size(context);
    match &module.types[ty].inner {
        TypeInner::Array { size: naga::ArraySize::Dynamic, stride, .. } => *stride,
        _ => size,
    }
}

/// Where a line of the composed text comes from: file and line if the same line is in one file only, else the
/// function that it is in.
fn origin(root: &Path, variant: &Variant, composed: &Composed, line: Option<usize>) -> String {
    let own = format!("shaders/{}.wgsl", variant.kernel);
    let Some(line) = line else { return own };
    let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace() && !"()".contains(*c)).collect::<String>();
    let lines: Vec<_> = composed.wgsl.lines().collect();
    let faulty = bare(lines.get(line.saturating_sub(1)).copied().unwrap_or_default());
    let function = lines[..line.min(lines.len())].iter().rev().find_map(|line| declared_function(line));
    let mut same = Vec::new();
    let mut declared = None;
    for path in &composed.files {
        let Ok(text) = fs::read_to_string(path) else { continue };
        let shown = path.strip_prefix(root).unwrap_or(path).display().to_string();
        for (index, source) in text.lines().enumerate() {
            if bare(source) == faulty {
                same.push(format!("shaders/{shown}:{}", index + 1));
            }
            let own = declared_function(source);
            if own.is_some() && own == function {
                declared = Some(format!("shaders/{shown}:{}, in `{}`", index + 1, own.unwrap_or_default()));
            }
        }
    }
    let mut place = match (&same[..], declared) {
        ([only], _) => only.clone(),
        (_, Some(function)) => function,
        _ => own,
    };
    if !variant.constants.is_empty() {
        let _ = write!(place, " with {:?}", variant.constants);
    }
    place
}

/// The name of the function that a line declares.
fn declared_function(line: &str) -> Option<&str> {
    let start = line.find("fn ")? + 3;
    let rest = &line[start..];
    rest.find('(').map(|end| rest[..end].trim())
}
