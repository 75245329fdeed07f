//! Models and oracle, compared.

use lnn_autodiff::Activation;
use lnn_autodiff::jet::Accumulate;
use lnn_train::config::{AngleFeatures, ModelKind};
use lnn_train::model::{Rates, RatesMut};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::case::{Case, Found, KINDS, case};
use crate::oracle::{self, Row};

pub(crate) fn largest<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    values.into_iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

pub(crate) fn agree(name: &str, got: &[f64], want: &[f64], tolerance: f64) -> Result<(), TestCaseError> {
    prop_assert_eq!(got.len(), want.len(), "{}", name);
    for (index, (&got, &want)) in got.iter().zip(want).enumerate() {
        prop_assert!(
            (got - want).abs() <= tolerance,
            "{name}[{index}]: {got:e} against {want:e}, {tolerance:e} allowed"
        );
    }
    Ok(())
}

/// n ε of the largest number, and of what the networks' terms of order 1 add up to before they cancel, times the worst
/// condition number, twice in a gradient, which passes through the solve twice.
fn check(case: &Case, found: &Found) -> Result<(), TestCaseError> {
    let rows: Vec<Row> = (0..case.rows).map(|row| oracle::row(case, row)).collect();
    let condition = rows.iter().map(|row| row.condition).fold(1.0, f64::max);
    let unit = case.operations() * f64::EPSILON;
    let scale = 1.0 + largest(&case.q_dot).powi(2);
    for part in 0..2 {
        let want = rows.iter().flat_map(|row| row.rates[part].clone()).collect::<Vec<_>>();
        agree("rates", &found.rates[part], &want, unit * condition * (scale + largest(&want)))?;
    }
    let energies: Vec<f64> = rows.iter().filter_map(|row| row.energy).collect();
    agree("energy", &found.energy, &energies, unit * (4.0 * scale + largest(&energies)))?;
    let gradients = oracle::gradients(case);
    let all = found.rates.iter().flatten().chain(&gradients.parameters).chain(gradients.states.iter().flatten());
    let tolerance = unit * condition.powi(2) * scale * (1.0 + largest(all)).powi(2);
    agree("parameter gradient", &found.gradient, &gradients.parameters, tolerance)?;
    for part in 0..2 {
        agree("states' cotangent", &found.states_bar[part], &gradients.states[part], tolerance)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(240))]

    #[test]
    fn every_model_agrees_with_duals_and_tape(case in case()) {
        check(&case, &case.run())?;
    }

    #[test]
    fn the_way_back_agrees_with_finite_differences(
        case in case(), of_states in any::<bool>(), place in any::<prop::sample::Index>(),
    ) {
        let found = case.run();
        let choices = case.parameters.len() + case.q.len() + case.q_dot.len();
        // Half of the cases are about the states, which are few.
        let n = case.parameters.len();
        let place = if of_states { n + place.index(choices - n) } else { place.index(n) };
        let (difference, truncation) = case.difference(place, Case::scalar);
        let condition = (0..case.rows).map(|row| oracle::row(&case, row).condition).fold(1.0, f64::max);
        let rates = largest(found.rates.iter().flatten());
        let round_off = case.operations() * f64::EPSILON * condition * case.rows as f64 * (5.0 + rates);
        let (got, tolerance) = (found.derivative(place), truncation + round_off / Case::step());
        prop_assert!((got - difference).abs() <= tolerance, "{got:e} {difference:e} {tolerance:e}");
    }
}

pub(crate) fn examples() -> impl Iterator<Item = Case> {
    let case = |kind| Case::new(kind, AngleFeatures::SinCos, Activation::Softplus, [2, 1, 3], &[13, 9], 7);
    KINDS.into_iter().map(case)
}

#[test]
fn gradients_are_within_1e_9_of_the_tape() {
    for case in examples() {
        let (found, want) = (case.run(), oracle::gradients(&case));
        let size = largest(&want.parameters);
        for (got, want) in found.gradient.iter().zip(&want.parameters) {
            assert!((got - want).abs() <= 1e-9 * size, "{:?}: {got:e} against {want:e}", case.model);
        }
    }
}

#[test]
fn the_comparison_refuses_a_perturbed_result() {
    for case in examples() {
        let good = case.run();
        assert!(check(&case, &good).is_ok());
        type Part = fn(&mut Found) -> &mut Vec<f64>;
        let parts: [Part; 6] = [
            |found| &mut found.rates[0],
            |found| &mut found.rates[1],
            |found| &mut found.energy,
            |found| &mut found.gradient,
            |found| &mut found.states_bar[0],
            |found| &mut found.states_bar[1],
        ];
        for part in parts {
            for wrong in [|x: f64| x * (1.0 + 1e-7), |_: f64| f64::NAN] {
                let mut found = good.clone();
                let values = part(&mut found);
                if values.is_empty() {
                    continue;
                }
                for value in values {
                    *value = wrong(*value);
                }
                assert!(check(&case, &found).is_err(), "{:?}", case.model);
            }
        }
    }
}

/// Single wrong entries are seen too, of those that are not small beside the others.
#[test]
fn the_comparison_refuses_a_single_perturbed_entry() {
    for case in examples() {
        let good = case.run();
        let largest_entry = largest(&good.gradient);
        let places = (0..good.gradient.len()).filter(|&place| good.gradient[place].abs() > 1e-2 * largest_entry);
        for place in places.step_by(5) {
            let mut found = good.clone();
            found.gradient[place] *= 1.0 + 1e-6;
            assert!(check(&case, &found).is_err(), "{:?}: parameter {place}", case.model);
        }
        for place in 0..good.states_bar[0].len() {
            for part in 0..2 {
                let mut found = good.clone();
                found.states_bar[part][place] += 1e-7;
                assert!(check(&case, &found).is_err(), "{:?}: state {place}", case.model);
            }
        }
    }
}

/// A mass matrix of constant rank below d: the pseudoinverse's two further terms on the way back, by finite differences.
#[test]
fn rank_deficient_mass_matrices_reach_parameters_and_states() {
    let kind = ModelKind::Lnn {
        residual_mass: 0.0,
        pseudoinverse_tolerance: 1e-9,
        potential_scale: None,
        scaled_velocities: false,
    };
    for (d, hidden, seed) in [(2, 1, 1), (3, 1, 2), (3, 2, 3), (4, 2, 4)] {
        let case = Case::new(kind, AngleFeatures::SinCos, Activation::Softplus, [d, 1, 2], &[hidden], seed);
        let found = case.run();
        let mut block = case.model.block::<f64>(case.rows, false);
        let [mut q, mut q_dot] = [(); 2].map(|()| vec![0.0; case.q.len()]);
        block.rates(case.model.bind(&case.parameters), case.states(), RatesMut { q: &mut q, q_dot: &mut q_dot });
        let factors = block.mass_matrices().expect("a Lagrangian network has them");
        let n = case.parameters.len();
        for place in 0..n + 2 * case.q.len() {
            let (difference, truncation) = case.difference(place, Case::scalar);
            let inverse = (0..case.rows).fold(0.0, |inverse: f64, row| {
                assert_eq!(factors.rank(row), hidden, "the rank is that of the hidden layer");
                let sizes = factors.eigenvalues(row).iter().map(|value| value.abs());
                let kept = sizes.clone().fold(0.0, f64::max) * 1e-9;
                inverse.max(1.0 / sizes.filter(|&size| size > kept).fold(f64::INFINITY, f64::min))
            });
            let rates = largest(found.rates.iter().flatten());
            let round_off = case.operations() * f64::EPSILON * (1.0 + inverse) * (5.0 + rates);
            let (got, tolerance) = (found.derivative(place), truncation + round_off / Case::step());
            assert!((got - difference).abs() <= tolerance, "d = {d}, {place}: {got:e} {difference:e} {tolerance:e}");
        }
    }
}

/// After an energy, which overwrites the block, there is no way back to the block before.
#[test]
fn the_way_back_needs_the_rates_of_its_block() {
    for case in examples() {
        let run = |with_energy: bool| {
            std::panic::catch_unwind(|| {
                let mut block = case.model.block::<f64>(case.rows, true);
                let networks = case.model.bind(&case.parameters);
                let [mut q, mut q_dot] = [(); 2].map(|()| vec![0.0; case.q.len()]);
                block.rates(networks, case.states(), RatesMut { q: &mut q, q_dot: &mut q_dot });
                let has_energy = with_energy && block.energy(networks, case.states(), &mut vec![0.0; case.rows]);
                let lambda = Rates { q: &case.lambda[0], q_dot: &case.lambda[1] };
                let mut gradient = vec![0.0; case.parameters.len()];
                block.vjp(networks, lambda, Accumulate::Replace, &mut gradient, None);
                has_energy
            })
        };
        assert_eq!(run(false).ok(), Some(false), "{:?}", case.model);
        // A model without an energy leaves its block as it is.
        assert_ne!(run(true).ok(), Some(true), "{:?}", case.model);
    }
}

/// Gradients add to what is there, and a second way back of the same block gives the same.
#[test]
fn gradients_accumulate_and_repeat() {
    for case in examples() {
        let once = case.run().gradient;
        let mut block = case.model.block::<f64>(case.rows, true);
        let networks = case.model.bind(&case.parameters);
        let [mut q, mut q_dot] = [(); 2].map(|()| vec![0.0; case.q.len()]);
        block.rates(networks, case.states(), RatesMut { q: &mut q, q_dot: &mut q_dot });
        let lambda = Rates { q: &case.lambda[0], q_dot: &case.lambda[1] };
        let mut twice = vec![f64::NAN; once.len()];
        block.vjp(networks, lambda, Accumulate::Replace, &mut twice, None);
        block.vjp(networks, lambda, Accumulate::Add, &mut twice, None);
        let tolerance = case.operations() * f64::EPSILON * largest(&once);
        for (twice, once) in twice.iter().zip(&once) {
            assert!((twice - 2.0 * once).abs() <= tolerance, "{:?}: {twice:e} {once:e}", case.model);
        }
    }
}
