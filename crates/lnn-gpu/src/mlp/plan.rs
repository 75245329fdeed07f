//! Constants of the kernels of a network, and a planned dispatch.

use bytemuck::{Pod, Zeroable};

use super::tiles::{ENOUGH_WORKGROUPS, ProductTile, Tile};
use crate::device::{AdapterSummary, Argument, BoundKernel, Device, DeviceError, Recorder};
use crate::kernels::{KernelFamily, KernelSource};

/// A kernel with its buffers, its constants and its number of workgroups.
#[derive(Debug)]
pub(super) struct Dispatch {
    kernel: BoundKernel,
    workgroups: [u32; 3],
    /// Whether they may be folded into two dimensions.
    linear: bool,
}

impl Dispatch {
    /// Plans a kernel with `constants` as its first binding and `arguments` as the others.
    pub(super) fn plan<T: Pod>(
        device: &Device,
        (source, overrides): (&'static KernelSource, &[(&str, f64)]),
        constants: T,
        arguments: &[Argument<'_>],
        workgroups: [u32; 3],
    ) -> Result<Self, DeviceError> {
        Self::plan_records(device, (source, overrides), &[constants], arguments, workgroups)
    }

    fn plan_records<T: Pod>(
        device: &Device,
        (source, overrides): (&'static KernelSource, &[(&str, f64)]),
        records: &[T],
        arguments: &[Argument<'_>],
        workgroups: [u32; 3],
    ) -> Result<Self, DeviceError> {
        let uniforms = device.uniforms::<T>(source.name, records.len())?;
        device.upload_uniforms(&uniforms, 0, records)?;
        let arguments = [&[(&uniforms).into()], arguments].concat();
        let kernel = device.kernel(source, overrides)?.bind(device, &arguments)?;
        Ok(Self { kernel, workgroups, linear: false })
    }

    /// As [`plan`](Self::plan), for a kernel that numbers its workgroups in one dimension.
    pub(super) fn plan_linear<T: Pod>(
        device: &Device,
        source: (&'static KernelSource, &[(&str, f64)]),
        constants: T,
        arguments: &[Argument<'_>],
        workgroups: u32,
    ) -> Result<Self, DeviceError> {
        Self::plan_linear_records(device, source, &[constants], arguments, workgroups)
    }

    /// As [`plan_linear`](Self::plan_linear), with several records of constants to choose from.
    pub(super) fn plan_linear_records<T: Pod>(
        device: &Device,
        source: (&'static KernelSource, &[(&str, f64)]),
        records: &[T],
        arguments: &[Argument<'_>],
        workgroups: u32,
    ) -> Result<Self, DeviceError> {
        let plan = Self::plan_records(device, source, records, arguments, [workgroups, 1, 1])?;
        Ok(Self { linear: true, ..plan })
    }

    /// The kernel's entry point.
    pub(super) fn entry(&self) -> &'static str {
        self.kernel.source.entry
    }

    pub(super) fn record(&self, recorder: &mut Recorder) {
        self.record_with(recorder, 0);
    }

    /// With record number `record` of its constants.
    pub(super) fn record_with(&self, recorder: &mut Recorder, record: usize) {
        if self.linear {
            recorder.dispatch_linear(&self.kernel, self.workgroups[0], record);
        } else {
            recorder.dispatch_record(&self.kernel, self.workgroups, record);
        }
    }
}

/// Constants of the layer products, as in `shaders/shared/layer_product.wgsl`.
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub(super) struct LayerConstants {
    pub(super) rows: u32,
    pub(super) depth: u32,
    pub(super) depth4: u32,
    pub(super) width: u32,
    pub(super) width4: u32,
    pub(super) weight: u32,
    pub(super) bias: u32,
    pub(super) input_start: u32,
    pub(super) linear: u32,
    pub(super) tangents: u32,
    pub(super) bar_start: u32,
}

impl LayerConstants {
    /// The variant of a product's kernel with this tile, or with one for its size, and the workgroups that cover it.
    ///
    /// Up to 64 columns a tile of 128 would be half empty.
    ///
    /// # Errors
    /// There are too many channels, or there is no such tile.
    pub(super) fn tiles(
        &self,
        family: &'static KernelFamily,
        channels: usize,
        chosen: Option<ProductTile>,
        adapter: &AdapterSummary,
    ) -> Result<(&'static KernelSource, [u32; 3]), DeviceError> {
        let serves = |source: &KernelSource| source.constant("CHANNELS") == Some(channels as u32);
        let workgroups = |tile: ProductTile| {
            let ProductTile { samples, columns } = tile;
            [self.rows.div_ceil(16 * samples), self.width.div_ceil(columns), 1]
        };
        let narrow = self.width <= 64;
        let tile = match chosen {
            Some(tile) => ProductTile { columns: if narrow { 64 } else { tile.columns }, ..tile },
            // The largest of which there are enough, or the smallest.
            None => {
                let has_room = |source: &&KernelSource| source.workgroup_memory <= adapter.workgroup_memory;
                let sources = family.variants.iter().filter(|source| serves(source)).filter(has_room);
                let tiles = sources.filter_map(ProductTile::of);
                let fits =
                    |tile: &ProductTile| tile.samples <= usual_samples(channels) && (tile.columns == 64 || !narrow);
                let best = tiles.filter(fits).max_by_key(|tile| {
                    let size = i64::from(tile.samples * tile.columns);
                    let enough = workgroups(*tile).iter().product::<u32>() as usize >= ENOUGH_WORKGROUPS;
                    (if enough { size } else { -size }, tile.samples)
                });
                best.ok_or_else(|| DeviceError::NoKernel {
                    kernel: family.name,
                    wanted: format!("{} tangents", channels - 1),
                    offered: "up to 9",
                })?
            }
        };
        Ok((tile.find(family, serves)?, workgroups(tile)))
    }
}

/// Samples of a thread in a product of so many channels, unless fewer make enough workgroups: as many as leave its sums in
/// registers.
const fn usual_samples(channels: usize) -> u32 {
    match channels {
        1 => 8,
        2 => 4,
        3 => 3,
        4 | 5 => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::AdapterKind;
    use crate::kernels;

    fn adapter(workgroup_memory: u32) -> AdapterSummary {
        AdapterSummary {
            name: String::new(),
            kind: AdapterKind::Other,
            backend: String::new(),
            driver: String::new(),
            largest_buffer: 0,
            largest_binding: 0,
            workgroup_memory,
            workgroup_invocations: 256,
            storage_buffers: 8,
            subgroup_sizes: [1, 1],
            timestamps: false,
            float64: false,
            subgroup: false,
        }
    }

    fn tile(rows: u32, width: u32, channels: usize, memory: u32) -> (ProductTile, [u32; 3]) {
        let product = LayerConstants { rows, width, ..LayerConstants::default() };
        let (source, workgroups) =
            product.tiles(&kernels::LAYER_FORWARD, channels, None, &adapter(memory)).expect("there is one");
        assert!(source.workgroup_memory <= memory, "{}", source.name);
        (ProductTile::of(source).expect("it has tiles"), workgroups)
    }

    #[test]
    fn large_products_have_large_tiles_and_small_ones_enough_of_them() {
        assert_eq!(tile(4096, 500, 4, 48 << 10), (ProductTile { samples: 2, columns: 128 }, [128, 4, 1]));
        assert_eq!(tile(4096, 500, 1, 48 << 10), (ProductTile { samples: 8, columns: 128 }, [32, 4, 1]));
        // In tiles of 128 units there would be 64 workgroups.
        assert_eq!(tile(512, 500, 4, 48 << 10), (ProductTile { samples: 2, columns: 64 }, [16, 8, 1]));
        // However small, one of them.
        assert_eq!(tile(5, 500, 1, 48 << 10), (ProductTile { samples: 2, columns: 64 }, [1, 8, 1]));
        assert_eq!(tile(1 << 20, 64, 1, 48 << 10).0.columns, 64);
    }

    #[test]
    fn every_adapter_has_room_for_some_tile() {
        for channels in 1..=10 {
            for (rows, width) in [(1 << 16, 1000), (40, 30)] {
                tile(rows, width, channels, 16 << 10);
            }
        }
    }
}
