//! The motion and its gradient do not depend on what coordinates are measured in, rank lost or not.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{Activation, MlpShape};
use lnn_train::model::LagrangianNetwork;
use proptest::prelude::*;

use crate::case::Case;
use crate::numbers::Numbers;

const TOLERANCE: Tolerance = Tolerance { relative: 1e-7, absolute: 0.0 };

/// A Lagrangian of q and q̇ over their units u, at the states and cotangents of `base` in these units; one hidden layer of
/// fewer units than coordinates and no residual mass make H deficient.
fn case(d: usize, hidden: usize, residual_mass: f64, units: &[f64], seed: u64) -> Case {
    let positions =
        (0..d).map(|index| Feature::Position { index, scale: 3.0 * units[index], centre: 0.5 * units[index] });
    let velocities = (0..d).map(|index| Feature::Velocity { index, scale: 2.0 * units[index] });
    let map = FeatureMap::new(d, 0, positions.chain(velocities).collect()).expect("indices in range");
    let shape = MlpShape::new(&[2 * d, hidden, 1], Activation::Softplus).expect("sizes above 0");
    let (rows, mut numbers) = (3, Numbers::new(seed));
    let parameters = numbers.take(shape.parameter_count(), 1.0);
    let in_units = |numbers: Vec<f64>, power: i32| {
        numbers.into_iter().enumerate().map(|(place, x)| x * units[place % d].powi(power)).collect()
    };
    let network = LagrangianNetwork::new(shape, map, residual_mass, Some(TOLERANCE)).expect("a valid model");
    Case {
        model: network.in_velocity_units(units).expect("units above 0"),
        parameters,
        rows,
        q: in_units(numbers.take(rows * d, 2.0), 1),
        q_dot: in_units(numbers.take(rows * d, 2.0), 1),
        conditionals: Vec::new(),
        lambda: in_units(numbers.take(rows * d, 1.0), -1),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Powers of two as units change no rounding at all.
    #[test]
    fn powers_of_two_change_no_bit(
        d in 1..=4_usize, hidden in 1..=4_usize, mass in prop::sample::select(vec![0.0, 1.0]),
        exponents in prop::collection::vec(-30..30_i32, 4), seed in any::<u64>(),
    ) {
        let units: Vec<f64> = exponents[..d].iter().map(|&exponent| 2.0_f64.powi(exponent)).collect();
        let (plain, scaled) = (case(d, hidden, mass, &vec![1.0; d], seed), case(d, hidden, mass, &units, seed));
        let [mut at_one, mut at_units] = [&plain, &scaled].map(|case| case.evaluate(&case.parameters));
        for row in 0..plain.rows {
            prop_assert_eq!(at_one.factors().rank(row), at_units.factors().rank(row));
            prop_assert_eq!(at_one.factors().eigenvalues(row), at_units.factors().eigenvalues(row));
        }
        let back: Vec<f64> =
            at_units.acceleration().iter().enumerate().map(|(place, x)| x / units[place % d]).collect();
        prop_assert_eq!(at_one.acceleration(), &*back);
        prop_assert_eq!(at_one.energy(), at_units.energy());
        prop_assert_eq!(plain.gradient(&mut at_one), scaled.gradient(&mut at_units));
    }
}

/// Without units H of a length in micrometres and an angle in radians seems to have lost its rank.
#[test]
fn the_rank_is_that_of_the_motion_and_not_of_the_units() {
    let units = [1e6, 1.0];
    let scaled = case(2, 1, 1.0, &units, 3);
    let map = scaled.model.features().clone();
    let shape = scaled.model.shape().clone();
    let plain = LagrangianNetwork::new(shape, map, 1e-12, Some(TOLERANCE)).expect("a valid model");
    let in_units = scaled.evaluate(&scaled.parameters);
    let without = Case { model: plain, ..scaled.clone() }.evaluate(&scaled.parameters);
    assert!((0..3).all(|row| in_units.factors().rank(row) == 2));
    assert!((0..3).all(|row| without.factors().rank(row) == 1));
}
