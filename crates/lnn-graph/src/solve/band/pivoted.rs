//! `L U` with partial pivoting of a band matrix, for what is indefinite; the method of LAPACK's `gbtrf`, row by row.

use lnn_autodiff::Real;

use super::BandShape;
use super::definite::SmallestPivot;

/// The order of the unknowns and the room that fill-in needs.
///
/// A cyclic matrix is folded: in the order 0, n − 1, 1, n − 2, … neighbours across the seam lie side by side, and
/// neighbours at distance o lie at most 2 o apart; so it is an open band matrix of twice the half-bandwidth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    dimension: usize,
    /// Half-bandwidth K in this order.
    half_bandwidth: usize,
    folded: bool,
}

impl Layout {
    pub(super) fn new(shape: BandShape) -> Self {
        let (n, w) = (shape.dimension(), shape.half_bandwidth());
        let folded = shape.is_cyclic() && !shape.wraps_on_itself();
        let half_bandwidth = match () {
            () if folded => 2 * w,
            () if shape.is_cyclic() => n - 1,
            () => w,
        };
        Self { dimension: n, half_bandwidth: half_bandwidth.min(n - 1), folded }
    }

    /// Products that meet in an entry, and one.
    pub(super) fn terms(self) -> usize {
        self.half_bandwidth + 1
    }

    /// Length of the factors of one matrix: row k holds columns k − K to k + 2K, of which the last K are fill-in.
    pub(super) fn factor_count(self) -> usize {
        self.dimension * self.row_length()
    }

    fn row_length(self) -> usize {
        3 * self.half_bandwidth + 1
    }

    /// Where an unknown stands in the order.
    fn place(self, unknown: usize) -> usize {
        match self.folded {
            false => unknown,
            true if 2 * unknown < self.dimension => 2 * unknown,
            true => 2 * (self.dimension - 1 - unknown) + 1,
        }
    }

    /// The unknown that stands at a place.
    fn unknown(self, place: usize) -> usize {
        match (self.folded, place % 2) {
            (false, _) => place,
            (true, 0) => place / 2,
            (true, _) => self.dimension - 1 - place / 2,
        }
    }

    /// Writes the matrix into `rows`.
    pub(super) fn scatter<T: Real>(self, shape: BandShape, entries: &[T], rows: &mut [T]) {
        rows.fill(T::ZERO);
        let (length, reach) = (self.row_length(), self.half_bandwidth);
        shape.for_each_slot(|i, j, slot| {
            let (row, column) = (self.place(i), self.place(j));
            rows[row * length + column + reach - row] += entries[slot];
            if slot % (shape.half_bandwidth() + 1) > 0 {
                rows[column * length + row + reach - column] += entries[slot];
            }
        });
    }

    /// Factors `rows` in place; `interchanges` `[n]` are the rows taken as pivots.
    ///
    /// # Errors
    /// The first unknown whose pivot is at or below `noise`, or not finite.
    pub(super) fn factor<T: Real>(
        self,
        rows: &mut [T],
        interchanges: &mut [usize],
        noise: T,
    ) -> Result<SmallestPivot<T>, SmallestPivot<T>> {
        let (n, reach, length) = (self.dimension, self.half_bandwidth, self.row_length());
        let mut smallest = SmallestPivot::none();
        for k in 0..n {
            let below = (k + reach).min(n - 1);
            let (mut chosen, mut magnitude) = (k, T::ZERO);
            for row in k..=below {
                let candidate = rows[row * length + k + reach - row].abs();
                // A NaN is taken and then refused.
                if candidate > magnitude || !candidate.is_finite() {
                    (chosen, magnitude) = (row, candidate);
                }
            }
            let pivot = rows[chosen * length + k + reach - chosen];
            if !(magnitude > noise && magnitude.is_finite()) {
                return Err(SmallestPivot { unknown: self.unknown(k), value: pivot });
            }
            smallest.meet(self.unknown(k), pivot);
            interchanges[k] = chosen;
            let columns = (k + 2 * reach).min(n - 1) + 1 - k;
            let (upper, lower) = rows.split_at_mut((k + 1) * length);
            let upper = &mut upper[k * length + reach..][..columns];
            if chosen > k {
                let other = &mut lower[(chosen - k - 1) * length + k + reach - chosen..][..columns];
                upper.swap_with_slice(other);
            }
            for (row, lower) in (k + 1..=below).zip(lower.chunks_exact_mut(length)) {
                let lower = &mut lower[k + reach - row..][..columns];
                let multiplier = lower[0] / pivot;
                lower[0] = multiplier;
                if multiplier != T::ZERO {
                    for (lower, &upper) in lower[1..].iter_mut().zip(&upper[1..]) {
                        *lower -= multiplier * upper;
                    }
                }
            }
        }
        Ok(smallest)
    }

    /// `x ← A⁻¹ x`.
    pub(super) fn solve_in_place<T: Real>(self, rows: &[T], interchanges: &[usize], x: &mut [T]) {
        let (n, reach, length) = (self.dimension, self.half_bandwidth, self.row_length());
        for k in 0..n {
            x.swap(self.unknown(k), self.unknown(interchanges[k]));
            let known = x[self.unknown(k)];
            for row in k + 1..=(k + reach).min(n - 1) {
                let multiplier = rows[row * length + k + reach - row];
                let target = &mut x[self.unknown(row)];
                *target -= multiplier * known;
            }
        }
        for k in (0..n).rev() {
            let row = &rows[k * length + reach..];
            let mut sum = x[self.unknown(k)];
            for column in k + 1..=(k + 2 * reach).min(n - 1) {
                sum -= row[column - k] * x[self.unknown(column)];
            }
            x[self.unknown(k)] = sum / row[0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_brings_neighbours_across_the_seam_together() {
        for (n, w) in [(3, 1), (5, 2), (6, 2), (7, 3), (8, 3), (11, 2), (64, 4)] {
            let shape = BandShape::cyclic(n, w);
            let layout = Layout::new(shape);
            assert!(layout.folded);
            let mut farthest = 0;
            for unknown in 0..n {
                assert_eq!(layout.unknown(layout.place(unknown)), unknown);
                assert!(layout.place(unknown) < n);
            }
            shape.for_each_slot(|i, j, _| farthest = farthest.max(layout.place(i).abs_diff(layout.place(j))));
            assert_eq!(farthest, layout.half_bandwidth, "n = {n}, w = {w}");
        }
    }
}
