//! Which shaders are built with which constants and flags. A shader that is not named here is built once, as it is.

/// One translation of one shader.
#[derive(Clone, Debug)]
pub(crate) struct Variant {
    /// `stage/kernel`, the file without its extension.
    pub(crate) kernel: String,
    /// What distinguishes it from the kernel's other variants; empty if there is one only.
    pub(crate) suffix: String,
    /// Values of `import constants::NAME`.
    pub(crate) constants: Vec<(&'static str, u32)>,
    /// Flags of `@if(NAME)` that are set.
    pub(crate) flags: Vec<&'static str>,
}

impl Variant {
    /// The kernel's own name, without its stage.
    pub(crate) fn stem(&self) -> &str {
        self.kernel.rsplit('/').next().unwrap_or(&self.kernel)
    }

    /// The variant's name, one word.
    pub(crate) fn name(&self) -> String {
        if self.suffix.is_empty() { self.stem().to_owned() } else { format!("{}_{}", self.stem(), self.suffix) }
    }
}

/// The variants of all kernels in `files`, in their order.
///
/// Fails if the table names a kernel without a file.
pub(crate) fn all(files: &[String]) -> Result<Vec<Variant>, String> {
    let table = table();
    if let Some(missing) = table.iter().find(|variant| !files.contains(&variant.kernel)) {
        return Err(format!("build/variants.rs names {}, but there is no shaders/{0}.wgsl", missing.kernel));
    }
    let mut all = Vec::new();
    for kernel in files {
        let own: Vec<_> = table.iter().filter(|variant| variant.kernel == *kernel).cloned().collect();
        if own.is_empty() {
            let (suffix, constants, flags) = (String::new(), Vec::new(), Vec::new());
            all.push(Variant { kernel: kernel.clone(), suffix, constants, flags });
        }
        all.extend(own);
    }
    Ok(all)
}

fn table() -> Vec<Variant> {
    let mut table = Vec::new();
    table.extend(by_dimension());
    for kernel in ["loss/rate_loss", "loss/plain_loss"] {
        for (suffix, flags) in [("", vec![]), ("weighted", vec!["WEIGHTED"])] {
            let (kernel, suffix) = (kernel.to_owned(), suffix.to_owned());
            table.push(Variant { kernel, suffix, constants: Vec::new(), flags });
        }
    }
    // A Lagrangian of d coordinates has d + 2 channels; rollouts and plain networks have fewer.
    for channels in 1..=10 {
        layer_product(&mut table, "mlp/layer_forward", channels, true, true);
    }
    layer_product(&mut table, "mlp/layer_reverse", 1, false, true);
    layer_product(&mut table, "mlp/functional_forward", 1, true, true);
    layer_product(&mut table, "mlp/functional_reverse", 3, false, true);
    layer_product(&mut table, "mlp/input_cotangents", 3, false, false);
    layer_product(&mut table, "mlp/input_cotangents", 1, false, false);
    layer_product(&mut table, "mlp/directional_forward", 1, true, false);
    layer_product(&mut table, "mlp/directional_reverse", 1, false, false);
    for (side, flags) in [(128, vec!["WIDE"]), (64, vec![])] {
        let (kernel, suffix) = ("mlp/weight_gradient".to_owned(), format!("n{side}"));
        table.push(Variant { kernel, suffix, constants: vec![("SIDE", side)], flags });
    }
    for tangents in 2..=9 {
        table.push(Variant {
            kernel: "mlp/hessian_contract".into(),
            suffix: format!("t{tangents}"),
            constants: vec![("TANGENTS", tangents), ("PAIRS", tangents * (tangents + 1) / 2 - 1)],
            flags: vec![],
        });
    }
    narrow(&mut table);
    soap(&mut table);
    table
}

/// Coordinates that a system may have.
const DIMENSIONS: std::ops::RangeInclusive<u32> = 1..=8;

/// What one thread does for a row's d coordinates, in arrays of that length.
fn by_dimension() -> impl Iterator<Item = Variant> {
    let kernels = [
        "euler_lagrange/accelerate",
        "euler_lagrange/differentiate_loss",
        "pseudoinverse/factor_symmetric",
        "pseudoinverse/solve_symmetric",
        "pseudoinverse/solve_symmetric_vjp",
        "rollout/end_motions",
    ];
    kernels.into_iter().flat_map(|kernel| {
        DIMENSIONS.map(move |d| Variant {
            kernel: kernel.to_owned(),
            suffix: format!("d{d}"),
            constants: vec![("D", d), ("PAIRS", d * (d + 3) / 2)],
            flags: Vec::new(),
        })
    })
}

/// A layer product of this many channels, in tiles of 128 and of 64 columns.
///
/// A thread has all channels of so many samples: as many as make 6 to 10 rows, so that its sums fit into registers; and, if
/// there is a choice, of fewer and of more of them, down to 2 rows and up to 10.
fn layer_product(table: &mut Vec<Variant>, kernel: &str, channels: u32, transposed: bool, choice: bool) {
    let (usual, others): (u32, &[u32]) = match channels {
        1 => (8, &[2, 4, 6, 10]),
        2 => (4, &[1, 2, 5]),
        3 => (3, &[1, 2]),
        4 | 5 => (2, &[1]),
        _ => (1, &[]),
    };
    let others = if choice { others } else { &[] };
    for samples in others.iter().copied().chain([usual]) {
        for columns in [128, 64] {
            let rows = channels * samples;
            let names = ["ROW_2", "ROW_3", "ROW_4", "ROW_5", "ROW_6", "ROW_7", "ROW_8", "ROW_9"];
            let mut flags: Vec<_> = (2..rows).zip(names).map(|(_, name)| name).collect();
            flags.extend((columns == 128).then_some("WIDE"));
            flags.extend(transposed.then_some("TRANSPOSED"));
            table.push(Variant {
                kernel: kernel.into(),
                suffix: format!("c{channels}_s{samples}_n{columns}"),
                constants: vec![("CHANNELS", channels), ("ROWS", rows), ("SAMPLES", samples), ("COLUMNS", columns)],
                flags,
            });
        }
    }
}

/// The kernels for networks up to 64 wide: with blocks of few samples and parts of a weight, within the 16 KiB of workgroup
/// memory that every adapter has; and within the 32 KiB that most have, blocks of few samples with a whole weight, or of more.
fn narrow(table: &mut Vec<Variant>) {
    /// Groups of four in the widest layer.
    const WIDEST4: u32 = 16;
    /// The functional gives cotangents of the inputs too.
    const COTANGENTS: &str = "COTANGENTS";
    /// The passes are those of one kernel, with what is between them.
    const FUSED: &str = "FUSED";
    let mut push =
        |kernel: &str, channels: u32, samples: u32, depth4: u32, tangents: Option<u32>, flag: &'static str| {
            // A part of a weight with gaps, or the four right factors of its gradient.
            let right = if kernel == "mlp/narrow_jet" { 0 } else { 4 * samples * WIDEST4 };
            let shared = (4 * WIDEST4 * depth4 + WIDEST4).max(right);
            let mut constants =
                vec![("SAMPLES", samples), ("DEPTH4", depth4), ("LEFT_ROWS", channels * samples), ("SHARED", shared)];
            let mut suffix = format!("s{samples}_k{depth4}");
            if let Some(tangents) = tangents {
                constants.extend([("TANGENTS", tangents), ("PAIRS", tangents * (tangents + 1) / 2 - 1)]);
                constants.extend((flag == FUSED).then_some(("D", tangents - 1)));
                suffix = format!("t{tangents}_{suffix}");
            }
            let names = ["CHANNEL_3", "CHANNEL_4", "CHANNEL_5", "CHANNEL_6", "CHANNEL_7", "CHANNEL_8", "CHANNEL_9"];
            let of_jet = tangents.map_or(channels, |tangents| tangents + 1);
            let mut flags: Vec<_> = (3..of_jet).zip(names).map(|(_, name)| name).collect();
            if !flag.is_empty() {
                flags.push(flag);
            }
            if flag == COTANGENTS {
                suffix = format!("cotangents_{suffix}");
            }
            table.push(Variant { kernel: kernel.into(), suffix, constants, flags });
        };
    for tangents in 2..=9 {
        let channels = tangents + 1;
        push("mlp/narrow_jet", channels, 4, 4, Some(tangents), "");
        push("mlp/narrow_jet", channels, 4, WIDEST4, Some(tangents), "");
        push("mlp/narrow_jet", channels, if channels <= 4 { 16 } else { 8 }, 8, Some(tangents), "");
        push("mlp/narrow_jet", channels, 2, WIDEST4, Some(tangents), "");
        // With more channels there is no room for it.
        if channels <= 7 {
            push("mlp/narrow_jet", channels, 8, WIDEST4, Some(tangents), "");
        }
    }
    // Both passes and what is between them: at least the four channels of the functional.
    for tangents in 2..=9 {
        let channels = (tangents + 1).max(4);
        for (samples, depth4) in [(4, 4), (4, WIDEST4), (2, WIDEST4)] {
            push("mlp/narrow_step", channels, samples, depth4, Some(tangents), FUSED);
        }
        if channels <= 6 {
            push("mlp/narrow_step", channels, 8, 8, Some(tangents), FUSED);
        }
        if channels <= 4 {
            push("mlp/narrow_step", channels, 16, 4, Some(tangents), FUSED);
        }
    }
    for flag in ["", COTANGENTS] {
        push("mlp/narrow_functional", 4, 4, 4, None, flag);
        push("mlp/narrow_functional", 4, 4, WIDEST4, None, flag);
        push("mlp/narrow_functional", 4, 16, 8, None, flag);
        for samples in [2, 8] {
            push("mlp/narrow_functional", 4, samples, WIDEST4, None, flag);
        }
    }
}

/// SOAP's products with each of their epilogues, and its orthonormalisation by the numbers of reflections at once.
fn soap(table: &mut Vec<Variant>) {
    for tile in [32, 64] {
        for flag in ["STORE", "MOMENTS", "APPLY", "AVERAGE", "KEEP", "CARRY"] {
            table.push(Variant {
                kernel: "optimiser/soap_product".to_owned(),
                suffix: format!("{}_{tile}", flag.to_lowercase()),
                constants: vec![("TILE", tile)],
                flags: vec![flag],
            });
        }
    }
    // With the sums beside it within 16 KiB of workgroup memory, and within 32.
    for panel in [3328, 7424] {
        table.push(Variant {
            kernel: "optimiser/soap_orthonormalise".to_owned(),
            suffix: panel.to_string(),
            constants: vec![("PANEL", panel)],
            flags: vec![],
        });
    }
}
