//! From a tile to the kernel's variant that has it.

use std::fmt;

use super::{GradientTile, MOST_SPLITS, NarrowTile, ProductTile};
use crate::device::DeviceError;
use crate::kernels::{self, KernelFamily, KernelSource};

/// What a variant's constants say of its tile.
pub(in crate::mlp) trait Tile: Copy + PartialEq + fmt::Display {
    /// The tile of a variant, or nothing for one without tiles.
    fn of(source: &KernelSource) -> Option<Self>;

    /// The variant with this tile among those that serve.
    fn find(
        self,
        family: &'static KernelFamily,
        serves: impl Fn(&KernelSource) -> bool,
    ) -> Result<&'static KernelSource, DeviceError> {
        let serving = || family.variants.iter().filter(|source| serves(source));
        serving().find(|source| Self::of(source) == Some(self)).ok_or_else(|| {
            let offered = serving().filter_map(Self::of).map(|tile| tile.to_string());
            no_tile(family, self, offered.collect())
        })
    }
}

fn no_tile(family: &KernelFamily, tile: impl fmt::Display, offered: Vec<String>) -> DeviceError {
    DeviceError::NoTile { kernel: family.name, tile: tile.to_string(), offered: offered.join("; ") }
}

impl Tile for ProductTile {
    fn of(source: &KernelSource) -> Option<Self> {
        Some(Self { samples: source.constant("SAMPLES")?, columns: source.constant("COLUMNS")? })
    }
}

impl Tile for NarrowTile {
    fn of(source: &KernelSource) -> Option<Self> {
        Some(Self { samples: source.constant("SAMPLES")?, depth: 4 * source.constant("DEPTH4")? })
    }
}

impl GradientTile {
    /// The sides that there are kernels for.
    pub(super) fn sides() -> impl Iterator<Item = u32> {
        kernels::WEIGHT_GRADIENT.variants.iter().filter_map(|source| source.constant("SIDE"))
    }

    /// The variant of this side.
    pub(in crate::mlp) fn find(self) -> Result<&'static KernelSource, DeviceError> {
        let family = &kernels::WEIGHT_GRADIENT;
        let source = family.variant(&[("SIDE", self.side)]);
        source.filter(|_| (1..=MOST_SPLITS).contains(&self.splits)).ok_or_else(|| {
            let offered = Self::sides().map(|side| format!("{side} × {side} units, 1 to {MOST_SPLITS} splits"));
            no_tile(family, self, offered.collect())
        })
    }
}

impl fmt::Display for ProductTile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} samples × {} units", 16 * u64::from(self.samples), self.columns)
    }
}

impl fmt::Display for GradientTile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { side, splits } = self;
        let parts = if *splits == 1 { "split" } else { "splits" };
        write!(formatter, "{side} × {side} units, {splits} {parts}")
    }
}

impl fmt::Display for NarrowTile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} samples, {} rows of a weight", self.samples, self.depth)
    }
}
