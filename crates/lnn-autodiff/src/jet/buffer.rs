//! Where the channels of a block lie in memory.

use std::ops::{Deref, DerefMut};

use super::elementwise::LANES;
use crate::Real;

/// Bytes to which a buffer's first number is aligned: a cache line, and the widest vector.
const ALIGNMENT: usize = 64;

/// Numbers from one row to the next of a hidden layer with `width` units.
///
/// Rows are padded to whole lane groups, so that no elementwise pass has a remainder. A distance of a multiple of
/// 1 KiB would put all rows of a column into a few sets of the first-level cache; one more group avoids it.
pub(super) fn row_stride<T>(width: usize) -> usize {
    let stride = width.next_multiple_of(LANES);
    if (stride * size_of::<T>()).is_multiple_of(1024) { stride + LANES } else { stride }
}

/// Zeros at an aligned address.
///
/// Padding of z, δ and the tangents stays zero. In arrays that layers of different stride share it holds what another
/// layer left; elementwise passes carry that along within the padding, and products read whole widths only.
#[derive(Debug)]
pub(super) struct Buffer<T> {
    data: Vec<T>,
    start: usize,
    length: usize,
}

/// How far `data` is from an aligned address. An allocator may refuse to say; unaligned is slower, not wrong, since
/// pulp's vectors have the alignment of their numbers.
fn offset<T>(data: &[T], spare: usize) -> usize {
    match data.as_ptr().align_offset(ALIGNMENT) {
        offset if offset <= spare => offset,
        _ => 0,
    }
}

impl<T: Real> Buffer<T> {
    pub(super) fn new(length: usize) -> Self {
        let spare = ALIGNMENT / size_of::<T>();
        let data = vec![T::ZERO; length + spare];
        Self { start: offset(&data, spare), data, length }
    }
}

impl<T: Clone> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        let mut data = self.data.clone();
        let start = offset(&data, data.len() - self.length);
        data.rotate_left(self.start);
        data.rotate_right(start);
        Self { data, start, length: self.length }
    }
}

impl<T> Deref for Buffer<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.data[self.start..self.start + self.length]
    }
}

impl<T> DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..self.start + self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_and_their_clones_start_on_a_cache_line() {
        for length in [0, 1, 15, 500, 4096] {
            let mut buffer = Buffer::<f32>::new(length);
            buffer.fill(3.0);
            let clone = buffer.clone();
            for copy in [&buffer, &clone] {
                assert_eq!(copy.as_ptr() as usize % ALIGNMENT, 0);
                assert_eq!(**copy, vec![3.0; length]);
            }
        }
    }

    #[test]
    fn rows_are_whole_groups_that_do_not_share_cache_sets() {
        for (width, single, double) in [(1, 16, 16), (16, 16, 16), (64, 64, 64), (128, 128, 144), (500, 528, 528)] {
            assert_eq!((row_stride::<f32>(width), row_stride::<f64>(width)), (single, double), "{width}");
        }
        assert_eq!(row_stride::<f32>(256), 272);
    }
}
