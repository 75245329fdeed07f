//! `∇f`: one reverse sweep.

use super::workspace::{GradientWorkspace, assert_len};
use crate::Var;

/// The value and gradient of a scalar function.
///
/// Returns `(f(x), ∇f(x))`, the gradient of shape `[n]`, by one reverse sweep.
///
/// ```
/// use lnn_autodiff::{Scalar, gradient};
///
/// let (value, gradient) = gradient(|x| x[0].square() * x[1], &[3.0, 4.0]);
/// assert_eq!(value, 36.0);
/// assert_eq!(gradient, [24.0, 9.0]);
/// ```
///
/// The closure's scalar is the one that the route needs. To take several routes, write the function
/// once, generic over [`Scalar`](crate::Scalar), and wrap it in a closure where it is used:
///
/// ```
/// use lnn_autodiff::{Scalar, gradient, hessian};
///
/// fn energy<S: Scalar>(x: &[S]) -> S {
///     x[0].square() * x[1] * 0.5
/// }
///
/// let x = [3.0, 2.0];
/// assert_eq!(energy(&x), 9.0);
/// assert_eq!(gradient(|x| energy(x), &x), (9.0, vec![6.0, 4.5]));
/// assert_eq!(hessian(|x| energy(x), &x).2, [2.0, 3.0, 3.0, 0.0]);
/// ```
pub fn gradient<F>(f: F, x: &[f64]) -> (f64, Vec<f64>)
where
    F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
{
    let mut gradient = vec![0.0; x.len()];
    let value = gradient_in_place(f, x, &mut gradient, &mut GradientWorkspace::new());
    (value, gradient)
}

/// [`gradient`] into the caller's memory; returns `f(x)`.
///
/// `gradient` has shape `[n]` and is overwritten.
///
/// # Panics
/// When `gradient` and `x` differ in length.
///
/// ```
/// use lnn_autodiff::{GradientWorkspace, Scalar, gradient_in_place};
///
/// let mut workspace = GradientWorkspace::new();
/// let mut gradient = [f64::NAN; 2];
/// let value = gradient_in_place(|x| x[0] / x[1], &[3.0, 2.0], &mut gradient, &mut workspace);
/// assert_eq!((value, gradient), (1.5, [0.5, -0.75]));
/// ```
pub fn gradient_in_place<F>(f: F, x: &[f64], gradient: &mut [f64], workspace: &mut GradientWorkspace) -> f64
where
    F: for<'t> Fn(&[Var<'t, f64>]) -> Var<'t, f64>,
{
    assert_len("gradient", gradient.len(), x.len(), "n");
    workspace.sweep(x.iter().copied(), f, |index, bar| gradient[index] = bar)
}
