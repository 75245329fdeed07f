//! The Rust text of the kernels' table.

use std::fmt::Write as _;

use crate::inspect::Inspected;
use crate::variants::Variant;

/// One `static` a kernel, holding its variants.
pub(crate) fn table(kernels: &[(&Variant, Inspected)]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while at < kernels.len() {
        let kernel = &kernels[at].0.kernel;
        let count = kernels[at..].iter().take_while(|(variant, _)| variant.kernel == *kernel).count();
        let stem = kernels[at].0.stem();
        let _ = writeln!(out, "/// `shaders/{kernel}.wgsl`.");
        let _ = writeln!(out, "pub static {}: KernelFamily = KernelFamily {{", stem.to_uppercase());
        let _ = writeln!(out, "    name: {stem:?},\n    variants: &[");
        for (variant, inspected) in &kernels[at..at + count] {
            source(&mut out, variant, inspected);
        }
        let _ = writeln!(out, "    ],\n}};");
        at += count;
    }
    let _ = writeln!(out, "/// Every kernel.\npub static ALL: &[&KernelFamily] = &[");
    let mut last = "";
    for (variant, _) in kernels {
        if variant.kernel != last {
            let _ = writeln!(out, "    &{},", variant.stem().to_uppercase());
            last = &variant.kernel;
        }
    }
    let _ = writeln!(out, "];");
    out
}

fn source(out: &mut String, variant: &Variant, inspected: &Inspected) {
    let Inspected { bindings, workgroup_size, workgroup_memory, overrides, float64, subgroup } = inspected;
    let name = variant.name();
    let _ = writeln!(out, "        KernelSource {{");
    let _ = writeln!(out, "            name: {name:?},\n            entry: {:?},", variant.stem());
    let _ = writeln!(out, "            wgsl: include_str!(concat!(env!(\"OUT_DIR\"), \"/{name}.wgsl\")),");
    let _ = writeln!(out, "            bindings: &[");
    for binding in bindings {
        let _ = writeln!(
            out,
            "                Binding {{ name: {:?}, index: {}, kind: BindingKind::{}, least_bytes: {} }},",
            binding.name, binding.index, binding.kind, binding.least_bytes
        );
    }
    let _ = writeln!(out, "            ],\n            workgroup_size: {workgroup_size:?},");
    let _ = writeln!(out, "            workgroup_memory: {workgroup_memory},");
    let _ = writeln!(out, "            constants: &{:?},\n            flags: &{:?},", variant.constants, variant.flags);
    let _ = writeln!(out, "            overrides: &{overrides:?},");
    let _ = writeln!(out, "            float64: {float64},\n            subgroup: {subgroup},\n        }},");
}
