//! `∇²f`, whole or some rows: one forward-over-reverse sweep a row.

use std::ops::Range;

use super::workspace::{DualVar, HessianWorkspace, assert_len};
use crate::Dual;

/// The value, gradient and Hessian of a scalar function.
///
/// Returns `(f(x), ∇f(x), ∇²f(x))`, the gradient `[n]` and the Hessian `[n, n]` row-major, by `n`
/// forward-over-reverse sweeps. The two triangles are computed independently and so agree only to
/// rounding.
///
/// ```
/// use lnn_autodiff::{Scalar, hessian};
///
/// let (value, gradient, hessian) = hessian(|x| x[0].square() * x[1], &[3.0, 4.0]);
/// assert_eq!(value, 36.0);
/// assert_eq!(gradient, [24.0, 9.0]);
/// assert_eq!(hessian, [8.0, 6.0, 6.0, 0.0]);
/// ```
pub fn hessian<F>(f: F, x: &[f64]) -> (f64, Vec<f64>, Vec<f64>)
where
    F: for<'t> Fn(&[DualVar<'t>]) -> DualVar<'t>,
{
    let n = x.len();
    let mut gradient = vec![0.0; n];
    let mut hessian = vec![0.0; n * n];
    let mut workspace = HessianWorkspace::new();
    let value = hessian_in_place(f, x, &mut gradient, &mut hessian, &mut workspace);
    (value, gradient, hessian)
}

/// [`hessian`] into the caller's memory; returns `f(x)`.
///
/// `gradient` has shape `[n]`, `hessian` `[n, n]` row-major; both are overwritten.
///
/// # Panics
/// When a slice has another length.
///
/// ```
/// use lnn_autodiff::{HessianWorkspace, Scalar, hessian_in_place};
///
/// let mut workspace = HessianWorkspace::new();
/// let (mut gradient, mut hessian) = ([f64::NAN; 2], [f64::NAN; 4]);
/// let value = hessian_in_place(
///     |x| x[0] * x[1] + x[1].powi(2), &[3.0, 4.0], &mut gradient, &mut hessian, &mut workspace,
/// );
/// assert_eq!((value, gradient, hessian), (28.0, [4.0, 11.0], [0.0, 1.0, 1.0, 2.0]));
/// ```
pub fn hessian_in_place<F>(
    f: F,
    x: &[f64],
    gradient: &mut [f64],
    hessian: &mut [f64],
    workspace: &mut HessianWorkspace,
) -> f64
where
    F: for<'t> Fn(&[DualVar<'t>]) -> DualVar<'t>,
{
    assert_len("hessian", hessian.len(), x.len() * x.len(), "n²");
    hessian_rows_in_place(f, x, 0..x.len(), gradient, hessian, workspace)
}

/// Some rows of the Hessian, with value and gradient, into the caller's memory; returns `f(x)`.
///
/// `block[k, j] = ∂²f/∂x_{rows.start + k} ∂x_j`, shape `[rows.len(), n]` row-major; `gradient` has
/// shape `[n]`. Both are overwritten. One forward-over-reverse sweep per row, and a single one for an
/// empty range.
///
/// This is what an Euler–Lagrange equation needs. With `x = (q, q̇)` and the rows `d..2d` of the
/// Lagrangian, `block = [∂²L/∂q̇∂q | ∂²L/∂q̇∂q̇]`: the mixed Jacobian and the mass matrix in `d` sweeps,
/// with `∂L/∂q` and the momentum `∂L/∂q̇` in `gradient`.
///
/// # Panics
/// When `rows` ends past `n`, or a slice has another length.
///
/// ```
/// use lnn_autodiff::{HessianWorkspace, Scalar, hessian_rows_in_place};
///
/// // L = ½ (1 + q²) q̇² at q = 2, q̇ = 3: mass 1 + q² = 5, mixed 2 q q̇ = 12.
/// let mut workspace = HessianWorkspace::new();
/// let (mut gradient, mut block) = ([f64::NAN; 2], [f64::NAN; 2]);
/// let value = hessian_rows_in_place(
///     |x| (x[0].square() + 1.0) * x[1].square() * 0.5,
///     &[2.0, 3.0], 1..2, &mut gradient, &mut block, &mut workspace,
/// );
/// assert_eq!(value, 22.5);
/// assert_eq!(gradient, [18.0, 15.0]);
/// assert_eq!(block, [12.0, 5.0]);
/// ```
pub fn hessian_rows_in_place<F>(
    f: F,
    x: &[f64],
    rows: Range<usize>,
    gradient: &mut [f64],
    block: &mut [f64],
    workspace: &mut HessianWorkspace,
) -> f64
where
    F: for<'t> Fn(&[DualVar<'t>]) -> DualVar<'t>,
{
    let n = x.len();
    assert!(rows.start <= rows.end && rows.end <= n, "rows {rows:?} of a Hessian with {n} rows were asked for");
    assert_len("gradient", gradient.len(), n, "n");
    assert_len("block", block.len(), rows.len() * n, "rows·n");
    if rows.is_empty() {
        let inputs = x.iter().map(|&x| Dual::new(x, 0.0));
        let output = workspace.sweep(inputs, f, |index, bar| gradient[index] = bar.value);
        return output.value;
    }
    let mut value = f64::NAN;
    for (k, row) in rows.enumerate() {
        let inputs = x.iter().enumerate().map(|(i, &x)| {
            let tangent = if i == row { 1.0 } else { 0.0 };
            Dual::new(x, tangent)
        });
        let block_row = &mut block[k * n..(k + 1) * n];
        let output = workspace.sweep(inputs, &f, |index, bar| {
            gradient[index] = bar.value;
            block_row[index] = bar.tangent;
        });
        value = output.value;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    #[test]
    fn no_rows_still_give_value_and_gradient() {
        let mut gradient = [f64::NAN; 2];
        let mut workspace = HessianWorkspace::new();
        let value = hessian_rows_in_place(|x| x[0] * x[1], &[2.0, 5.0], 1..1, &mut gradient, &mut [], &mut workspace);
        assert_eq!((value, gradient), (10.0, [5.0, 2.0]));
    }

    #[test]
    fn a_function_of_nothing_has_a_value() {
        let (value, gradient, hessian) = hessian(|_| Scalar::constant(7.0), &[]);
        assert_eq!((value, gradient, hessian), (7.0, vec![], vec![]));
    }

    #[test]
    #[should_panic(expected = "`block` has 3 elements, but rows·n = 2 are needed")]
    fn a_block_of_another_shape_is_refused() {
        let mut workspace = HessianWorkspace::new();
        let (mut gradient, mut block) = ([0.0; 2], [0.0; 3]);
        hessian_rows_in_place(|x| x[0], &[1.0, 2.0], 0..1, &mut gradient, &mut block, &mut workspace);
    }

    #[test]
    #[should_panic(expected = "rows 1..3 of a Hessian with 2 rows")]
    fn rows_past_the_end_are_refused() {
        let mut workspace = HessianWorkspace::new();
        let (mut gradient, mut block) = ([0.0; 2], [0.0; 4]);
        hessian_rows_in_place(|x| x[0], &[1.0, 2.0], 1..3, &mut gradient, &mut block, &mut workspace);
    }
}
