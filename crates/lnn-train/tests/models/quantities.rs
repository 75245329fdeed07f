//! Every quantity of a state against the oracle, and whatever block the state is in.

use lnn_train::model::{Model, States};
use lnn_train::quantities::{MissingMomenta, Quantity, StateEvaluator, StateQuantities};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::agreement::{agree, examples, largest};
use crate::case::{Case, case};
use crate::oracle::{self, Row};

fn evaluate(case: &Case) -> Result<StateQuantities<f64>, MissingMomenta> {
    Ok(StateEvaluator::new(&case.model, &case.parameters, None)?.evaluate(case.states()))
}

/// Tolerances as for rates and energies; momenta and mass matrices need no solve.
fn check(case: &Case, found: &StateQuantities<f64>) -> Result<(), TestCaseError> {
    let rows: Vec<Row> = (0..case.rows).map(|row| oracle::row(case, row)).collect();
    let condition = rows.iter().map(|row| row.condition).fold(1.0, f64::max);
    let unit = case.operations() * f64::EPSILON;
    let scale = 1.0 + largest(&case.q_dot).powi(2);
    let all = |part: fn(&Row) -> &[f64]| rows.iter().flat_map(|row| part(row).to_vec()).collect::<Vec<f64>>();
    let (velocity, acceleration) = (all(|row| &row.rates[0]), all(|row| &row.rates[1]));
    let solved = |want: &[f64]| unit * condition * (scale + largest(want));
    agree("velocity", &found.velocity, &velocity, solved(&velocity))?;
    agree("acceleration", &found.acceleration, &acceleration, solved(&acceleration))?;
    let energies: Vec<f64> = rows.iter().filter_map(|row| row.energy).collect();
    agree("energy", &found.energy, &energies, unit * (4.0 * scale + largest(&energies)))?;
    let (momentum, mass_matrix) = (all(|row| &row.momentum), all(|row| &row.mass_matrix));
    agree("momentum", &found.momentum, &momentum, unit * (scale + largest(&momentum)))?;
    agree("mass matrix", &found.mass_matrix, &mass_matrix, unit * (scale + largest(&mass_matrix)))?;
    if !matches!(&case.model, Model::Lagrangian(model) if model.velocity_units().is_some()) {
        for (&found, row) in found.condition.iter().zip(&rows) {
            // A condition is as uncertain as it is large.
            prop_assert!((found - row.condition).abs() <= unit * row.condition.powi(2) * scale, "{found}");
        }
    }
    let full = if case.model.has_mass_matrix() { vec![case.d; case.rows] } else { vec![] };
    prop_assert_eq!(&found.rank, &full);
    prop_assert_eq!(found.condition.len(), full.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn every_quantity_agrees_with_duals(case in case()) {
        match evaluate(&case) {
            Ok(found) => {
                prop_assert!(!case.model.is_canonical());
                check(&case, &found)?;
            }
            Err(MissingMomenta) => prop_assert!(case.model.is_canonical()),
        }
    }
}

#[test]
fn the_comparison_refuses_a_perturbed_quantity() {
    type Part = fn(&mut StateQuantities<f64>) -> &mut Vec<f64>;
    let parts: [Part; 5] = [
        |found| &mut found.velocity,
        |found| &mut found.acceleration,
        |found| &mut found.momentum,
        |found| &mut found.energy,
        |found| &mut found.mass_matrix,
    ];
    for case in examples().filter(|case| !case.model.is_canonical()) {
        let good = evaluate(&case).expect("no momenta are needed");
        assert!(check(&case, &good).is_ok());
        for part in parts {
            let mut found = good.clone();
            if part(&mut found).is_empty() {
                continue;
            }
            for value in part(&mut found) {
                *value *= 1.0 + 1e-7;
            }
            assert!(check(&case, &found).is_err(), "{:?}", case.model);
        }
    }
}

#[test]
fn a_state_is_the_same_alone_in_any_block_and_on_any_number_of_threads() {
    for case in examples().filter(|case| !case.model.is_canonical()) {
        // Rows of the example over and over, to more than two blocks and one row.
        let repeat = |values: &[f64]| values.repeat(43);
        let (q, q_dot, conditionals) = (repeat(&case.q), repeat(&case.q_dot), repeat(&case.conditionals));
        let states = States { q: &q, q_dot: &q_dot, conditionals: &conditionals };
        let evaluator = StateEvaluator::new(&case.model, &case.parameters, None).expect("no momenta are needed");
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| evaluator.evaluate(states))
        };
        let all = on(1);
        assert_eq!(all, on(3), "{:?}", case.model);
        let (d, c) = (case.d, case.model.features().conditionals());
        for row in [0, 1, 63, 64, 128] {
            let alone = evaluator.evaluate(States {
                q: &q[row * d..(row + 1) * d],
                q_dot: &q_dot[row * d..(row + 1) * d],
                conditionals: &conditionals[row * c..(row + 1) * c],
            });
            assert_eq!(alone.acceleration, all.acceleration[row * d..(row + 1) * d], "{:?}", case.model);
            assert_eq!(alone.energy.as_slice(), all.energy.get(row..=row).unwrap_or_default());
            assert_eq!(alone.rank.len(), usize::from(case.model.has_mass_matrix()));
        }
    }
}

#[test]
fn a_model_has_the_quantities_that_it_says_and_no_others() {
    for case in examples().filter(|case| !case.model.is_canonical()) {
        let found = evaluate(&case).expect("no momenta are needed");
        let has = |quantity| Quantity::of(&case.model).contains(&quantity);
        for (quantity, length) in [
            (Quantity::Acceleration, found.acceleration.len()),
            (Quantity::Momentum, found.momentum.len()),
            (Quantity::MomentumRate, found.momentum_rate.len()),
            (Quantity::Energy, found.energy.len()),
            (Quantity::MassMatrix, found.mass_matrix.len()),
            (Quantity::Condition, found.condition.len()),
            (Quantity::Rank, found.rank.len()),
        ] {
            assert_eq!(length > 0, has(quantity), "{:?}: {quantity}", case.model);
        }
    }
}
