//! Values, tangents, gradients, second derivatives and the directional functional by duals, tape and differences.

use lnn_autodiff::{Activation, Dual, Real, Scalar, Tape};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::case::{Case, case};
use crate::engine::{Passes, run};
use crate::reference::{Second, activation, magnitude, majorant, network, preactivations, second};

/// A quantity by the generic route, and `Σ |terms|` with what a relative change of all numbers adds.
#[derive(Clone, Copy, Debug)]
struct Expected {
    value: f64,
    size: f64,
}

fn expected(value: f64, size: Dual<f64>) -> Expected {
    Expected { value, size: size.value + size.tangent }
}

/// How far a result may be off: `unit` of its size, and what underflow loses.
#[derive(Clone, Copy, Debug)]
struct Tolerance {
    unit: f64,
    smallest: f64,
    floor: f64,
}

impl Tolerance {
    /// The reference rounds in double precision, which the ε of the precision under test covers.
    fn of<T: Real>(case: &Case) -> Self {
        let smallest = if T::NAME == "f32" { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
        let epsilon = T::EPSILON.to_f64();
        Self { unit: case.operations() * epsilon, smallest, floor: smallest / epsilon }
    }
}

fn agree(name: &str, got: &[f64], want: &[Expected], tolerance: Tolerance) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), want.len(), "{}", name);
    for (index, (&got, want)) in got.iter().zip(want).enumerate() {
        let error = (got - want.value).abs();
        let allowed = tolerance.unit * want.size + tolerance.smallest;
        prop_assert!(error <= allowed, "{name}[{index}]: {got:e} and {want:?} differ by {error:e}");
    }
    Ok(())
}

/// One row at x with directions `u`, `w` and input coefficient `mixed`: the outputs and their majorants.
fn row_by_duals(
    case: &Case,
    row: usize,
    [u, w, mixed]: [&[f64]; 3],
    floor: f64,
) -> Vec<(Second<f64>, Second<Dual<f64>>)> {
    let x = case.row(&case.x, row);
    let z = preactivations(&case.shape, &case.parameters, x);
    let sigma = case.shape.activation();
    let input: Vec<_> = (0..x.len()).map(|k| second(x[k], u[k], w[k], mixed[k])).collect();
    let values = network(&case.shape, &case.parameters, &input, |_, z| activation(sigma, z));
    let sizes: Vec<_> = case.parameters.iter().map(|&p| magnitude(p)).collect();
    let input: Vec<_> =
        (0..x.len()).map(|k| second(magnitude(x[k]), magnitude(u[k]), magnitude(w[k]), magnitude(mixed[k]))).collect();
    let bounds = network(&case.shape, &sizes, &input, |unit, size| majorant(sigma, z[unit], size, floor));
    values.into_iter().zip(bounds).collect()
}

/// Σ_o ȳ_o y_o of one row.
fn weighted<V: Scalar, B: Scalar>(case: &Case, row: usize, outputs: &[(V, B)]) -> (V, B) {
    let output_bar = case.row(&case.output_bar, row);
    outputs
        .iter()
        .zip(output_bar)
        .fold((V::zero(), B::zero()), |(value, size), (&(v, s), &bar)| (value + v * bar, size + s * bar.abs()))
}

fn unit_vector(n: usize, k: usize) -> Vec<f64> {
    (0..n).map(|i| if i == k { 1.0 } else { 0.0 }).collect()
}

/// Everything but parameter gradients, by nested duals.
fn check_by_duals(case: &Case, got: &Passes, tolerance: Tolerance) -> Result<(), TestCaseError> {
    let (inputs, pairs) = (case.shape.inputs(), case.pairs());
    let zero = vec![0.0; inputs];
    let (mut output, mut input_bar, mut hessian) = (vec![], vec![], vec![]);
    for row in 0..case.rows {
        let values = row_by_duals(case, row, [&zero; 3], tolerance.floor);
        output.extend(values.iter().map(|(value, size)| expected(value.value.value, size.value.value)));
        for k in 0..inputs {
            let (value, size) =
                weighted(case, row, &row_by_duals(case, row, [&unit_vector(inputs, k), &zero, &zero], tolerance.floor));
            input_bar.push(expected(value.value.tangent, size.value.tangent));
        }
        for &(i, j) in &pairs {
            let outputs = row_by_duals(case, row, [case.tangent(i, row), case.tangent(j, row), &zero], tolerance.floor);
            let (value, size) = weighted(case, row, &outputs);
            hessian.push(expected(value.tangent.tangent, size.tangent.tangent));
        }
    }
    let mut tangents = vec![];
    for i in 0..case.directions {
        for row in 0..case.rows {
            let outputs = row_by_duals(case, row, [case.tangent(i, row), &zero, &zero], tolerance.floor);
            tangents.extend(outputs.iter().map(|(value, size)| expected(value.value.tangent, size.value.tangent)));
        }
    }
    agree("output", &got.output, &output, tolerance)?;
    agree("output tangent", &got.output_tangents, &tangents, tolerance)?;
    agree("input cotangent", &got.input_bar, &input_bar, tolerance)?;
    agree("second derivative", &got.hessian, &hessian, tolerance)
}

/// The combination Σ_i c_i · tangent_i of one row.
fn direction(case: &Case, row: usize, coefficients: &[f64]) -> Vec<f64> {
    let coefficients = if case.directions == 0 { &[] } else { case.row(coefficients, row) };
    let mut sum = vec![0.0; case.shape.inputs()];
    for (i, &coefficient) in coefficients.iter().enumerate() {
        for (sum, x) in sum.iter_mut().zip(case.tangent(i, row)) {
            *sum += coefficient * x;
        }
    }
    sum
}

/// The block's inputs over any scalar, each `[rows, inputs]`.
struct Inputs<S> {
    x: Vec<S>,
    u: Vec<S>,
    w: Vec<S>,
    a: Vec<S>,
}

impl<S: Scalar> Inputs<S> {
    fn new(case: &Case, lift: impl Fn(f64) -> S) -> Self {
        let along = |coefficients: &[f64]| -> Vec<S> {
            (0..case.rows).flat_map(|row| direction(case, row, coefficients)).map(&lift).collect()
        };
        let lifted = |values: &[f64]| -> Vec<S> { values.iter().map(|&x| lift(x)).collect() };
        Self { x: lifted(&case.x), u: along(&case.u), w: along(&case.w), a: lifted(&case.a) }
    }

    /// By magnitude, `lift` taking the magnitude of a number; a's sign is turned, so that every term adds up. A
    /// direction's size is that of its terms.
    fn sizes(case: &Case, lift: impl Fn(f64) -> S) -> Self {
        let magnitudes = |values: &[f64]| -> Vec<f64> { values.iter().map(|x| x.abs()).collect() };
        let terms = Case {
            tangents: magnitudes(&case.tangents),
            u: magnitudes(&case.u),
            w: magnitudes(&case.w),
            ..case.clone()
        };
        let sizes = Self::new(&terms, &lift);
        Self { a: case.a.iter().map(|&a| -lift(a)).collect(), ..sizes }
    }
}

/// Σ ȳ·f and Σ ȳ·(D_a − D_u D_w) f of the block over any scalar of the parameters and inputs.
///
/// With −a as the inputs' own second derivative the mixed part is `D_u D_w f − D_a f`.
fn functionals<S: Scalar>(
    case: &Case,
    parameters: &[S],
    Inputs { x, u, w, a }: &Inputs<S>,
    lift: impl Fn(f64) -> S,
    sigma: impl Fn(usize, usize, Second<S>) -> Second<S>,
) -> (S, S) {
    let (mut value, mut functional) = (S::zero(), S::zero());
    for row in 0..case.rows {
        let inputs = case.shape.inputs();
        let input: Vec<_> = (row * inputs..(row + 1) * inputs).map(|k| second(x[k], u[k], w[k], -a[k])).collect();
        let outputs = network(&case.shape, parameters, &input, |unit, z| sigma(row, unit, z));
        for (y, &bar) in outputs.iter().zip(case.row(&case.output_bar, row)) {
            value += y.value.value * lift(bar);
            functional += y.tangent.tangent * lift(-bar);
        }
    }
    (value, functional)
}

/// What differentiation of both functionals gives, in the order of the fields of [`Passes`].
struct Gradients {
    vjp: Vec<Expected>,
    functional: Vec<Expected>,
    input_cotangents: Vec<Expected>,
}

/// The gradients of both functionals by the parameters, and of the second by the inputs, on a tape.
fn gradients_by_tape(case: &Case, floor: f64) -> Gradients {
    let sigma = case.shape.activation();
    let tape = Tape::new();
    let parameters: Vec<_> = case.parameters.iter().map(|&p| tape.variable(p)).collect();
    let inputs = Inputs::new(case, |x| tape.variable(x));
    let (value, functional) = functionals(case, &parameters, &inputs, Scalar::constant, |_, _, z| activation(sigma, z));
    let by_inputs = [&inputs.x[..], &inputs.u, &inputs.w].concat();
    let found = [value.gradient(&parameters), functional.gradient(&parameters), functional.gradient(&by_inputs)];

    let z: Vec<_> =
        (0..case.rows).map(|row| preactivations(&case.shape, &case.parameters, case.row(&case.x, row))).collect();
    let tape = Tape::new();
    let parameters: Vec<_> = case.parameters.iter().map(|&p| tape.variable(magnitude(p))).collect();
    let lift = |x: f64| tape.variable(magnitude(x));
    let sizes = Inputs::sizes(case, lift);
    let (value, functional) =
        functionals(case, &parameters, &sizes, lift, |row, unit, size| majorant(sigma, z[row][unit], size, floor));
    let by_inputs = [&sizes.x[..], &sizes.u, &sizes.w].concat();
    let sizes = [value.gradient(&parameters), functional.gradient(&parameters), functional.gradient(&by_inputs)];

    let [vjp, functional, input_cotangents] = [0, 1, 2].map(|which| {
        found[which].iter().zip(&sizes[which]).map(|(&value, &size)| expected(value, size)).collect::<Vec<_>>()
    });
    Gradients { vjp, functional, input_cotangents }
}

/// The same case with D_a alone.
fn without_second_derivatives(case: &Case) -> Case {
    Case { u: vec![0.0; case.u.len()], w: vec![0.0; case.w.len()], ..case.clone() }
}

/// Everything but what [`check_by_duals`] compares.
fn check_by_tape(case: &Case, got: &Passes, tolerance: Tolerance) -> Result<(), TestCaseError> {
    let Gradients { vjp, functional, input_cotangents } = gradients_by_tape(case, tolerance.floor);
    agree("parameter gradient", &got.vjp, &vjp, tolerance)?;
    agree("functional gradient", &got.functional, &functional, tolerance)?;
    agree("input cotangents", &got.input_cotangents, &input_cotangents, tolerance)?;

    let Gradients { functional, input_cotangents, .. } =
        gradients_by_tape(&without_second_derivatives(case), tolerance.floor);
    agree("directional gradient", &got.directional, &functional, tolerance)?;
    agree("directional input", &got.directional_input, &input_cotangents[..case.x.len()], tolerance)?;
    let zero = vec![0.0; case.shape.inputs()];
    let outputs =
        (0..case.rows).flat_map(|row| row_by_duals(case, row, [case.row(&case.a, row), &zero, &zero], tolerance.floor));
    let outputs: Vec<_> = outputs.map(|(value, size)| expected(value.value.tangent, size.value.tangent)).collect();
    agree("directional output", &got.directional_output, &outputs, tolerance)
}

fn check<T: Real>(case: &Case) -> Result<(), TestCaseError> {
    let got = run::<T>(case);
    let tolerance = Tolerance::of::<T>(case);
    check_by_duals(case, &got, tolerance)?;
    check_by_tape(case, &got, tolerance)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn every_pass_agrees_with_duals_and_tape_in_double_precision(case in case()) {
        check::<f64>(&case)?;
    }

    #[test]
    fn every_pass_agrees_with_duals_and_tape_in_single_precision(case in case()) {
        check::<f32>(&case)?;
    }

    #[test]
    fn parameter_gradients_agree_with_finite_differences(case in case(), place in any::<prop::sample::Index>()) {
        let sigma = case.shape.activation();
        let kinked = matches!(sigma, Activation::Relu | Activation::Relu2 | Activation::Relu3);
        let nearest = (0..case.rows)
            .flat_map(|row| preactivations(&case.shape, &case.parameters, case.row(&case.x, row)))
            .fold(f64::INFINITY, |nearest, z| nearest.min(z.abs()));
        // Within a step of a kink a difference is no derivative.
        prop_assume!(!kinked || nearest > 1e-3);
        let place = place.index(case.parameters.len());
        let at = |step: f64| {
            let mut parameters = case.parameters.clone();
            parameters[place] += step;
            functionals(&case, &parameters, &Inputs::new(&case, |x| x), |x| x, |_, _, z| activation(sigma, z))
        };
        let Tolerance { unit, floor, .. } = Tolerance::of::<f64>(&case);
        let z: Vec<_> =
            (0..case.rows).map(|row| preactivations(&case.shape, &case.parameters, case.row(&case.x, row))).collect();
        let sizes: Vec<_> = case.parameters.iter().map(|&p| magnitude(p)).collect();
        let inputs = Inputs::sizes(&case, magnitude);
        let sizes = functionals(&case, &sizes, &inputs, magnitude, |row, unit, size| {
            majorant(sigma, z[row][unit], size, floor)
        });

        let h = f64::EPSILON.cbrt();
        let (near, far) = ([at(-h), at(h)], [at(-2.0 * h), at(2.0 * h)]);
        let got = run::<f64>(&case);
        for (name, got, size, [below, above, further_below, further_above]) in [
            ("value", got.vjp[place], sizes.0, [near[0].0, near[1].0, far[0].0, far[1].0]),
            ("functional", got.functional[place], sizes.1, [near[0].1, near[1].1, far[0].1, far[1].1]),
        ] {
            let (difference, wider) = ((above - below) / (2.0 * h), (further_above - further_below) / (4.0 * h));
            // The truncation error grows with h², so the wider difference is off by three times the narrow one's more.
            let tolerance = (wider - difference).abs() + unit * (size.value + size.tangent) * (1.0 + 1.0 / h);
            prop_assert!((got - difference).abs() <= tolerance, "{name}: {got:e} {difference:e} {tolerance:e}");
        }
    }
}

#[test]
fn the_comparison_refuses_a_perturbed_pass() {
    let case = Case::new(&[4, 13, 9, 2], Activation::Softplus, 3, 3, 7);
    let tolerance = Tolerance::of::<f64>(&case);
    let good = run::<f64>(&case);
    let refused = |passes: &Passes| {
        check_by_duals(&case, passes, tolerance).is_err() || check_by_tape(&case, passes, tolerance).is_err()
    };
    assert!(!refused(&good));
    type Part = fn(&mut Passes) -> &mut Vec<f64>;
    let parts: [Part; 10] = [
        |passes| &mut passes.output,
        |passes| &mut passes.output_tangents,
        |passes| &mut passes.input_bar,
        |passes| &mut passes.vjp,
        |passes| &mut passes.hessian,
        |passes| &mut passes.functional,
        |passes| &mut passes.input_cotangents,
        |passes| &mut passes.directional,
        |passes| &mut passes.directional_output,
        |passes| &mut passes.directional_input,
    ];
    for part in parts {
        for wrong in [|x: f64| x * (1.0 + 1e-7), |_: f64| f64::NAN] {
            let mut passes = good.clone();
            for value in part(&mut passes) {
                *value = wrong(*value);
            }
            assert!(refused(&passes));
        }
    }
}
