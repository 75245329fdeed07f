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

impl Sources {
    pub(super) fn choose(device: &Device, plan: &NarrowPlan<'_>, tiles: &Tiles) -> Result<Self, DeviceError> {
        let NarrowPlan { models, tangents, rows, input_cotangents, workgroup_memory, .. } = *plan;
        let offered = device.adapter().workgroup_memory;
        let memory = workgroup_memory.map_or(offered, |wanted| wanted.min(offered));
        // The largest block of which there are enough, or the smallest; of several, the one with most of a weight at once.
        let best = |sources: &mut dyn Iterator<Item = &'static KernelSource>| {
            sources.filter(|source| source.workgroup_memory <= memory).max_by_key(|source| {
                let samples = source.constant("SAMPLES").unwrap_or(1) as usize;
                let enough = (rows * models).div_ceil(samples) >= ENOUGH_WORKGROUPS;
                (if enough { samples as isize } else { -(samples as isize) }, source.constant("DEPTH4"))
            })
        };
        let choose = |role: TileRole, tile: Option<NarrowTile>, wanted: String| {
            let family: &'static KernelFamily = role.family();
            let serves = |source: &KernelSource| match role {
                TileRole::NarrowFunctional => source.flags.contains(&"COTANGENTS") == input_cotangents,
                _ => role.serves(source, tangents),
            };
            if let Some(tile) = tile {
                return tile.find(family, serves);
            }
            best(&mut family.variants.iter().filter(|source| serves(source))).ok_or(DeviceError::NoKernel {
                kernel: family.name,
                wanted: format!("{wanted} in {memory} bytes of workgroup memory"),
                offered: "2 to 9 tangents in 16384 bytes",
            })
        };
        Ok(Self {
            jet: choose(TileRole::NarrowJet, tiles.narrow_jet, format!("{tangents} tangents"))?,
            functional: choose(TileRole::NarrowFunctional, tiles.narrow_functional, "a functional".into())?,
        })
    }

    /// Into how many partial sums each model's gradient is split.
    pub(super) fn splits(&self, plan: &NarrowPlan<'_>) -> usize {
        blocks(self.functional, plan.rows).min((2 * ENOUGH_WORKGROUPS).div_ceil(plan.models))
    }
}
