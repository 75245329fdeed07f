//! Motions on the device against those of the processor.

use std::convert::Infallible;

use lnn_gpu::rollout::RungeKutta4;
use lnn_gpu::target::DoublePendulum;
use lnn_physics::integrators::{FixedStep, Rk4};
use lnn_physics::{System, systems};

use crate::buffers::{buffer, run};
use crate::close::{beyond, close};
use crate::ground::device;

const PENDULUM: DoublePendulum = DoublePendulum { masses: [1.0, 0.7], lengths: [1.0, 1.3], gravity: 9.8 };

fn states_of(motion: &RungeKutta4) -> Vec<f32> {
    let mut states = vec![0.0; motion.states().len()];
    device().download(motion.states(), 0, &mut states).unwrap();
    states
}

/// Starts of `state` numbers: rods at up to one radian, slow; what is behind the first four must stay.
fn starts(rows: usize, state: usize) -> Vec<f32> {
    (0..rows * state).map(|place| (0.37 * (place + 1) as f64).sin() as f32).collect()
}

fn on_device(rows: usize, state: usize, dt: f64, steps: usize, starts: &[f32]) -> Vec<f32> {
    let acceleration = device().buffer("acceleration", 2 * rows).unwrap();
    let motion = RungeKutta4::new(device(), rows, 2, state, dt, &acceleration).unwrap();
    let stage = PENDULUM.acceleration(device(), rows, state, motion.stage_states(), &acceleration).unwrap();
    // Twice, so that the second start forgets the first motion.
    for states in [vec![0.5; rows * state], starts.to_vec()] {
        motion.start(device(), &states).unwrap();
        run(|recorder| {
            for _ in 0..steps {
                motion.record_step(recorder, |recorder| stage.record(recorder));
            }
        });
    }
    states_of(&motion)
}

/// The same in double precision.
fn expected(state: usize, dt: f64, steps: usize, starts: &[f32]) -> Vec<f64> {
    let DoublePendulum { masses: [m1, m2], lengths: [l1, l2], gravity } = PENDULUM;
    let system = systems::DoublePendulum::new(m1, m2, l1, l2, gravity).unwrap();
    let mut derivative = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        let (q_dot, q_ddot) = y_dot.split_at_mut(2);
        q_dot.copy_from_slice(&y[2..]);
        system.acceleration_into(&y[..2], &y[2..], &[], q_ddot);
        Ok::<(), Infallible>(())
    };
    let mut all = Vec::new();
    for start in starts.chunks(state) {
        let start: Vec<f64> = start.iter().map(|&x| f64::from(x)).collect();
        let mut y = start[..4].to_vec();
        let mut method = Rk4::new(4);
        for step in 0..steps {
            method.step(&mut derivative, step as f64 * dt, dt, &mut y).unwrap();
        }
        all.extend(y);
        all.extend(&start[4..]);
    }
    all
}

#[test]
fn motions_are_those_of_double_precision() {
    for (rows, state, dt, steps) in [(1, 4, 0.1, 1), (33, 4, 0.02, 50), (70, 6, 0.05, 20)] {
        let starts = starts(rows, state);
        let got = on_device(rows, state, dt, steps, &starts);
        let want = expected(state, dt, steps, &starts);
        // Accelerations of a size of ten round by ε each step; errors of these slow motions grow by e in a third of a
        // second or so.
        let growth = 10.0 * (3.0 * dt * steps as f64).exp();
        close(&got, &want, &vec![growth; want.len()], 4.0).unwrap_or_else(|far| panic!("{rows} rows: {far:?}"));
        for (got, start) in got.chunks(state).zip(starts.chunks(state)) {
            assert_eq!(got[4..], start[4..], "conditionals stay");
        }
    }
}

#[test]
fn another_step_or_start_is_seen() {
    let mut starts = starts(5, 4);
    let want = expected(4, 0.02, 50, &starts);
    let tolerance = vec![10.0 * 3.0_f64.exp(); want.len()];
    let other_step = on_device(5, 4, 0.0201, 50, &starts);
    assert!(close(&other_step, &want, &tolerance, 4.0).is_err());
    starts[4 * 3] += 1e-3;
    let far = close(&on_device(5, 4, 0.02, 50, &starts), &want, &tolerance, 4.0).unwrap_err();
    assert_eq!(far.at / 4, 3);
}

/// A step of 1e-4 beside a thousand is not two units of the last place: without what rounding left, some percent of the
/// way would be lost or won.
#[test]
fn small_steps_of_a_far_state_are_not_lost() {
    let (rows, steps, dt, speed) = (3, 500, 1e-3, 0.1_f32);
    let none = buffer("acceleration", &[0.0; 3]);
    let motion = RungeKutta4::new(device(), rows, 1, 2, dt, &none).unwrap();
    motion.start(device(), &[1000.0, speed, -1000.0, speed, 0.0, speed]).unwrap();
    run(|recorder| {
        for _ in 0..steps {
            motion.record_step(recorder, |_| ());
        }
    });
    let way = steps as f64 * dt * f64::from(speed);
    let got = states_of(&motion);
    for (state, start) in got.chunks(2).zip([1000.0_f64, -1000.0, 0.0]) {
        // One rounding of the state that is seen, and those of the increments, which all have one sign.
        let tolerance = f64::from(f32::EPSILON) * (start.abs() + 4.0 * way);
        assert!(!beyond((f64::from(state[0]) - (start + way)).abs(), tolerance), "{state:?} from {start}");
        assert_eq!(state[1], speed);
    }
}

/// A motion that leaves the finite numbers does not touch the others, and stays there.
#[test]
fn a_motion_that_is_lost_is_lost_alone() {
    let mut starts = starts(4, 4);
    starts[4 + 2] = 3e38;
    let got = on_device(4, 4, 0.1, 3, &starts);
    let finite: Vec<bool> = got.chunks(4).map(|state| state.iter().all(|x| x.is_finite())).collect();
    assert_eq!(finite, [true, false, true, true]);
    let alone = on_device(1, 4, 0.1, 3, &starts[..4]);
    assert_eq!(got[..4], alone[..]);
}
