//! The parts of a training step that have tiles of their own, and every choice there is for each.

use std::fmt;

use super::find::Tile;
use super::{GradientTile, MOST_SPLITS, NarrowTile, ProductTile, Tiles, default_splits};
use crate::device::{AdapterSummary, DeviceError};
use crate::kernels::{self, KernelFamily, KernelSource};

/// A part of a training step whose tile is chosen by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TileRole {
    /// [`Tiles::forward`].
    Forward,
    /// [`Tiles::reverse`].
    Reverse,
    /// [`Tiles::functional_forward`].
    FunctionalForward,
    /// [`Tiles::functional_reverse`].
    FunctionalReverse,
    /// [`Tiles::weight_gradient`].
    WeightGradient,
    /// [`Tiles::narrow_jet`].
    NarrowJet,
    /// [`Tiles::narrow_functional`].
    NarrowFunctional,
    /// [`Tiles::narrow_step`].
    NarrowStep,
}

impl TileRole {
    /// Those of networks of any width.
    pub const TILED: [Self; 5] =
        [Self::Forward, Self::Reverse, Self::FunctionalForward, Self::FunctionalReverse, Self::WeightGradient];
    /// Those of networks up to 64 wide.
    pub const NARROW: [Self; 3] = [Self::NarrowJet, Self::NarrowFunctional, Self::NarrowStep];

    /// The kernel that has the tile.
    pub fn family(self) -> &'static KernelFamily {
        match self {
            Self::Forward => &kernels::LAYER_FORWARD,
            Self::Reverse => &kernels::LAYER_REVERSE,
            Self::FunctionalForward => &kernels::FUNCTIONAL_FORWARD,
            Self::FunctionalReverse => &kernels::FUNCTIONAL_REVERSE,
            Self::WeightGradient => &kernels::WEIGHT_GRADIENT,
            Self::NarrowJet => &kernels::NARROW_JET,
            Self::NarrowFunctional => &kernels::NARROW_FUNCTIONAL,
            Self::NarrowStep => &kernels::NARROW_STEP,
        }
    }

    /// Whether this variant serves a functional in so many directions.
    pub(in crate::mlp) fn serves(self, source: &KernelSource, tangents: usize) -> bool {
        let tangents = u32::try_from(tangents).unwrap_or(u32::MAX);
        match self {
            Self::Forward => source.constant("CHANNELS") == tangents.checked_add(1),
            Self::NarrowJet | Self::NarrowStep => source.constant("TANGENTS") == Some(tangents),
            Self::NarrowFunctional => !source.flags.contains(&"COTANGENTS"),
            _ => true,
        }
    }

    /// The variant that `tiles` choose for this part, if they choose one.
    pub(super) fn source(self, tiles: &Tiles, tangents: usize) -> Option<Result<&'static KernelSource, DeviceError>> {
        let serves = |source: &KernelSource| self.serves(source, tangents);
        let product = |tile: Option<ProductTile>| tile.map(|tile| tile.find(self.family(), serves));
        let narrow = |tile: Option<NarrowTile>| tile.map(|tile| tile.find(self.family(), serves));
        match self {
            Self::Forward => product(tiles.forward),
            Self::Reverse => product(tiles.reverse),
            Self::FunctionalForward => product(tiles.functional_forward),
            Self::FunctionalReverse => product(tiles.functional_reverse),
            Self::WeightGradient => tiles.weight_gradient.map(GradientTile::find),
            Self::NarrowJet => narrow(tiles.narrow_jet),
            Self::NarrowFunctional => narrow(tiles.narrow_functional),
            Self::NarrowStep => narrow(tiles.narrow_step),
        }
    }

    /// Every choice for this part, each as tiles of which the others are not set, for a functional in so many directions on
    /// an adapter; weight gradients of a batch with splits around those that are the default for `rows` rows.
    pub fn candidates(self, adapter: &AdapterSummary, tangents: usize, rows: usize) -> Vec<Tiles> {
        let fits = |source: &&KernelSource| {
            self.serves(source, tangents)
                && source.workgroup_memory <= adapter.workgroup_memory
                && source.invocations() <= adapter.workgroup_invocations
        };
        let sources = self.family().variants.iter().filter(fits);
        let product = |set: fn(ProductTile) -> Tiles| sources.clone().filter_map(ProductTile::of).map(set).collect();
        let narrow = |set: fn(NarrowTile) -> Tiles| sources.clone().filter_map(NarrowTile::of).map(set).collect();
        match self {
            Self::Forward => product(|tile| Tiles { forward: Some(tile), ..Tiles::default() }),
            Self::Reverse => product(|tile| Tiles { reverse: Some(tile), ..Tiles::default() }),
            Self::FunctionalForward => product(|tile| Tiles { functional_forward: Some(tile), ..Tiles::default() }),
            Self::FunctionalReverse => product(|tile| Tiles { functional_reverse: Some(tile), ..Tiles::default() }),
            Self::NarrowJet => narrow(|tile| Tiles { narrow_jet: Some(tile), ..Tiles::default() }),
            Self::NarrowFunctional => narrow(|tile| Tiles { narrow_functional: Some(tile), ..Tiles::default() }),
            Self::NarrowStep => narrow(|tile| Tiles { narrow_step: Some(tile), ..Tiles::default() }),
            Self::WeightGradient => {
                let usual = default_splits(rows) as u32;
                let mut splits =
                    [usual / 2, usual, 2 * usual, 4 * usual].map(|splits| splits.clamp(1, MOST_SPLITS)).to_vec();
                splits.dedup();
                let tiles = GradientTile::sides()
                    .flat_map(|side| splits.iter().map(move |&splits| GradientTile { side, splits }));
                tiles.map(|tile| Tiles { weight_gradient: Some(tile), ..Tiles::default() }).collect()
            }
        }
    }
}

impl fmt::Display for TileRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
            Self::FunctionalForward => "functional forward",
            Self::FunctionalReverse => "functional reverse",
            Self::WeightGradient => "weight gradient",
            Self::NarrowJet => "narrow jet",
            Self::NarrowFunctional => "narrow functional",
            Self::NarrowStep => "narrow step",
        })
    }
}
