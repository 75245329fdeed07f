//! True accelerations against those of the processor, at the same states.

use lnn_gpu::target::{DoublePendulum, RelativisticParticle};
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

#[test]
fn the_relativistic_particle_accelerates_as_on_the_processor() {
    let rows = 300;
    let state = |row: usize| {
        let unit = (0.37 * (row + 1) as f64).sin();
        // Up to some units of the last place below the speed of light.
        let velocity =
            if row.is_multiple_of(3) { 1.0 - 2.0_f32.powi(-((row % 22) as i32)) } else { (2.0 * unit).tanh() as f32 };
        [unit as f32, velocity, (10.0 * unit) as f32]
    };
    let states: Vec<f32> = (0..rows).flat_map(state).collect();
    let expected: Vec<f64> = states
        .chunks(3)
        .map(|state| {
            let [q, v, g] = [0, 1, 2].map(|i| f64::from(state[i]));
            let mut q_ddot = [0.0];
            systems::RelativisticParticle.acceleration_into(&[q], &[v], &[g], &mut q_ddot);
            q_ddot[0]
        })
        .collect();
    let accelerations = |states: &[f32]| {
        let (states, acceleration) = (buffer("states", states), poisoned("acceleration", rows));
        let stage = RelativisticParticle.acceleration(device(), rows, &states, &acceleration).unwrap();
        run(|recorder| stage.record(recorder));
        contents(&acceleration)
    };
    let scale: Vec<f64> = expected.iter().map(|x| x.abs()).collect();
    close(&accelerations(&states), &expected, &scale, FACTOR).unwrap_or_else(|far| panic!("{far:?}"));
    let mut perturbed = states.clone();
    perturbed[3 * 200 + 1] *= 1.0001;
    perturbed[3 * 10 + 1] = 1.0;
    perturbed[3 * 20 + 1] = f32::NAN;
    let got = accelerations(&perturbed);
    assert_eq!(close(&got[30..], &expected[30..], &scale[30..], FACTOR).unwrap_err().at, 170);
    assert!(got[10].is_nan() && got[20].is_nan());
}
