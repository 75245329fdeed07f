//! Rank k < d by construction, with a range that turns as the weights change: one hidden layer of k units and no
//! residual mass give `H = Σ_k ω_k σ″(z_k) w_k w_kᵀ`, w the velocities' weights over their scales.

use lnn_autodiff::{Activation, Scalar, Tape};
use proptest::prelude::*;

use crate::by_scalars::{Reading, gradient_tolerance, norm, parts};
use crate::case::{Case, Plan};
use crate::full_rank::{TELLING, eliminate};

/// Smooth activations with σ″ ≠ 0 almost everywhere, d = 2..=6 and 1 ≤ k < d.
fn plan() -> impl Strategy<Value = Plan> {
    use Activation::{Gelu, Sigmoid, Silu, Softplus, Tanh};
    let activation = prop::sample::select(vec![Softplus, Tanh, Sigmoid, Gelu, Silu]);
    let sizes = (2..=6_usize).prop_flat_map(|d| (Just(d), 1..d));
    (sizes, activation, 1..=3_usize, any::<u64>()).prop_map(|((d, units), activation, rows, seed)| Plan {
        d,
        conditionals: 0,
        // q of every coordinate, as plain positions: multiples of 6 that are i modulo d.
        features: (0..d).map(|i| 6 * i).collect(),
        hidden: vec![units],
        activation,
        residual_mass: 0.0,
        rows,
        seed,
    })
}

/// |H⁺|₂ of each row, or nothing where the eigenvalues that are not zero by construction spread over more than 10⁴ or
/// nearly vanish.
fn inverses(case: &Case) -> Option<Vec<f64>> {
    let rank = case.model.shape().dimensions()[1];
    let workspace = case.evaluate(&case.parameters);
    let inverse = |row: usize| {
        let mut values: Vec<f64> = workspace.factors().eigenvalues(row).iter().map(|value| value.abs()).collect();
        values.sort_by(|x, y| y.total_cmp(x));
        (values[0] < 1e4 * values[rank - 1] && values[rank - 1] > 1e-4).then(|| 1.0 / values[rank - 1])
    };
    (0..case.rows).map(inverse).collect()
}

/// `x = H⁺ r` on the tape for `H = W D Wᵀ` with W `[d, k]` of full column rank:
/// `H⁺ = W G⁻¹ D⁻¹ G⁻¹ Wᵀ`, `G = WᵀW`. It knows neither eigenvectors nor the constant-rank formula.
fn gradient_by_tape(case: &Case) -> Vec<f64> {
    let (d, shape) = (case.dof(), case.model.shape());
    let (units, inputs) = (shape.dimensions()[1], shape.inputs());
    let mut total = vec![0.0; case.parameters.len()];
    for row in 0..case.rows {
        let tape = Tape::new();
        let parameters: Vec<_> = case.parameters.iter().map(|&p| tape.variable(p)).collect();
        let state = case.state(row);
        let parts = parts(case, state, &parameters, Scalar::constant, Reading::Exact);
        // The d velocities are the last features, each over 2.
        let w = |i: usize, k: usize| parameters[k * inputs + inputs - d + i] / 2.0;
        let inner = |k: usize, x: &dyn Fn(usize) -> _| (1..d).fold(w(0, k) * x(0), |sum, i| sum + w(i, k) * x(i));
        let gram: Vec<_> = (0..units * units).map(|at| inner(at / units, &|i| w(i, at % units))).collect();
        let force = |i: usize| parts.position_gradient[i] - parts.mixed[i];
        let onto = eliminate(gram.clone(), (0..units).map(|k| inner(k, &force)).collect());
        // D from wᵢᵀ H wⱼ = (G D G)ᵢⱼ would lose digits; D is ω σ″(z), with σ″ by a second derivative along z.
        let curvature =
            |k: usize| second_by_duals(case, row, &parameters, k) * parameters[shape.layer(1).weight.start + k];
        let scaled = (0..units).map(|k| onto[k] / curvature(k)).collect();
        let back = eliminate(gram, scaled);
        let sum = (0..d)
            .map(|i| (1..units).fold(w(i, 0) * back[0], |sum, k| sum + w(i, k) * back[k]) * case.lambda(row)[i])
            .reduce(|sum, x| sum + x)
            .expect("d is at least 1");
        for (total, part) in total.iter_mut().zip(sum.gradient(&parameters)) {
            *total += part;
        }
    }
    total
}

/// σ″(z_k) of a hidden unit, z by the features and σ″ by nested duals of σ.
fn second_by_duals<S: Scalar>(case: &Case, row: usize, parameters: &[S], k: usize) -> S {
    let (shape, state) = (case.model.shape(), case.state(row));
    let n = shape.inputs();
    let (mut x, mut slope) = (vec![0.0; n], vec![0.0; n]);
    case.model.features().evaluate(state.q, state.q_dot, state.conditionals, &mut x, &mut slope);
    let bias = parameters[shape.layer(0).bias.start + k];
    let z = (0..n).fold(bias, |sum, i| sum + parameters[k * n + i] * x[i]);
    let z = crate::reference::second(z, S::one(), S::one(), S::zero());
    crate::reference::activation(shape.activation(), z).tangent.tangent
}

proptest! {
    #![proptest_config(ProptestConfig { max_global_rejects: 20_000, ..ProptestConfig::with_cases(80) })]

    #[test]
    fn the_adjoint_agrees_with_a_tape_and_finite_differences_below_full_rank(
        plan in plan(), place in any::<prop::sample::Index>(),
    ) {
        let case = plan.case();
        let inverses = inverses(&case);
        prop_assume!(inverses.is_some());
        let inverses = inverses.expect("assumed");
        let mut workspace = case.evaluate(&case.parameters);
        for row in 0..case.rows {
            prop_assert_eq!(workspace.factors().rank(row), plan.hidden[0]);
        }
        let gradient = case.gradient(&mut workspace);
        let tolerance = gradient_tolerance(&case, &inverses, true);
        let want = gradient_by_tape(&case);
        prop_assume!(norm(&tolerance) <= TELLING * norm(&want));
        for (k, want) in want.iter().enumerate() {
            let error = (gradient[k] - want).abs();
            prop_assert!(error <= tolerance[k], "{k}: {} and {want} differ by {error:e} > {:e}", gradient[k], tolerance[k]);
        }

        let place = place.index(case.parameters.len());
        let at = |step: f64| {
            let mut parameters = case.parameters.clone();
            parameters[place] += step;
            let workspace = case.evaluate(&parameters);
            workspace.acceleration().iter().zip(&case.lambda).map(|(x, lambda)| x * lambda).sum::<f64>()
        };
        let h = f64::EPSILON.cbrt();
        let (difference, wider) = ((at(h) - at(-h)) / (2.0 * h), (at(2.0 * h) - at(-2.0 * h)) / (4.0 * h));
        let noise: f64 = (0..case.rows).map(|row| {
            let size = crate::by_scalars::part_sizes(&case, row);
            let force = norm(&size.position_gradient) + norm(&size.mixed);
            let amplification = 1.0 + inverses[row] * norm(&size.mass_matrix);
            norm(case.lambda(row)) * inverses[row] * amplification * force
        }).sum();
        let tolerance = (wider - difference).abs() + 2.0 * case.unit() * noise / h;
        prop_assert!((gradient[place] - difference).abs() <= tolerance, "{place}: {} {difference} {tolerance:e}", gradient[place]);
    }
}

#[test]
fn both_constant_rank_terms_count() {
    // Rank 1 of 2 and rank 2 of 3, with parts of r and λ in the null space, so that both terms differ from zero: the
    // gradient for λ without that part is another one.
    for (d, units) in [(2, 1), (3, 2)] {
        let plan = |seed| Plan {
            d,
            conditionals: 0,
            features: (0..d).map(|i| 6 * i).collect(),
            hidden: vec![units],
            activation: Activation::Softplus,
            residual_mass: 0.0,
            rows: 1,
            seed,
        };
        let null_parts = |case: &Case| {
            let workspace = case.evaluate(&case.parameters);
            let (mut force, mut lambda) = (vec![0.0; d], vec![0.0; d]);
            workspace.factors().project_onto_null_space(0, workspace.force(), &mut force);
            workspace.factors().project_onto_null_space(0, &case.lambda, &mut lambda);
            (force, lambda)
        };
        let telling = |case: &Case| {
            let (force, lambda) = null_parts(case);
            let inverses = inverses(case);
            norm(&force) > 0.01 && norm(&lambda) > 0.1 && inverses.is_some_and(|inverses| inverses[0] < 1e3)
        };
        let case = (0..100).map(|seed| plan(seed).case()).find(telling).expect("one of a hundred");
        let tolerance = gradient_tolerance(&case, &inverses(&case).expect("found by it"), true);
        let gradient_for = |lambda: Vec<f64>| {
            let case = Case { lambda, ..case.clone() };
            let mut workspace = case.evaluate(&case.parameters);
            assert_eq!(workspace.factors().rank(0), units);
            (case.gradient(&mut workspace), gradient_by_tape(&case))
        };
        let (_, null_lambda) = null_parts(&case);
        let within = case.lambda.iter().zip(&null_lambda).map(|(lambda, null)| lambda - null).collect();
        let (gradient, want) = gradient_for(case.lambda.clone());
        let (gradient_within, want_within) = gradient_for(within);
        let close = |x: &[f64], y: &[f64]| (0..x.len()).all(|k| (x[k] - y[k]).abs() <= tolerance[k]);
        assert!(close(&gradient, &want) && close(&gradient_within, &want_within));
        assert!(!close(&gradient, &gradient_within) && !close(&want, &gradient_within));
    }
}
