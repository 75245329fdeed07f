//! `∂f/∂x` of a vector function: one recording, one reverse pass an output.

use super::workspace::{GradientWorkspace, VarBuffer, assert_len};
use crate::tape::Adjoints;
use crate::{Tape, Var};

/// The value and Jacobian of a vector function.
///
/// Returns `(f(x), J)` with `J[i, j] = ∂f_i/∂x_j`, the value `[m]` and `J` `[m, n]` row-major. The
/// function is evaluated once and reversed `m` times.
///
/// ```
/// use lnn_autodiff::{Scalar, jacobian};
///
/// let (value, jacobian) = jacobian(|x| vec![x[0] * x[1], x[0] + x[1], x[1].square()], &[2.0, 3.0]);
/// assert_eq!(value, [6.0, 5.0, 9.0]);
/// assert_eq!(jacobian, [3.0, 2.0, 1.0, 1.0, 0.0, 6.0]);
/// ```
pub fn jacobian<F>(f: F, x: &[f64]) -> (Vec<f64>, Vec<f64>)
where
    F: for<'t> Fn(&[Var<'t, f64>]) -> Vec<Var<'t, f64>>,
{
    let mut workspace = GradientWorkspace::new();
    let (tape, adjoints) = workspace.start();
    let mut inputs = VarBuffer::zeros(x.len());
    let inputs = inputs.fill(tape, x.iter().copied());
    let outputs = f(inputs);
    let mut value = vec![0.0; outputs.len()];
    let mut jacobian = vec![0.0; outputs.len() * x.len()];
    reverse_rows(tape, adjoints, inputs, &outputs, &mut value, &mut jacobian);
    (value, jacobian)
}

/// [`jacobian`] into the caller's memory.
///
/// `f` writes its `m` outputs into its second argument, which starts as zeros. `value` has shape
/// `[m]` and sets `m`, `jacobian` has shape `[m, n]` row-major; both are overwritten.
///
/// # Panics
/// When `jacobian` has another length than `m · n`.
///
/// ```
/// use lnn_autodiff::{GradientWorkspace, Scalar, jacobian_in_place};
///
/// let mut workspace = GradientWorkspace::new();
/// let (mut value, mut jacobian) = ([f64::NAN; 2], [f64::NAN; 4]);
/// jacobian_in_place(
///     |x, y| {
///         y[0] = x[0] * x[1];
///         y[1] = x[0] / x[1];
///     },
///     &[3.0, 2.0], &mut value, &mut jacobian, &mut workspace,
/// );
/// assert_eq!(value, [6.0, 1.5]);
/// assert_eq!(jacobian, [2.0, 3.0, 0.5, -0.75]);
/// ```
pub fn jacobian_in_place<F>(f: F, x: &[f64], value: &mut [f64], jacobian: &mut [f64], workspace: &mut GradientWorkspace)
where
    F: for<'t> Fn(&[Var<'t, f64>], &mut [Var<'t, f64>]),
{
    assert_len("jacobian", jacobian.len(), value.len() * x.len(), "m·n");
    let (tape, adjoints) = workspace.start();
    let mut inputs = VarBuffer::zeros(x.len());
    let inputs = inputs.fill(tape, x.iter().copied());
    let mut outputs = VarBuffer::zeros(value.len());
    let outputs = outputs.as_mut_slice();
    f(inputs, outputs);
    reverse_rows(tape, adjoints, inputs, outputs, value, jacobian);
}

fn reverse_rows(
    tape: &Tape<f64>,
    adjoints: &mut Adjoints<f64>,
    inputs: &[Var<'_, f64>],
    outputs: &[Var<'_, f64>],
    value: &mut [f64],
    jacobian: &mut [f64],
) {
    let n = inputs.len();
    for (i, &output) in outputs.iter().enumerate() {
        value[i] = output.primal();
        tape.reverse(output, adjoints);
        for (j, &input) in inputs.iter().enumerate() {
            jacobian[i * n + j] = adjoints.of(input);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    #[test]
    fn constant_and_repeated_outputs_have_right_rows() {
        let (value, jacobian) = jacobian(|x| vec![Var::constant(4.0), x[1], x[1]], &[2.0, 3.0]);
        assert_eq!(value, [4.0, 3.0, 3.0]);
        assert_eq!(jacobian, [0.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn more_outputs_than_fit_the_stack_work() {
        let m = 40;
        let (value, jacobian) = jacobian(|x| (0..m).map(|k| x[0].powi(k)).collect(), &[1.0]);
        assert_eq!(value, vec![1.0; m as usize]);
        assert!(jacobian.iter().zip(0..m).all(|(&j, k)| j == f64::from(k)));
        let (mut value, mut again) = (vec![f64::NAN; 40], vec![f64::NAN; 40]);
        jacobian_in_place(
            |x, y| {
                for (k, y) in (0..m).zip(y) {
                    *y = x[0].powi(k);
                }
            },
            &[1.0],
            &mut value,
            &mut again,
            &mut GradientWorkspace::new(),
        );
        assert_eq!(again, jacobian);
    }
}
