//! Full rank: every quantity, and the gradient by a tape that differentiates through the solve.

use lnn_autodiff::{Activation, HessianWorkspace, Scalar, Tape, hessian_rows_in_place};
use lnn_train::model::LagrangianWorkspace;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::by_scalars::{Reading, exact_parts, gradient_tolerance, lagrangian, norm, part_sizes, parts};
use crate::case::{Case, Plan};
use crate::reference::second;

fn plan() -> impl Strategy<Value = Plan> {
    let smooth =
        Activation::ALL.into_iter().filter(|activation| activation.has_second_derivative()).collect::<Vec<_>>();
    let hidden = prop::collection::vec(1..=20_usize, 0..=3);
    let features = prop::collection::vec(0..36_usize, 0..=5);
    let mass = prop::sample::select(vec![0.0, 0.5, 2.0, 2.0, 5.0]);
    (1..=6_usize, 0..=2_usize, features, hidden, prop::sample::select(smooth), mass, 1..=3_usize, any::<u64>())
        .prop_map(|(d, conditionals, features, hidden, activation, residual_mass, rows, seed)| Plan {
            d,
            conditionals,
            features,
            hidden,
            activation,
            residual_mass,
            rows,
            seed,
        })
}

/// A tolerance above this share of the gradient would be a blank cheque.
pub(crate) const TELLING: f64 = 1e-4;

/// |H⁻¹|₂ of each row, or nothing where a matrix is too close to singular for a comparison to mean much.
fn inverses(case: &Case, workspace: &LagrangianWorkspace<f64>) -> Option<Vec<f64>> {
    let factors = workspace.factors();
    let inverse = |row: usize| {
        let values = factors.eigenvalues(row).iter().map(|value| value.abs());
        let (smallest, largest) = values.fold((f64::INFINITY, 0.0_f64), |(s, l), value| (s.min(value), l.max(value)));
        (factors.is_full_rank(row) && largest < 1e6 * smallest).then(|| 1.0 / smallest)
    };
    (0..case.rows).map(inverse).collect()
}

fn agree(name: &str, got: &[f64], want: &[f64], allowed: impl Fn(usize) -> f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), want.len(), "{}", name);
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        let (error, allowed) = ((got - want).abs(), allowed(index));
        prop_assert!(error <= allowed, "{name}[{index}]: {got:e} and {want:e} differ by {error:e} > {allowed:e}");
    }
    Ok(())
}

/// L, p, H, r and the energy of one row against nested duals; q̈ by what it leaves of the equation.
fn check_row(case: &Case, workspace: &LagrangianWorkspace<f64>, row: usize) -> Result<(), TestCaseError> {
    let (d, unit) = (case.dof(), case.unit());
    let range = row * d..(row + 1) * d;
    let (want, size) = (exact_parts(case, row), part_sizes(case, row));
    let q_dot = case.state(row).q_dot;
    agree("L", &workspace.lagrangian()[row..=row], &[want.lagrangian], |_| unit * size.lagrangian)?;
    agree("p", &workspace.momentum()[range.clone()], &want.momentum, |i| unit * size.momentum[i])?;
    let matrix = &workspace.mass_matrix()[row * d * d..(row + 1) * d * d];
    agree("H", matrix, &want.mass_matrix, |k| unit * size.mass_matrix[k])?;
    let force: Vec<f64> = (0..d).map(|i| want.position_gradient[i] - want.mixed[i]).collect();
    let force_size: Vec<f64> = (0..d).map(|i| size.position_gradient[i] + size.mixed[i]).collect();
    agree("r", &workspace.force()[range.clone()], &force, |i| unit * force_size[i])?;
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    let energy_size = q_dot.iter().zip(&size.momentum).map(|(v, p)| v.abs() * p).sum::<f64>() + size.lagrangian;
    let energy = dot(q_dot, &want.momentum) - want.lagrangian;
    agree("energy", &workspace.energy()[row..=row], &[energy], |_| unit * energy_size)?;
    if !workspace.factors().is_full_rank(row) {
        return Ok(());
    }
    // H q̈ − r: the solve is exact for a matrix off by 12 d ε |H|.
    let q_ddot = &workspace.acceleration()[range];
    let product: Vec<f64> = (0..d).map(|i| dot(&want.mass_matrix[i * d..(i + 1) * d], q_ddot)).collect();
    agree("H q̈", &product, &force, |i| 2.0 * unit * (norm(&size.mass_matrix) * norm(q_ddot) + force_size[i]))
}

/// H, the mixed Jacobian and both gradients by the tape of duals, against nested duals.
fn check_tape_of_duals(case: &Case, row: usize) -> Result<(), TestCaseError> {
    let (d, unit) = (case.dof(), case.unit());
    let (want, size, state) = (exact_parts(case, row), part_sizes(case, row), case.state(row));
    let at = [state.q, state.q_dot].concat();
    let (mut gradient, mut block) = (vec![f64::NAN; 2 * d], vec![f64::NAN; 2 * d * d]);
    let value = hessian_rows_in_place(
        |x| {
            let lift = |x| second(x, Scalar::zero(), Scalar::zero(), Scalar::zero());
            let constants = |values: &[f64]| values.iter().map(|&p| Scalar::constant(p)).collect::<Vec<_>>();
            let [q, q_dot] = [&x[..d], &x[d..]].map(|part| part.iter().map(|&x| lift(x)).collect::<Vec<_>>());
            let conditionals: Vec<_> = constants(state.conditionals).into_iter().map(lift).collect();
            let parameters = constants(&case.parameters);
            lagrangian(case, &parameters, [&q, &q_dot, &conditionals], Reading::Exact).value.value
        },
        &at,
        d..2 * d,
        &mut gradient,
        &mut block,
        &mut HessianWorkspace::new(),
    );
    agree("L", &[value], &[want.lagrangian], |_| unit * size.lagrangian)?;
    agree("∂L/∂q", &gradient[..d], &want.position_gradient, |i| unit * size.position_gradient[i])?;
    agree("∂L/∂q̇", &gradient[d..], &want.momentum, |i| unit * size.momentum[i])?;
    for (i, row) in block.chunks_exact(2 * d).enumerate() {
        let mixed: f64 = row[..d].iter().zip(state.q_dot).map(|(x, v)| x * v).sum();
        agree("mixed", &[mixed], &want.mixed[i..=i], |_| unit * size.mixed[i])?;
        agree("H", &row[d..], &want.mass_matrix[i * d..(i + 1) * d], |j| unit * size.mass_matrix[i * d + j])?;
    }
    Ok(())
}

/// Solves `matrix x = b` over any scalar by elimination with row pivoting.
pub(crate) fn eliminate<S: Scalar>(mut matrix: Vec<S>, mut b: Vec<S>) -> Vec<S> {
    let d = b.len();
    for k in 0..d {
        let size = |i: &usize| matrix[i * d + k].value().abs();
        let pivot = (k..d).max_by(|i, j| size(i).total_cmp(&size(j))).expect("k < d");
        b.swap(k, pivot);
        (0..d).for_each(|j| matrix.swap(k * d + j, pivot * d + j));
        for i in k + 1..d {
            let factor = matrix[i * d + k] / matrix[k * d + k];
            for j in k..d {
                matrix[i * d + j] = matrix[i * d + j] - factor * matrix[k * d + j];
            }
            b[i] = b[i] - factor * b[k];
        }
    }
    for k in (0..d).rev() {
        for j in k + 1..d {
            b[k] = b[k] - matrix[k * d + j] * b[j];
        }
        b[k] = b[k] / matrix[k * d + k];
    }
    b
}

/// `∂/∂θ Σ λ·q̈` on a tape of the parameters that records H, r and the solve: no formula of the adjoint.
fn gradient_by_tape(case: &Case) -> Vec<f64> {
    let d = case.dof();
    let mut total = vec![0.0; case.parameters.len()];
    for row in 0..case.rows {
        let tape = Tape::new();
        let parameters: Vec<_> = case.parameters.iter().map(|&p| tape.variable(p)).collect();
        let parts = parts(case, case.state(row), &parameters, Scalar::constant, Reading::Exact);
        let force = (0..d).map(|i| parts.position_gradient[i] - parts.mixed[i]).collect();
        let q_ddot = eliminate(parts.mass_matrix, force);
        let weighted = q_ddot.iter().zip(case.lambda(row)).map(|(&x, &lambda)| x * lambda);
        let sum = weighted.reduce(|sum, x| sum + x).expect("d is at least 1");
        for (total, part) in total.iter_mut().zip(sum.gradient(&parameters)) {
            *total += part;
        }
    }
    total
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 20_000, ..ProptestConfig::with_cases(60) })]

    #[test]
    fn jets_duals_and_tape_agree_on_every_quantity(plan in plan()) {
        let case = plan.case();
        let workspace = case.evaluate(&case.parameters);
        for row in 0..case.rows {
            check_row(&case, &workspace, row)?;
            check_tape_of_duals(&case, row)?;
        }
    }

    #[test]
    fn the_adjoint_agrees_with_a_tape_through_the_solve(plan in plan()) {
        let case = plan.case();
        let mut workspace = case.evaluate(&case.parameters);
        let inverses = inverses(&case, &workspace);
        prop_assume!(inverses.is_some());
        let tolerance = gradient_tolerance(&case, &inverses.expect("assumed"), false);
        let gradient = case.gradient(&mut workspace);
        let want = gradient_by_tape(&case);
        prop_assume!(norm(&tolerance) <= TELLING * norm(&want));
        agree("gradient", &gradient, &want, |k| tolerance[k])?;
    }

    #[test]
    fn the_adjoint_agrees_with_finite_differences(plan in plan(), place in any::<prop::sample::Index>()) {
        // A difference across a kink of σ″ or σ‴ is no derivative.
        prop_assume!(!matches!(plan.activation, Activation::Relu2 | Activation::Relu3));
        let case = plan.case();
        let mut workspace = case.evaluate(&case.parameters);
        let inverses = inverses(&case, &workspace);
        prop_assume!(inverses.is_some());
        let inverses = inverses.expect("assumed");
        prop_assume!(inverses.iter().all(|&inverse| inverse < 1e2));
        let place = place.index(case.parameters.len());
        let got = case.gradient(&mut workspace)[place];
        let at = |step: f64| {
            let mut parameters = case.parameters.clone();
            parameters[place] += step;
            let workspace = case.evaluate(&parameters);
            workspace.acceleration().iter().zip(&case.lambda).map(|(x, lambda)| x * lambda).sum::<f64>()
        };
        let h = f64::EPSILON.cbrt();
        let (difference, wider) = ((at(h) - at(-h)) / (2.0 * h), (at(2.0 * h) - at(-2.0 * h)) / (4.0 * h));
        // The error of q̈: n ε of the terms of H and r through |H⁻¹|.
        let noise: f64 = (0..case.rows).map(|row| {
            let size = part_sizes(&case, row);
            let q_ddot = norm(&workspace.acceleration()[row * case.dof()..(row + 1) * case.dof()]);
            let force = norm(&size.position_gradient) + norm(&size.mixed);
            norm(case.lambda(row)) * inverses[row] * (force + norm(&size.mass_matrix) * q_ddot)
        }).sum();
        let tolerance = (wider - difference).abs() + 2.0 * case.unit() * noise / h;
        prop_assert!((got - difference).abs() <= tolerance, "{got:e} {difference:e} {tolerance:e}");
    }
}

#[test]
fn the_comparison_refuses_a_perturbed_gradient() {
    let plan = Plan {
        d: 3,
        conditionals: 1,
        features: vec![0, 1, 2, 3, 4, 8],
        hidden: vec![12, 9],
        activation: Activation::Softplus,
        residual_mass: 2.0,
        rows: 2,
        seed: 4,
    };
    let case = plan.case();
    let mut workspace = case.evaluate(&case.parameters);
    let inverses = inverses(&case, &workspace).expect("far from singular");
    let tolerance = gradient_tolerance(&case, &inverses, false);
    let (gradient, want) = (case.gradient(&mut workspace), gradient_by_tape(&case));
    let compare = |gradient: &[f64]| agree("gradient", gradient, &want, |k| tolerance[k]);
    assert!(compare(&gradient).is_ok());
    for layer in case.model.shape().layers().iter().take(2) {
        for range in [layer.weight.clone(), layer.bias.clone()] {
            for wrong in [|x: f64| x * (1.0 + 1e-6), |_: f64| f64::NAN] {
                let mut gradient = gradient.clone();
                gradient[range.clone()].iter_mut().for_each(|x| *x = wrong(*x));
                assert!(compare(&gradient).is_err());
            }
        }
    }
}
