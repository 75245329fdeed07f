//! The seam of a cyclic band matrix: its last w unknowns as a border of the open rest.
//!
//! ```text
//! A = [ T  Bᵀ ]   T = L D Lᵀ,   G = B L⁻ᵀ,   S = C − G D⁻¹ Gᵀ
//!     [ B  C  ]
//! ```
//!
//! B couples the border to the first and to the last w unknowns of the rest. The rows of G start at the first and fade
//! at the rate at which a far site stops to matter; what is below ε² max|A| is set to zero, which changes A by less than
//! its own rounding, and the passes over G end there, to begin again where B sets in on the other side.

use lnn_autodiff::Real;

use super::definite::{PivotRule, SmallestPivot};

/// Where G is not zero: columns `0..head` and `tail..m`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Extent {
    head: usize,
    tail: usize,
}

/// Writes G `[m, w]`, column by column of T, from the factors `records` of T.
#[inline(always)]
pub(super) fn factor_border<T: Real>(w: usize, entries: &[T], records: &[T], rows: &mut [T], negligible: T) -> Extent {
    let m = records.len() / (w + 1);
    let tail = m.saturating_sub(w);
    let mut idle = 0;
    let mut head = 0;
    while head < m && !(idle == w && head >= w) {
        // In a short cycle the head meets the tail.
        idle = if column(w, m, entries, records, rows, head, head, negligible) { idle + 1 } else { 0 };
        head += 1;
    }
    let tail = tail.max(head);
    for k in tail..m {
        column(w, m, entries, records, rows, k, k - tail, negligible);
    }
    Extent { head, tail }
}

/// Column k of G, the `known` columns before it being there and further ones zero; whether all of it is zero.
#[inline(always)]
fn column<T: Real>(
    w: usize,
    m: usize,
    entries: &[T],
    records: &[T],
    rows: &mut [T],
    k: usize,
    known: usize,
    negligible: T,
) -> bool {
    let (before, rows) = rows.split_at_mut(k * w);
    let row = &mut rows[..w];
    for (j, g) in row.iter_mut().enumerate() {
        // B(j, k): across the seam for the first unknowns, within the band for the last.
        let mut coupling = T::ZERO;
        if k <= j {
            coupling += entries[(m + j) * (w + 1) + k + w - j];
        }
        if m + j - k <= w {
            coupling += entries[k * (w + 1) + m + j - k];
        }
        *g = coupling;
    }
    for distance in 1..=w.min(known) {
        let multiplier = records[(k - distance) * (w + 1) + distance];
        let earlier = &before[(k - distance) * w..][..w];
        for (g, &earlier) in row.iter_mut().zip(earlier) {
            *g -= earlier * multiplier;
        }
    }
    let mut zero = true;
    for g in row {
        if g.abs() <= negligible {
            *g = T::ZERO;
        } else {
            zero = false;
        }
    }
    zero
}

/// Factors `S = C − G D⁻¹ Gᵀ` into `corner` `[w, w]`: rows of L, with 1/d on the diagonal.
///
/// # Errors
/// The first pivot that breaks the rule.
pub(super) fn factor_corner<T: Real>(
    w: usize,
    entries: &[T],
    records: &[T],
    rows: &[T],
    extent: Extent,
    corner: &mut [T],
    rule: PivotRule<T>,
    smallest: &mut SmallestPivot<T>,
) -> Result<(), SmallestPivot<T>> {
    let m = records.len() / (w + 1);
    for i in 0..w {
        for j in i..w {
            corner[j * w + i] = entries[(m + i) * (w + 1) + j - i];
        }
    }
    for k in (0..extent.head).chain(extent.tail..m) {
        let row = &rows[k * w..][..w];
        let inverse = records[k * (w + 1)];
        for j in 0..w {
            let scaled = row[j] * inverse;
            for i in 0..=j {
                corner[j * w + i] -= scaled * row[i];
            }
        }
    }
    for k in 0..w {
        let pivot = corner[k * w + k];
        if !rule.admits(pivot) {
            return Err(SmallestPivot { unknown: m + k, value: pivot });
        }
        smallest.meet(m + k, pivot);
        let inverse = T::ONE / pivot;
        corner[k * w + k] = inverse;
        for j in k + 1..w {
            let multiplier = corner[j * w + k] * inverse;
            for i in k + 1..=j {
                // Column k below the diagonal is divided by the pivot only when its last row is done.
                let other = if i == j { corner[j * w + k] } else { corner[i * w + k] * pivot };
                corner[j * w + i] -= multiplier * other;
            }
            corner[j * w + k] = multiplier;
        }
    }
    Ok(())
}

/// Between the substitutions of T: solves for the border's unknowns `seam` `[w]` and takes them out of `x` `[m]`, which
/// holds `L⁻¹ b`.
pub(super) fn substitute_border<T: Real>(
    w: usize,
    records: &[T],
    rows: &[T],
    extent: Extent,
    corner: &[T],
    x: &mut [T],
    seam: &mut [T],
) {
    let m = x.len();
    let coupled = || (0..extent.head).chain(extent.tail..m);
    for k in coupled() {
        let scaled = x[k] * records[k * (w + 1)];
        for (seam, &g) in seam.iter_mut().zip(&rows[k * w..][..w]) {
            *seam -= g * scaled;
        }
    }
    for j in 0..w {
        for i in 0..j {
            seam[j] -= corner[j * w + i] * seam[i];
        }
    }
    for j in (0..w).rev() {
        seam[j] *= corner[j * w + j];
        for i in j + 1..w {
            seam[j] -= corner[i * w + j] * seam[i];
        }
    }
    for k in coupled() {
        for (&seam, &g) in seam.iter().zip(&rows[k * w..][..w]) {
            x[k] -= g * seam;
        }
    }
}
