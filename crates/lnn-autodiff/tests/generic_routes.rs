//! Tape, duals, nested duals, tape of duals, nested tapes and finite differences agree on random
//! expressions of one to six inputs, and obey the identities between them.

mod generic_expression;

use generic_expression::{Expression, Majorant, expression};
use lnn_autodiff::{
    Adjoints, Dual, GradientWorkspace, HessianWorkspace, Scalar, Tape, gradient, gradient_in_place, hessian,
    hessian_in_place, hessian_rows_in_place, hvp, hvp_in_place, jacobian, jacobian_in_place, mixed_partial,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// Inputs lie in `[−RADIUS, RADIUS]`; finite-difference steps stay within the last 0.01.
const RADIUS: f64 = 1.5;
const RANGE: std::ops::Range<f64> = -1.49..1.49;

/// A function of more curvature than this would turn the tolerance into a blank cheque.
const LARGEST_TOLERANCE: f64 = 1e-8;

fn agree(got: f64, expected: f64, tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert!((got - expected).abs() <= tolerance, "{got:e} and {expected:e} differ by more than {tolerance:e}");
    Ok(())
}

/// A function, its bounds, a point and two vectors.
#[derive(Clone, Debug)]
struct Case {
    f: Expression,
    majorant: Majorant,
    x: Vec<f64>,
    v: Vec<f64>,
}

fn case() -> impl Strategy<Value = Case> {
    (1..=6_usize)
        .prop_flat_map(|n| {
            let vector = prop::collection::vec(-1.0..1.0_f64, n);
            (expression(n), prop::collection::vec(RANGE, n), vector)
        })
        .prop_map(|(f, x, v)| {
            let majorant = f.majorant(RADIUS);
            Case { f, majorant, x, v }
        })
        .prop_filter("the bound on rounding is too wide to test anything", |case| {
            case.majorant.rounding(2) < LARGEST_TOLERANCE
        })
}

/// `x` with unit tangents at the innermost level along `i` and at the outer level along `j`.
fn nested(x: &[f64], i: usize, j: usize) -> Vec<Dual<Dual<f64>>> {
    let unit = |on: bool| if on { 1.0 } else { 0.0 };
    x.iter().enumerate().map(|(k, &x)| Dual::new(Dual::new(x, unit(k == i)), Dual::constant(unit(k == j)))).collect()
}

fn shifted(x: &[f64], i: usize, by: f64) -> Vec<f64> {
    let mut x = x.to_vec();
    x[i] += by;
    x
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn gradients_agree_by_every_route(Case { f, majorant, x, .. } in case()) {
        let (value, gradient) = gradient(|x| f.eval(x), &x);
        prop_assert_eq!(value.to_bits(), f.eval(&x).to_bits());
        let (hvp_value, hvp_gradient, _) = hvp(|x| f.eval(x), &x, &vec![1.0; x.len()]);
        prop_assert_eq!(hvp_value.to_bits(), value.to_bits());

        let tolerance = majorant.rounding(1);
        let h = f64::EPSILON.cbrt();
        for i in 0..x.len() {
            let seeded: Vec<_> = x.iter().enumerate()
                .map(|(k, &x)| Dual::new(x, if k == i { 1.0 } else { 0.0 }))
                .collect();
            let dual = f.eval(&seeded);
            prop_assert_eq!(dual.value.to_bits(), value.to_bits());
            agree(dual.tangent, gradient[i], tolerance)?;
            agree(f.eval(&nested(&x, i, i)).value.tangent, gradient[i], tolerance)?;
            agree(hvp_gradient[i], gradient[i], tolerance)?;

            let difference =
                (f.eval(&shifted(&x, i, h)) - f.eval(&shifted(&x, i, -h))) / (2.0 * h);
            agree(difference, gradient[i], majorant.central_difference(0, h))?;
        }
    }

    #[test]
    fn hessians_agree_by_every_route(Case { f, majorant, x, v } in case()) {
        let n = x.len();
        let (_, _, hessian) = hessian(|x| f.eval(x), &x);
        let tolerance = majorant.rounding(2);
        let h = f64::EPSILON.cbrt();

        let inner = Tape::new();
        let variables: Vec<_> = x.iter().map(|&x| inner.variable(x)).collect();
        let outer = Tape::new();
        let lifted: Vec<_> = variables.iter().map(|&x| outer.variable(x)).collect();
        let first = f.eval(&lifted).gradient(&lifted);

        for i in 0..n {
            let row = &hessian[i * n..(i + 1) * n];
            let reverse_over_reverse = first[i].gradient(&variables);
            let (_, above) = gradient(|x| f.eval(x), &shifted(&x, i, h));
            let (_, below) = gradient(|x| f.eval(x), &shifted(&x, i, -h));
            for j in 0..n {
                agree(row[j], hessian[j * n + i], tolerance)?;
                agree(f.eval(&nested(&x, i, j)).tangent.tangent, row[j], tolerance)?;
                agree(reverse_over_reverse[j], row[j], tolerance)?;
                let difference = (above[j] - below[j]) / (2.0 * h);
                agree(difference, row[j], majorant.central_difference(1, h))?;
            }
        }

        let (_, _, product) = hvp(|x| f.eval(x), &x, &v);
        let v_one_norm: f64 = v.iter().map(|v| v.abs()).sum();
        for i in 0..n {
            let expected = dot(&hessian[i * n..(i + 1) * n], &v);
            agree(product[i], expected, tolerance * (1.0 + v_one_norm))?;
        }
    }

    #[test]
    fn blocks_of_the_hessian_equal_its_parts(
        Case { f, majorant, x, .. } in case(),
        fractions in (0.0..1.0_f64, 0.0..1.0_f64),
    ) {
        let n = x.len();
        let index = |fraction: f64| (fraction * (n + 1) as f64) as usize;
        let rows = index(fractions.0.min(fractions.1))..index(fractions.0.max(fractions.1));
        let (value, full_gradient, hessian) = hessian(|x| f.eval(x), &x);

        let mut gradient = vec![f64::NAN; n];
        let mut block = vec![f64::NAN; rows.len() * n];
        let mut workspace = HessianWorkspace::new();
        let block_value = hessian_rows_in_place(
            |x| f.eval(x), &x, rows.clone(), &mut gradient, &mut block, &mut workspace,
        );
        prop_assert_eq!(block_value, value);
        prop_assert_eq!(&gradient, &full_gradient);
        prop_assert_eq!(&block, &hessian[rows.start * n..rows.end * n]);

        let split = rows.start;
        let mixed = mixed_partial(
            |first, second| f.eval(&[first, second].concat()), &x[..split], &x[split..],
        );
        for i in 0..split {
            for j in split..n {
                let part = mixed[i * (n - split) + j - split];
                agree(part, hessian[i * n + j], majorant.rounding(2))?;
            }
        }
    }

    #[test]
    fn forward_and_reverse_products_are_adjoint(
        Case { f, majorant, x, v } in case(),
        scales in prop::collection::vec((-1.0..1.0_f64, -1.0..1.0_f64), 1..5),
    ) {
        // Outputs cₖ f(x) + x₀ f(x) make a Jacobian of the wanted height with shared intermediates.
        fn outputs<S: Scalar>(f: &Expression, scales: &[(f64, f64)], x: &[S]) -> Vec<S> {
            let y = f.eval(x);
            scales.iter().map(|&(c, _)| y * c + x[0] * y).collect()
        }
        let n = x.len();
        let u: Vec<f64> = scales.iter().map(|&(_, u)| u).collect();

        let duals: Vec<_> = x.iter().zip(&v).map(|(&x, &v)| Dual::new(x, v)).collect();
        let jv: Vec<f64> = outputs(&f, &scales, &duals).iter().map(|y| y.tangent).collect();

        let tape = Tape::new();
        let variables: Vec<_> = x.iter().map(|&x| tape.variable(x)).collect();
        let mut adjoints = Adjoints::new();
        tape.reverse_seeded(&outputs(&f, &scales, &variables), &u, &mut adjoints);
        let jtu: Vec<f64> = variables.iter().map(|&x| adjoints.of(x)).collect();

        // |D(c f + x₀ f)| ≤ (1 + RADIUS) |Df| + |f| for each unit of u and v; the extra operations
        // round relative to the same sizes.
        let size = (1.0 + RADIUS) * (majorant.rounding(1) + majorant.rounding(0))
            + 8.0 * f64::EPSILON * majorant.0[0];
        let norm: f64 = u.iter().map(|u| u.abs()).sum::<f64>() * v.iter().map(|v| v.abs()).sum::<f64>();
        let tolerance = size * norm * (n + u.len()) as f64;
        agree(dot(&u, &jv), dot(&jtu, &v), tolerance)?;

        let (value, rows) = jacobian(|x| outputs(&f, &scales, x), &x);
        prop_assert_eq!(&value, &outputs(&f, &scales, &x));
        for (k, &expected) in jv.iter().enumerate() {
            agree(dot(&rows[k * n..(k + 1) * n], &v), expected, size * n as f64)?;
        }
        let mut workspace = GradientWorkspace::new();
        let (mut value_again, mut rows_again) = (vec![f64::NAN; u.len()], vec![f64::NAN; rows.len()]);
        jacobian_in_place(
            |x, y| y.copy_from_slice(&outputs(&f, &scales, x)),
            &x, &mut value_again, &mut rows_again, &mut workspace,
        );
        prop_assert_eq!(value_again, value);
        prop_assert_eq!(rows_again, rows);
    }

    #[test]
    fn a_reused_workspace_changes_neither_results_nor_its_capacity(
        first in case(), second in case(),
    ) {
        let mut hessians = HessianWorkspace::new();
        let mut gradients = GradientWorkspace::new();
        let mut run = |Case { f, x, v, .. }: &Case| {
            let n = x.len();
            let mut out = [vec![f64::NAN; n], vec![f64::NAN; n], vec![f64::NAN; n]];
            let mut matrix = vec![f64::NAN; n * n];
            let [a, b, product] = &mut out;
            gradient_in_place(|x| f.eval(x), x, a, &mut gradients);
            hessian_in_place(|x| f.eval(x), x, b, &mut matrix, &mut hessians);
            hvp_in_place(|x| f.eval(x), x, v, b, product, &mut hessians);
            (out, matrix, gradients.capacity(), hessians.capacity())
        };
        let fresh = run(&first);
        run(&second);
        let (_, _, gradient_capacity, hessian_capacity) = run(&first);
        for case in [&first, &second, &first] {
            let again = run(case);
            prop_assert_eq!((again.2, again.3), (gradient_capacity, hessian_capacity));
        }
        let again = run(&first);
        prop_assert_eq!((again.0, again.1), (fresh.0, fresh.1));
        prop_assert_eq!(hvp(|x| second.f.eval(x), &second.x, &second.v).2, run(&second).0[2].clone());
    }
}

#[test]
fn the_tolerances_reject_a_perturbed_derivative() {
    use Expression as E;
    let input = |i| Box::new(E::Input(i));
    // f = sin(x₀ x₁) · exp(tanh x₁)
    let f = E::Mul(Box::new(E::Sin(Box::new(E::Mul(input(0), input(1))))), Box::new(E::Exp(input(1))));
    let majorant = f.majorant(RADIUS);
    let x = [0.4, -0.7];
    let (_, gradient, hessian) = hessian(|x| f.eval(x), &x);
    for (exact, tolerance) in [(gradient[0], majorant.rounding(1)), (hessian[1], majorant.rounding(2))] {
        assert!(agree(exact, exact, tolerance).is_ok());
        assert!(agree(exact * (1.0 + 1e-9), exact, tolerance).is_err());
        assert!(agree(f64::NAN, exact, tolerance).is_err());
    }
    let h = f64::EPSILON.cbrt();
    for (exact, tolerance) in
        [(gradient[0], majorant.central_difference(0, h)), (hessian[1], majorant.central_difference(1, h))]
    {
        assert!(agree(exact * (1.0 + 1e-4), exact, tolerance).is_err());
    }
}
