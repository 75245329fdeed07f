//! How a batch is cut into blocks and groups: a function of sizes alone, never of the thread count.

use std::ops::Range;

/// Above this many parameters the partial gradients' memory traffic outweighs finer groups: with four for a batch of
/// 512 instead of eight, two cores were 4 % faster.
const LARGE_NETWORK: usize = 100_000;

/// A batch cut into groups of blocks.
///
/// A block is what the engine computes at once. Its rows follow from the network's width: enough that a layer's
/// products are deep, few enough that a layer's arrays stay in cache. The bench `jets` shows the rate over the rows; it
/// is level within 4 % from 32 to 256, so that the cache sizes of the machine at hand would decide nothing, while a
/// run that they cut would not repeat elsewhere. A group is a run of
/// blocks with one partial gradient, summed in order; the partial gradients are summed in group order.
/// Threads take groups, so the sum's order and thus every bit of the result is fixed by the batch and
/// the network alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    batch: usize,
    block_rows: usize,
    group_rows: usize,
}

impl Partition {
    /// The partition for batches of `batch` rows of a network with `parameters` parameters.
    pub fn new(batch: usize, parameters: usize) -> Self {
        Self::with_parts(batch, parameters, if parameters > LARGE_NETWORK { 4 } else { 16 })
    }

    /// As [`new`](Self::new), with up to `parts` groups; fewer where a block would have less than 16 rows.
    ///
    /// # Panics
    /// If `parts` is 0.
    pub fn with_parts(batch: usize, parameters: usize, parts: usize) -> Self {
        assert!(parts > 0, "a gradient has at least one part");
        let most_rows = if parameters > LARGE_NETWORK { 128 } else { 64 };
        let block_rows = batch.div_ceil(parts).next_multiple_of(8).clamp(16, most_rows).min(batch.max(1));
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

    #[test]
    fn blocks_tile_every_batch_in_order() {
        for parameters in [10, 1_000_000] {
            for batch in (1..200).chain([512, 513, 4096, 10_007]) {
                for (partition, most) in [
                    (Partition::new(batch, parameters), 16),
                    (Partition::with_parts(batch, parameters, 1), 1),
                    (Partition::with_parts(batch, parameters, 7), 7),
                    (Partition::with_parts(batch, parameters, 64), 64),
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
