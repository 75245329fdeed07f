//! Segments of a learned motion: the steps against the library's integrator, and the way back through them against
//! finite differences.

use std::convert::Infallible;

use lnn_autodiff::Activation;
use lnn_autodiff::jet::Accumulate;
use lnn_physics::integrators::solve_batch_at;
use lnn_train::config::AngleFeatures;
use lnn_train::model::{RatesMut, States};
use lnn_train::segment::SegmentBlock;
use proptest::prelude::*;

use crate::case::{Case, KINDS, case};

const DT: f64 = 0.05;

/// Steps of one length.
fn even_segments(case: &Case, steps: usize) -> SegmentBlock<f64> {
    segments_by(case, &vec![DT; steps * case.rows])
}

/// Each row and step with a length of its own, up to `DT`.
fn segments(case: &Case, steps: usize) -> SegmentBlock<f64> {
    let dt: Vec<f64> = (0..steps * case.rows).map(|place| DT * (1.0 - 0.5 * (place as f64).sin().abs())).collect();
    segments_by(case, &dt)
}

fn segments_by(case: &Case, dt: &[f64]) -> SegmentBlock<f64> {
    let mut segments = SegmentBlock::new(&case.model, case.rows + 1, dt.len() / case.rows + 1, true);
    segments.forward(case.model.bind(&case.parameters), case.states(), dt);
    segments
}

#[test]
fn each_row_goes_by_its_own_steps() {
    for kind in KINDS {
        let case = Case::new(kind, AngleFeatures::SinCos, Activation::Tanh, [2, 1, 3], &[9, 7], 5);
        let (width, rows, steps) = (2 * case.d * case.rows, case.rows, 4);
        let lengths = [DT, 0.5 * DT, 2.0 * DT];
        let dt: Vec<f64> = (0..steps * rows).map(|place| lengths[place % rows]).collect();
        let found = segments_by(&case, &dt);
        for (row, &length) in lengths.iter().enumerate() {
            // All rows by this row's steps.
            let even = segments_by(&case, &vec![length; steps * rows]);
            for place in (0..(steps + 1) * width).filter(|place| place % (rows * case.d) / case.d == row) {
                assert_eq!(found.states()[place], even.states()[place], "{kind:?} row {row}");
            }
        }
    }
}

/// A cotangent for every state.
fn states_bar(case: &Case, steps: usize) -> Vec<f64> {
    let lambda = case.lambda.concat();
    (0..=steps).flat_map(|step| lambda.iter().map(move |x| x * (1.0 - 0.3 * step as f64))).collect()
}

/// Σ λ·states over the whole segment.
fn scalar(case: &Case, steps: usize) -> f64 {
    segments(case, steps).states().iter().zip(states_bar(case, steps)).map(|(state, bar)| state * bar).sum()
}

#[test]
fn steps_are_those_of_the_integrator() {
    for kind in KINDS {
        let case = Case::new(kind, AngleFeatures::SinCos, Activation::Tanh, [2, 1, 3], &[9, 7], 5);
        let (d, rows, steps) = (case.d, case.rows, 6);
        let found = even_segments(&case, steps);
        let mut block = case.model.block::<f64>(rows, false);
        let join = |q: &[f64], q_dot: &[f64]| -> Vec<f64> {
            q.chunks_exact(d).zip(q_dot.chunks_exact(d)).flat_map(|(q, q_dot)| [q, q_dot].concat()).collect()
        };
        let right_hand_side = |_t: f64, states: &[f64], states_dot: &mut [f64]| {
            let half = |first: usize| -> Vec<f64> {
                states.chunks_exact(2 * d).flat_map(|state| state[first..first + d].to_vec()).collect()
            };
            let (q, q_dot) = (half(0), half(d));
            let [mut q_rate, mut q_dot_rate] = [(); 2].map(|()| vec![0.0; rows * d]);
            let states = States { q: &q, q_dot: &q_dot, conditionals: &case.conditionals };
            let rates = RatesMut { q: &mut q_rate, q_dot: &mut q_dot_rate };
            block.rates(case.model.bind(&case.parameters), states, rates);
            states_dot.copy_from_slice(&join(&q_rate, &q_dot_rate));
            Ok::<(), Infallible>(())
        };
        let times: Vec<f64> = (0..=steps).map(|step| DT * step as f64).collect();
        let initial = join(&case.q, &case.q_dot);
        let Ok(want) = solve_batch_at(DT, right_hand_side, &initial, 2 * d, &times) else { panic!("finite") };
        for (step, states) in found.states().chunks_exact(2 * rows * d).enumerate() {
            let (q, q_dot) = states.split_at(rows * d);
            for (row, state) in join(q, q_dot).chunks_exact(2 * d).enumerate() {
                for (&got, &want) in state.iter().zip(want.state(step, row)) {
                    // The integrator may take another number of roundings a step.
                    let tolerance = case.operations() * f64::EPSILON * steps as f64 * (1.0 + want.abs());
                    assert!((got - want).abs() <= tolerance, "{kind:?} step {step}: {got} {want}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]

    #[test]
    fn the_way_back_agrees_with_central_differences(
        case in case(), steps in 0..=6_usize, of_states in any::<bool>(), place in any::<prop::sample::Index>(),
    ) {
        let n = case.parameters.len();
        let place = if of_states { n + place.index(2 * case.q.len()) } else { place.index(n) };
        let mut segments = segments(&case, steps);
        // A motion that runs away has no usable difference.
        prop_assume!(segments.states().iter().all(|x| x.abs() < 50.0));
        let mut gradient = vec![f64::NAN; n];
        let networks = case.model.bind(&case.parameters);
        let initial_bar = segments.vjp(networks, &states_bar(&case, steps), Accumulate::Replace, &mut gradient);
        let got = match place.checked_sub(n) {
            None => gradient[place],
            Some(rest) => initial_bar[rest],
        };
        let (difference, truncation) = case.difference(place, |case| scalar(case, steps));
        let size = segments.states().iter().fold(1.0, |size: f64, x| size.max(x.abs()));
        // Rounding grows along a segment as the motion spreads, over 0.3 time units by little.
        let round_off = case.operations() * f64::EPSILON * (4 * steps + 1) as f64 * size * 4.0;
        let tolerance = truncation + round_off / Case::step();
        prop_assert!((got - difference).abs() <= tolerance, "{got:e} {difference:e} {tolerance:e}");
    }
}

/// The comparison above is tight enough to see a part in a thousand of a gradient.
#[test]
fn a_gradient_is_far_above_its_tolerance() {
    for kind in KINDS {
        let case = Case::new(kind, AngleFeatures::SinCos, Activation::Softplus, [2, 0, 2], &[8], 3);
        let steps = 5;
        let mut segments = segments(&case, steps);
        let mut gradient = vec![0.0; case.parameters.len()];
        let networks = case.model.bind(&case.parameters);
        segments.vjp(networks, &states_bar(&case, steps), Accumulate::Replace, &mut gradient);
        let round_off = case.operations() * f64::EPSILON * (4 * steps + 1) as f64 * 12.0 / Case::step();
        let largest = gradient.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
        assert!(1e-3 * largest > round_off, "{kind:?}: {largest:e} {round_off:e}");
    }
}
