//! Which variant of the fused kernels suits a plan.

use super::NarrowPlan;
use crate::device::{Device, DeviceError};
use crate::kernels::{KernelFamily, KernelSource};
use crate::mlp::tiles::{ENOUGH_WORKGROUPS, NarrowTile, Tile};
use crate::mlp::{TileRole, Tiles};

/// The variants that suit an adapter and a number of rows.
pub(super) struct Sources {
    pub(super) jet: &'static KernelSource,
    pub(super) functional: &'static KernelSource,
}

/// Blocks of samples that a kernel cuts the rows of a model into.
pub(super) fn blocks(source: &KernelSource, rows: usize) -> usize {
    rows.div_ceil(source.constant("SAMPLES").unwrap_or(1) as usize)
}

/// Into how many partial sums each model's gradient is split.
pub(super) fn splits(source: &KernelSource, plan: &NarrowPlan<'_>) -> usize {
    blocks(source, plan.rows).min((2 * ENOUGH_WORKGROUPS).div_ceil(plan.models))
}

impl Sources {
    pub(super) fn choose(device: &Device, plan: &NarrowPlan<'_>, tiles: &Tiles) -> Result<Self, DeviceError> {
        Ok(Self {
            jet: choose(device, plan, TileRole::NarrowJet, tiles.narrow_jet)?,
            functional: choose(device, plan, TileRole::NarrowFunctional, tiles.narrow_functional)?,
        })
    }

    /// The variant for both passes and what is between them.
    pub(super) fn step(
        device: &Device,
        plan: &NarrowPlan<'_>,
        tiles: &Tiles,
    ) -> Result<&'static KernelSource, DeviceError> {
        choose(device, plan, TileRole::NarrowStep, tiles.narrow_step)
    }
}

/// The chosen variant, or the one with the largest block of which there are enough, or else the smallest; of several such
/// the one with most of a weight at once.
fn choose(
    device: &Device,
    plan: &NarrowPlan<'_>,
    role: TileRole,
    chosen: Option<NarrowTile>,
) -> Result<&'static KernelSource, DeviceError> {
    let NarrowPlan { models, tangents, rows, input_cotangents, workgroup_memory, .. } = *plan;
    let offered = device.adapter().workgroup_memory;
    let memory = workgroup_memory.map_or(offered, |wanted| wanted.min(offered));
    let family: &'static KernelFamily = role.family();
    let serves = |source: &KernelSource| match role {
        TileRole::NarrowFunctional => source.flags.contains(&"COTANGENTS") == input_cotangents,
        _ => role.serves(source, tangents),
    };
    if let Some(tile) = chosen {
        return tile.find(family, serves);
    }
    let has_room = |source: &&KernelSource| serves(source) && source.workgroup_memory <= memory;
    let best = family.variants.iter().filter(has_room).max_by_key(|source| {
        let samples = source.constant("SAMPLES").unwrap_or(1) as usize;
        let enough = (rows * models).div_ceil(samples) >= ENOUGH_WORKGROUPS;
        (if enough { samples as isize } else { -(samples as isize) }, source.constant("DEPTH4"))
    });
    best.ok_or_else(|| DeviceError::NoKernel {
        kernel: family.name,
        wanted: format!("{tangents} tangents in {memory} bytes of workgroup memory"),
        offered: "2 to 9 tangents in 16384 bytes",
    })
}
