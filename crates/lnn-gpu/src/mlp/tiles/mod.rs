//! How a network's products are cut into tiles: data, that a tuner or a person may choose.

mod find;
mod role;

pub(super) use find::Tile;
pub use role::TileRole;

use crate::device::{AdapterSummary, DeviceError};

/// Workgroups that fill a large device: where there would be fewer, smaller tiles are taken.
pub(super) const ENOUGH_WORKGROUPS: usize = 128;

/// Most partial sums that a weight gradient is split into.
const MOST_SPLITS: u32 = 64;

/// A tile of a layer product: all channels of 16 · `samples` samples, by `columns` units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductTile {
    /// Samples of a thread.
    pub samples: u32,
    /// Units of a workgroup, 64 or 128. A layer of up to 64 has 64 in any case.
    pub columns: u32,
}

/// A tile of a weight gradient, and into how many partial sums its rows are split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradientTile {
    /// Inputs and outputs of a workgroup, 64 or 128 of each. A layer with up to 64 of either has 64 in any case.
    pub side: u32,
    /// Partial sums, from 1 to 64.
    pub splits: u32,
}

/// A block of a fused kernel for narrow networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NarrowTile {
    /// Samples of a workgroup.
    pub samples: u32,
    /// Rows of a weight that are in workgroup memory at once.
    pub depth: u32,
}

/// The tiles of a network's kernels; what is not set is chosen by the sizes of the product.
///
/// The sums of a tile are those of any other, in the same order of terms; only splits of gradients have another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tiles {
    /// The forward pass, with all its channels.
    pub forward: Option<ProductTile>,
    /// The reverse sweep.
    pub reverse: Option<ProductTile>,
    /// The functional's coefficient on its way forward.
    pub functional_forward: Option<ProductTile>,
    /// The functional's adjoints on their way back.
    pub functional_reverse: Option<ProductTile>,
    /// Weight gradients.
    pub weight_gradient: Option<GradientTile>,
    /// The fused forward, reverse and Hessian passes of a narrow network.
    pub narrow_jet: Option<NarrowTile>,
    /// The fused functional gradient of a narrow network.
    pub narrow_functional: Option<NarrowTile>,
    /// A training step of a narrow network, all its passes in one.
    pub narrow_step: Option<NarrowTile>,
}

impl Tiles {
    /// These, and for what they leave open those of `others`.
    pub fn or(self, others: Self) -> Self {
        Self {
            forward: self.forward.or(others.forward),
            reverse: self.reverse.or(others.reverse),
            functional_forward: self.functional_forward.or(others.functional_forward),
            functional_reverse: self.functional_reverse.or(others.functional_reverse),
            weight_gradient: self.weight_gradient.or(others.weight_gradient),
            narrow_jet: self.narrow_jet.or(others.narrow_jet),
            narrow_functional: self.narrow_functional.or(others.narrow_functional),
            narrow_step: self.narrow_step.or(others.narrow_step),
        }
    }

    /// The choice for one part in words, if it is made: `32 samples × 128 units`.
    pub fn describe(&self, role: TileRole) -> Option<String> {
        let product = |tile: Option<ProductTile>| tile.map(|tile| tile.to_string());
        let narrow = |tile: Option<NarrowTile>| tile.map(|tile| tile.to_string());
        match role {
            TileRole::Forward => product(self.forward),
            TileRole::Reverse => product(self.reverse),
            TileRole::FunctionalForward => product(self.functional_forward),
            TileRole::FunctionalReverse => product(self.functional_reverse),
            TileRole::WeightGradient => self.weight_gradient.map(|tile| tile.to_string()),
            TileRole::NarrowJet => narrow(self.narrow_jet),
            TileRole::NarrowFunctional => narrow(self.narrow_functional),
            TileRole::NarrowStep => narrow(self.narrow_step),
        }
    }

    /// Whether there are such kernels for a functional in so many directions, and whether the adapter has room for them.
    ///
    /// # Errors
    /// The first tile that there is no kernel for, or that is too large for the adapter.
    pub fn check(&self, adapter: &AdapterSummary, tangents: usize) -> Result<(), DeviceError> {
        for role in TileRole::TILED.into_iter().chain(TileRole::NARROW) {
            let Some(source) = role.source(self, tangents) else { continue };
            let source = source?;
            for (limit, needed, offered) in [
                ("bytes of workgroup memory", source.workgroup_memory, adapter.workgroup_memory),
                ("invocations a workgroup", source.invocations(), adapter.workgroup_invocations),
            ] {
                if needed > offered {
                    let (what, adapter) = (format!("kernel {}", source.name), adapter.name.clone());
                    let (needed, offered) = (needed.into(), offered.into());
                    return Err(DeviceError::Limit { what, limit, needed, offered, adapter });
                }
            }
        }
        Ok(())
    }
}

/// Into how many partial sums a gradient over so many rows is split, if nobody chose: enough workgroups to fill a device,
/// each with enough to do.
pub(super) fn default_splits(rows: usize) -> usize {
    (4 * rows).div_ceil(512).clamp(1, 16)
}
