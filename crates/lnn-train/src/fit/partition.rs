//! How a batch is cut into blocks and groups: a function of sizes alone, never of the thread count.

use std::ops::Range;

use lnn_autodiff::MlpShape;

/// Above this many parameters the partial gradients' memory traffic outweighs finer groups: with four for a batch of
/// 512 instead of eight, two cores were 4 % faster.
const LARGE_NETWORK: usize = 100_000;

/// Cache of a core that the arrays of one layer of a block should fit into, in bytes: its second level and its share of
/// the third on the processors of these years.
///
/// A number of the engine and not of the machine at hand, since a run must repeat on another one. Little depends on it:
/// the rate of the bench `jets` is level within 4 % from 32 to 256 rows, at widths of 64 and of 500.
const CACHE: usize = 4 << 20;

/// Arrays of a layer in a training step: value, four derivatives' and slopes', tangents, coefficients and cotangents.
const CHANNELS: usize = 14;

/// Fewest and most rows of a block: fewer are no matrix for a product, more bring nothing.
const ROWS: [usize; 2] = [16, 128];

/// What of the networks decides how a batch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkSize {
    /// Trained numbers.
    pub parameters: usize,
    /// Bytes of one number of every unit of the widest layer.
    pub width_bytes: usize,
    /// Rows that the networks take at once for one row of the batch, at least 1: 1 for a state, its sites for a lattice.
    pub rows_per_sample: usize,
}

impl NetworkSize {
    /// The size of all networks of a model, whose numbers are of type `T`, with one row a sample.
    pub fn of<'a, T>(shapes: impl Iterator<Item = &'a MlpShape>) -> Self {
        let (mut parameters, mut width) = (0, 1);
        for shape in shapes {
            parameters += shape.parameter_count();
            width = shape.dimensions().iter().copied().fold(width, usize::max);
        }
        Self { parameters, width_bytes: width * size_of::<T>(), rows_per_sample: 1 }
    }

    /// Rows whose arrays of one layer fit into the cache, a power of two within [`ROWS`].
    fn most_rows(&self) -> usize {
        let rows = CACHE / (CHANNELS * self.width_bytes.max(1));
        (1 << rows.max(1).ilog2()).clamp(ROWS[0], ROWS[1])
    }
}

/// A batch cut into groups of blocks.
///
/// A block is what the engine computes at once. Its rows follow from the network's width: as many as let a layer's
/// arrays stay in cache, in whole samples. A group is a run of blocks with one partial gradient, summed in order; the
/// partial gradients are summed in group order.
/// Threads take groups, so the sum's order and thus every bit of the result is fixed by the batch and
/// the network alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    batch: usize,
    block_rows: usize,
    group_rows: usize,
}

impl Partition {
    /// The partition for batches of `batch` rows of a network of this size.
    pub fn new(batch: usize, network: NetworkSize) -> Self {
        Self::with_parts(batch, network, if network.parameters > LARGE_NETWORK { 4 } else { 16 })
    }

    /// As [`new`](Self::new), with up to `parts` groups; fewer where a block would have less than 16 rows of the network.
    ///
    /// # Panics
    /// If `parts` or the network's rows per sample are 0.
    pub fn with_parts(batch: usize, network: NetworkSize, parts: usize) -> Self {
        assert!(parts > 0, "a gradient has at least one part");
        let per_sample = network.rows_per_sample;
        let fewest = ROWS[0].div_ceil(per_sample);
        // A sample that is longer than a block should be is a block.
        let most = (network.most_rows() / per_sample).max(fewest);
        let block_rows = batch.div_ceil(parts).next_multiple_of(8_usize.div_ceil(per_sample)).clamp(fewest, most);
        let block_rows = block_rows.min(batch.max(1));
        let blocks = batch.div_ceil(block_rows);
        let group_rows = blocks.div_ceil(parts) * block_rows;
        Self { batch, block_rows, group_rows }
    }

    /// Most rows of a block.
    pub fn block_rows(&self) -> usize {
        self.block_rows
    }
    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.batch.div_ceil(self.group_rows)
    }
    /// The blocks of a group as ranges of the batch's rows.
    pub fn blocks(&self, group: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let (block_rows, start) = (self.block_rows, group * self.group_rows);
        let end = (start + self.group_rows).min(self.batch);
        (start..end).step_by(block_rows).map(move |first| first..(first + block_rows).min(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(parameters: usize, width_bytes: usize) -> NetworkSize {
        NetworkSize { parameters, width_bytes, rows_per_sample: 1 }
    }

    #[test]
    fn a_wider_network_has_blocks_of_fewer_rows_down_to_the_fewest() {
        let rows = |width: usize| Partition::with_parts(100_000, size(1, 4 * width), 1).block_rows();
        // 4 MiB / (14 · 4 B · width): 1170, 149, 124, 74, 37, 9.
        assert_eq!([64, 500, 600, 1000, 2000, 8000].map(rows), [128, 128, 64, 64, 32, 16]);
        let whole = CACHE / CHANNELS / 64;
        assert_eq!([whole, whole + 1].map(|bytes| size(1, bytes).most_rows()), [64, 32]);
    }

    #[test]
    fn blocks_of_long_samples_have_as_many_rows_of_the_network() {
        let samples = |batch, rows_per_sample| {
            let network = NetworkSize { rows_per_sample, ..size(1, 4 * 64) };
            let partition = Partition::new(batch, network);
            [partition.block_rows(), partition.groups()]
        };
        // Of 10 240 rows each: the fewest samples a part; the most rows; a sample that is too long.
        assert_eq!([samples(10_240, 1), samples(1024, 10), samples(64, 160)], [[128, 16], [12, 15], [1, 16]]);
        // Of few rows: the fewest a block has, in states and in lattices; what a part gets; all there are.
        assert_eq!(
            [samples(32, 1), samples(32, 5), samples(32, 20), samples(2, 5)],
            [[16, 2], [4, 8], [2, 16], [2, 1]]
        );
    }

    #[test]
    fn blocks_tile_every_batch_in_order() {
        let long = NetworkSize { rows_per_sample: 20, ..size(10, 400) };
        for network in [size(10, 4), size(1_000_000, 2000), long] {
            for batch in (1..200).chain([512, 513, 4096, 10_007]) {
                for (partition, most) in [
                    (Partition::new(batch, network), 16),
                    (Partition::with_parts(batch, network, 1), 1),
                    (Partition::with_parts(batch, network, 7), 7),
                    (Partition::with_parts(batch, network, 64), 64),
                ] {
                    let mut next = 0;
                    for group in 0..partition.groups() {
                        for block in partition.blocks(group) {
                            assert_eq!(block.start, next);
                            assert!(!block.is_empty() && block.len() <= partition.block_rows());
                            next = block.end;
                        }
                    }
                    assert_eq!(next, batch);
                    assert!(partition.groups() <= most);
                }
            }
        }
    }
}
