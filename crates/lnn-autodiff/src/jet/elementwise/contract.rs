//! Second derivatives as weighted dot products of tangents.

use super::{LANES, each, groups, sum_of_lanes};
use crate::Real;
use crate::vectorised::vectorised;

/// Pairs whose sums are kept in registers at once.
const PAIRS: usize = 8;

/// `out[r, p] += Σ_n g[r, n] ż^i[r, n] ż^j[r, n]` with g = δ ⊙ σ″, for each pair p = (i, j).
///
/// `delta` and `second` are `[rows, stride]`, `tangents` is `[t, rows, stride]`. Padding adds nothing: the tangents
/// there are zero.
pub(in crate::jet) fn contract_pairs<T: Real>(
    out: &mut [T],
    delta: &[T],
    second: &[T],
    tangents: &[T],
    pairs: &[(usize, usize)],
    stride: usize,
) {
    let mut place = 0;
    for part in pairs.chunks(PAIRS) {
        let call = Contraction { out, delta, second, tangents, pairs: part, place, count: pairs.len(), stride };
        call.run();
        place += part.len();
    }
}

/// Up to [`PAIRS`] pairs, the first of them number `place` of `count`.
struct Contraction<'a, T> {
    out: &'a mut [T],
    delta: &'a [T],
    second: &'a [T],
    tangents: &'a [T],
    pairs: &'a [(usize, usize)],
    place: usize,
    count: usize,
    stride: usize,
}

impl<T: Real> Contraction<'_, T> {
    fn run(self) {
        macro_rules! with_pairs {
            ($($n:literal)*) => {
                match self.pairs.len() {
                    $($n => vectorised(self, #[inline(always)] |pass| pass.kernel::<$n>()),)*
                    n => unreachable!("a part has 1 to {PAIRS} pairs, not {n}"),
                }
            };
        }
        with_pairs!(1 2 3 4 5 6 7 8);
    }

    #[inline(always)]
    fn kernel<const N: usize>(self) {
        let (delta, second, tangents) = (groups(self.delta), groups(self.second), groups(self.tangents));
        let channel = delta.len();
        let columns = self.stride / LANES;
        let (left, right): ([&[_]; N], [&[_]; N]) = {
            let tangent = |direction: usize| &tangents[direction * channel..(direction + 1) * channel];
            let pairs = self.pairs;
            (std::array::from_fn(|p| tangent(pairs[p].0)), std::array::from_fn(|p| tangent(pairs[p].1)))
        };
        for (row, out) in self.out.chunks_exact_mut(self.count).enumerate() {
            let mut sums = [[T::ZERO; LANES]; N];
            for at in row * columns..(row + 1) * columns {
                let (delta, second) = (delta[at], second[at]);
                let weight = each(|lane| delta[lane] * second[lane]);
                for p in 0..N {
                    let (left, right, sum) = (left[p][at], right[p][at], sums[p]);
                    sums[p] = each(|lane| sum[lane] + weight[lane] * (left[lane] * right[lane]));
                }
            }
            for (out, sums) in out[self.place..self.place + N].iter_mut().zip(sums) {
                *out += sum_of_lanes(sums);
            }
        }
    }
}
