//! True accelerations against those of the processor, at the same states.

use lnn_gpu::target::DoublePendulum;
use lnn_physics::System;
use lnn_physics::systems;

use crate::buffers::{buffer, contents, poisoned, run};
use crate::close::close;
use crate::ground::device;

const PENDULUMS: [DoublePendulum; 3] = [
    DoublePendulum { masses: [1.0, 1.0], lengths: [1.0, 1.0], gravity: 9.8 },
    DoublePendulum { masses: [0.3, 2.0], lengths: [1.7, 0.6], gravity: 9.81 },
    DoublePendulum { masses: [5.0, 0.01], lengths: [0.2, 3.0], gravity: -1.6 },
];

fn accelerations(pendulum: &DoublePendulum, state: usize, states: &[f32]) -> Vec<f32> {
    let rows = states.len() / state;
    let acceleration = poisoned("acceleration", 2 * rows);
    let stage = pendulum.acceleration(device(), rows, state, &buffer("states", states), &acceleration).unwrap();
    run(|recorder| stage.record(recorder));
    contents(&acceleration)
}

/// Accelerations in double precision, and the sums of the magnitudes that they are differences of.
fn expected(pendulum: &DoublePendulum, state: usize, states: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let DoublePendulum { masses: [m1, m2], lengths: [l1, l2], gravity } = *pendulum;
    let system = systems::DoublePendulum::new(m1, m2, l1, l2, gravity).unwrap();
    let (mut want, mut scale) = (Vec::new(), Vec::new());
    for state in states.chunks(state) {
        let [t1, t2, w1, w2] = [0, 1, 2, 3].map(|i| f64::from(state[i]));
        let mut q_ddot = [0.0; 2];
        system.acceleration_into(&[t1, t2], &[w1, w2], &[], &mut q_ddot);
        want.extend(q_ddot);
        let (sine, cosine) = (t1 - t2).sin_cos();
        let (mu, ratio) = (m2 / (m1 + m2), l2 / l1);
        let f1 = mu * ratio * w2 * w2 * sine.abs() + (gravity / l1 * t1.sin()).abs();
        let f2 = w1 * w1 * sine.abs() / ratio + (gravity / l2 * t2.sin()).abs();
        let determinant = m1 / (m1 + m2) + mu * sine * sine;
        scale.push((f1 + mu * ratio * cosine.abs() * f2) / determinant);
        scale.push((f2 + cosine.abs() / ratio * f1) / determinant);
    }
    (want, scale)
}

/// Angles of some turns and rates as in the paper, some in nearly equal angles.
fn states(rows: usize, state: usize) -> Vec<f32> {
    let number = |row: usize, i: usize| (0.37 * (1 + row * 5 + i * i) as f64).sin();
    let component = |place: usize| 10.0 * number(place / state, place % state);
    let mut states: Vec<f32> = (0..rows * state).map(|place| component(place) as f32).collect();
    for row in (0..rows).step_by(7) {
        states[row * state + 1] = states[row * state] + 1e-4 * number(row, 9) as f32;
    }
    states
}

/// Some ten roundings on the longest way, and quotients that may be off by 2.5 units.
const FACTOR: f64 = 16.0;

#[test]
fn the_double_pendulum_accelerates_as_on_the_processor() {
    for pendulum in PENDULUMS {
        for (rows, state) in [(1, 4), (63, 4), (300, 6)] {
            let states = states(rows, state);
            let (want, scale) = expected(&pendulum, state, &states);
            let got = accelerations(&pendulum, state, &states);
            close(&got, &want, &scale, FACTOR).unwrap_or_else(|far| panic!("{pendulum:?}, {rows} rows: {far:?}"));
        }
    }
}

#[test]
fn angles_of_many_turns_and_tiny_ones_keep_their_digits() {
    let states = [
        1e6, -1e6, 3.0, -2.0, 1e-9, -2e-12, 0.0, 0.0, 3e12, 12.0, 1.0, 1.0, 0.0, 0.0, 7.0, 7.0, 5e-4, 4e-4, 3.0,
        3.0_f32,
    ];
    let (want, scale) = expected(&PENDULUMS[0], 4, &states);
    close(&accelerations(&PENDULUMS[0], 4, &states), &want, &scale, FACTOR).unwrap_or_else(|far| panic!("{far:?}"));
}

#[test]
fn a_perturbed_state_is_seen_and_one_that_is_not_finite_is_nan() {
    let mut states = states(50, 4);
    let (want, scale) = expected(&PENDULUMS[1], 4, &states);
    states[4 * 20] += 1e-4;
    let far = close(&accelerations(&PENDULUMS[1], 4, &states), &want, &scale, FACTOR).unwrap_err();
    assert_eq!(far.at / 2, 20);
    for component in 0..4 {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut state = [0.1, 0.2, 0.3, 0.4];
            state[component] = bad;
            assert!(accelerations(&PENDULUMS[0], 4, &state).iter().all(|x| !x.is_finite()), "{component}, {bad}");
        }
    }
}
