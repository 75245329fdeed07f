//! `∂²f/∂x∂y` of a function of two vectors.

use super::workspace::{DualVar, HessianWorkspace, assert_len};
use crate::Dual;

/// The mixed second derivative of a scalar function of two vectors.
///
/// Returns `∂²f/∂x_i∂y_j`, shape `[nx, ny]` row-major, by `min(nx, ny)` forward-over-reverse sweeps.
/// For a Lagrangian `f(q, q̇)` it is the Jacobian `∂²L/∂q∂q̇`, whose transpose times `q̇` is the
/// velocity-dependent force.
///
/// ```
/// use lnn_autodiff::{Scalar, mixed_partial};
///
/// // f = x₀ y₀² + x₁ y₀ y₁ at x = (1, 2), y = (3, 4).
/// let mixed = mixed_partial(
///     |x, y| x[0] * y[0].square() + x[1] * y[0] * y[1],
///     &[1.0, 2.0],
///     &[3.0, 4.0],
/// );
/// assert_eq!(mixed, [6.0, 0.0, 4.0, 3.0]);
/// ```
pub fn mixed_partial<F>(f: F, x: &[f64], y: &[f64]) -> Vec<f64>
where
    F: for<'t> Fn(&[DualVar<'t>], &[DualVar<'t>]) -> DualVar<'t>,
{
    let mut mixed = vec![0.0; x.len() * y.len()];
    mixed_partial_in_place(f, x, y, &mut mixed, &mut HessianWorkspace::new());
    mixed
}

/// [`mixed_partial`] into the caller's memory.
///
/// `mixed` has shape `[nx, ny]` row-major and is overwritten.
///
/// # Panics
/// When `mixed` has another length than `nx · ny`.
///
/// ```
/// use lnn_autodiff::{HessianWorkspace, Scalar, mixed_partial_in_place};
///
/// let mut mixed = [f64::NAN; 2];
/// let mut workspace = HessianWorkspace::new();
/// mixed_partial_in_place(
///     |x, y| x[0] * y[0] + x[0].square() * y[1],
///     &[3.0], &[5.0, 7.0], &mut mixed, &mut workspace,
/// );
/// assert_eq!(mixed, [1.0, 6.0]);
/// ```
pub fn mixed_partial_in_place<F>(f: F, x: &[f64], y: &[f64], mixed: &mut [f64], workspace: &mut HessianWorkspace)
where
    F: for<'t> Fn(&[DualVar<'t>], &[DualVar<'t>]) -> DualVar<'t>,
{
    let (nx, ny) = (x.len(), y.len());
    assert_len("mixed", mixed.len(), nx * ny, "nx·ny");
    let along_x = nx <= ny;
    let (first_direction, directions) = if along_x { (0, nx) } else { (nx, ny) };
    for direction in 0..directions {
        let seeded = first_direction + direction;
        let inputs = (0..nx + ny).map(|i| {
            let value = if i < nx { x[i] } else { y[i - nx] };
            let tangent = if i == seeded { 1.0 } else { 0.0 };
            Dual::new(value, tangent)
        });
        workspace.sweep(
            inputs,
            |variables| {
                let (x, y) = variables.split_at(nx);
                f(x, y)
            },
            |index, bar| match (along_x, index.checked_sub(nx)) {
                (true, Some(j)) => mixed[direction * ny + j] = bar.tangent,
                (false, None) => mixed[index * ny + direction] = bar.tangent,
                _ => {}
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    #[test]
    fn both_seeding_directions_agree() {
        fn f<S: Scalar>(x: &[S], y: &[S]) -> S {
            x[0] * y[0].square() + x[1] * y[0] * y[1] + x[2].square() * y[1]
        }
        let (x, y) = ([1.0, 2.0, 5.0], [3.0, 4.0]);
        let along_y = mixed_partial(|x, y| f(x, y), &x, &y);
        assert_eq!(along_y, [6.0, 0.0, 4.0, 3.0, 0.0, 10.0]);
        let along_x = mixed_partial(|y, x| f(x, y), &y, &x);
        for i in 0..3 {
            for j in 0..2 {
                assert_eq!(along_x[j * 3 + i], along_y[i * 2 + j]);
            }
        }
    }
}
