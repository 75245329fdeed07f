//! `∇²f · v`: one forward-over-reverse sweep.

use super::workspace::{DualVar, HessianWorkspace, assert_len};
use crate::Dual;

/// The value, gradient and Hessian-vector product of a scalar function.
///
/// Returns `(f(x), ∇f(x), ∇²f(x) v)`, both vectors of shape `[n]`, by one forward-over-reverse sweep:
/// the inputs carry the tangent `v`, so each adjoint carries its derivative along `v`
/// (Pearlmutter 1994, "Fast exact multiplication by the Hessian").
///
/// # Panics
/// When `x` and `v` differ in length.
///
/// ```
/// use lnn_autodiff::{Scalar, hvp};
///
/// // f = x² y, ∇²f = [[2y, 2x], [2x, 0]] = [[8, 6], [6, 0]].
/// let (value, gradient, product) = hvp(|x| x[0].square() * x[1], &[3.0, 4.0], &[1.0, 10.0]);
/// assert_eq!(value, 36.0);
/// assert_eq!(gradient, [24.0, 9.0]);
/// assert_eq!(product, [68.0, 6.0]);
/// ```
pub fn hvp<F>(f: F, x: &[f64], v: &[f64]) -> (f64, Vec<f64>, Vec<f64>)
where
    F: for<'t> Fn(&[DualVar<'t>]) -> DualVar<'t>,
{
    let mut gradient = vec![0.0; x.len()];
    let mut product = vec![0.0; x.len()];
    let mut workspace = HessianWorkspace::new();
    let value = hvp_in_place(f, x, v, &mut gradient, &mut product, &mut workspace);
    (value, gradient, product)
}

/// [`hvp`] into the caller's memory; returns `f(x)`.
///
/// `v`, `gradient` and `product` have shape `[n]`; the last two are overwritten.
///
/// # Panics
/// When one of the slices differs in length from `x`.
///
/// ```
/// use lnn_autodiff::{HessianWorkspace, Scalar, hvp_in_place};
///
/// let mut workspace = HessianWorkspace::new();
/// let (mut gradient, mut product) = ([f64::NAN], [f64::NAN]);
/// let value = hvp_in_place(
///     |x| x[0].powi(3), &[2.0], &[1.0], &mut gradient, &mut product, &mut workspace,
/// );
/// assert_eq!((value, gradient, product), (8.0, [12.0], [12.0]));
/// ```
pub fn hvp_in_place<F>(
    f: F,
    x: &[f64],
    v: &[f64],
    gradient: &mut [f64],
    product: &mut [f64],
    workspace: &mut HessianWorkspace,
) -> f64
where
    F: for<'t> Fn(&[DualVar<'t>]) -> DualVar<'t>,
{
    assert_len("v", v.len(), x.len(), "n");
    assert_len("gradient", gradient.len(), x.len(), "n");
    assert_len("product", product.len(), x.len(), "n");
    let inputs = x.iter().zip(v).map(|(&x, &v)| Dual::new(x, v));
    workspace
        .sweep(inputs, f, |index, bar| {
            gradient[index] = bar.value;
            product[index] = bar.tangent;
        })
        .value
}
