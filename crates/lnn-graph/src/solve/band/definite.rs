//! `T = L D Lᵀ` of an open band matrix in the natural order, without pivoting.
//!
//! The loops are written for any half-bandwidth w and compiled once more for each small one, where they unroll and their
//! windows live in registers. What a step hands on to the next is kept out of the windows, since the time of a site is
//! the latency of that chain: a division, two products and a difference.

use lnn_autodiff::Real;

use super::super::Pivot;

/// Calls a kernel with a half-bandwidth known to the compiler where it is a common one: 1 and 2 of scalar fields, 3 and
/// 5 of two and three components with a reach of one site, 5 and 8 of a reach of two. `window` is workspace for the
/// kernel, `w² + w + 1` long, in the caller's memory for other half-bandwidths.
macro_rules! with_half_bandwidth {
    ($w:expr, $workspace:expr, |$known:ident, $window:ident| $call:expr) => {{
        macro_rules! known {
            ($constant:literal) => {{
                #[allow(non_upper_case_globals)] // It stands for the variable of the other arm.
                const $known: usize = $constant;
                let $window = &mut [T::ZERO; $constant * $constant + $constant + 1][..];
                $call
            }};
        }
        match $w {
            0 => known!(0),
            1 => known!(1),
            2 => known!(2),
            3 => known!(3),
            5 => known!(5),
            8 => known!(8),
            $known => {
                let $window = &mut $workspace[..];
                $window.fill(T::ZERO);
                $call
            }
        }
    }};
}
pub(super) use with_half_bandwidth;

/// What pivots must be: on one side of zero, and above noise.
#[derive(Clone, Copy, Debug)]
pub(super) struct PivotRule<T> {
    /// 1 or −1: the sign of all pivots.
    pub(super) sign: T,
    /// Magnitude at or below which a pivot is noise.
    pub(super) noise: T,
}

impl<T: Real> PivotRule<T> {
    #[inline(always)]
    pub(super) fn admits(self, pivot: T) -> bool {
        let magnitude = pivot * self.sign;
        // False for NaN.
        magnitude > self.noise && magnitude.is_finite()
    }
}

/// A pivot, with the unknown it belongs to: the smallest by magnitude, or the one that broke the rule.
#[derive(Clone, Copy, Debug)]
pub(super) struct SmallestPivot<T> {
    pub(super) unknown: usize,
    pub(super) value: T,
}

impl<T: Real> SmallestPivot<T> {
    /// Before any pivot.
    pub(super) fn none() -> Self {
        Self { unknown: 0, value: T::from_f64(f64::INFINITY) }
    }

    #[inline(always)]
    pub(super) fn meet(&mut self, unknown: usize, value: T) {
        if value.abs() < self.value.abs() {
            (self.unknown, self.value) = (unknown, value);
        }
    }
}

impl<T: Real> From<SmallestPivot<T>> for Pivot {
    fn from(pivot: SmallestPivot<T>) -> Self {
        Self { unknown: pivot.unknown, value: pivot.value.to_f64() }
    }
}

/// Factors the leading `m × m` block of `entries` as an open matrix into `records` `[m, 1 + w]`: 1/d_k, then column k of L
/// below the diagonal.
///
/// # Errors
/// The first pivot that breaks the rule.
#[inline(always)]
pub(super) fn factor_open<T: Real>(
    w: usize,
    entries: &[T],
    records: &mut [T],
    rule: PivotRule<T>,
    window: &mut [T],
) -> Result<SmallestPivot<T>, SmallestPivot<T>> {
    let m = records.len() / (w + 1);
    let (row, updates) = window.split_at_mut(w + 1);
    let updates = &mut updates[..w * w];
    let mut smallest = SmallestPivot::none();
    let mut last = T::ZERO;
    let whole = m.saturating_sub(w);
    let columns = entries.chunks_exact(w + 1).zip(records.chunks_exact_mut(w + 1)).enumerate();
    for (k, (entries, record)) in columns {
        row.copy_from_slice(entries);
        if k >= whole {
            // These reach past the block: into the border, or into nothing.
            row[m - k..].fill(T::ZERO);
        }
        let pivot = eliminate(w, row, updates, &mut last, record);
        if !rule.admits(pivot) {
            return Err(SmallestPivot { unknown: k, value: pivot });
        }
        smallest.meet(k, pivot);
    }
    Ok(smallest)
}

/// One column: `row` holds row k of A from the diagonal on, `updates` `[w, w]` what the columns before subtract from
/// rows k.. and columns k.. (upper triangle), but for the newest column's share of the diagonal, which is `last`.
#[inline(always)]
fn eliminate<T: Real>(w: usize, row: &mut [T], updates: &mut [T], last: &mut T, record: &mut [T]) -> T {
    let (row, updates, record) = (&mut row[..w + 1], &mut updates[..w * w], &mut record[..w + 1]);
    for o in 0..w {
        row[o] += updates[o];
    }
    let pivot = row[0] - *last;
    let inverse = T::ONE / pivot;
    record[0] = inverse;
    for o in 1..=w {
        record[o] = row[o] * inverse;
    }
    if w > 0 {
        *last = record[1] * row[1];
    }
    for a in 0..w {
        for b in a..w {
            let carried = if b + 1 < w { updates[(a + 1) * w + b + 1] } else { T::ZERO };
            updates[a * w + b] = if b == 0 { carried } else { carried - record[a + 1] * row[b + 1] };
        }
    }
    pivot
}

/// `x ← L⁻¹ x`, x `[m]`.
#[inline(always)]
pub(super) fn substitute_forward<T: Real>(w: usize, records: &[T], x: &mut [T], window: &mut [T]) {
    if w == 0 {
        return;
    }
    let updates = &mut window[..w];
    let mut last = T::ZERO;
    for (x, record) in x.iter_mut().zip(records.chunks_exact(w + 1)) {
        let y = (*x + updates[0]) - last;
        *x = y;
        for a in 0..w {
            let carried = if a + 1 < w { updates[a + 1] } else { T::ZERO };
            updates[a] = if a == 0 { carried } else { carried - record[a + 1] * y };
        }
        last = record[1] * y;
    }
}

/// `x ← L⁻ᵀ D⁻¹ x`, x `[m]`.
#[inline(always)]
pub(super) fn substitute_backward<T: Real>(w: usize, records: &[T], x: &mut [T], window: &mut [T]) {
    let later = &mut window[..w];
    for (x, record) in x.iter_mut().rev().zip(records.rchunks_exact(w + 1)) {
        let mut sum = *x * record[0];
        // The newest last: it is what the next step waits for.
        for o in (0..w).rev() {
            sum -= record[o + 1] * later[o];
        }
        *x = sum;
        for o in (1..w).rev() {
            later[o] = later[o - 1];
        }
        if w > 0 {
            later[0] = sum;
        }
    }
}
