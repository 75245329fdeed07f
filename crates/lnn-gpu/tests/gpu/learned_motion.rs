//! Motions of Lagrangian networks whose solutions are known.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::device::{Activity, Device, DeviceOptions};
use lnn_gpu::mlp::Tiles;
use lnn_gpu::rollout::{EndCause, LearnedMotion, MotionEnd};
use lnn_gpu::training::LagrangianModel;

use crate::close::beyond;
use crate::ground::device;

/// A network of d coordinates as they are, with one hidden layer of which `weights` `[used, 2d]` are the first units, each of
/// which counts once; the other units do not see the state.
fn model(d: usize, hidden: usize, activation: Activation, weights: &[f32], mass: f64) -> (LagrangianModel, Vec<f32>) {
    let positions = (0..d).map(|index| Feature::Position { index, scale: 1.0, centre: 0.0 });
    let velocities = (0..d).map(|index| Feature::Velocity { index, scale: 1.0 });
    let features = FeatureMap::new(d, 0, positions.chain(velocities).collect()).unwrap();
    let shape = MlpShape::new(&[2 * d, hidden, 1], activation).unwrap();
    let mut parameters = vec![0.0; shape.parameter_count()];
    parameters[..weights.len()].copy_from_slice(weights);
    let output = 2 * d * hidden + hidden;
    parameters[output..output + weights.len() / (2 * d)].fill(1.0);
    let tolerance = Tolerance { relative: 1e-5, absolute: 0.0 };
    (LagrangianModel { shape, features, masses: vec![mass; d], units: None, tolerance, potential: None }, parameters)
}

/// L = softplus(q̇₀) + softplus(q̇₁ + k q₁): with z = q̇₁ + k q₁ the equation of motion is ż = k (1 + eᶻ), and the mass
/// matrix is diag(σ′(q̇₀), σ′(z)), singular where z is infinite.
fn bursting(k: f32, hidden: usize) -> (LagrangianModel, Vec<f32>) {
    model(2, hidden, Activation::Softplus, &[0.0, 0.0, 1.0, 0.0, 0.0, k, 0.0, 1.0], 0.0)
}

fn planned((model, parameters): &(LagrangianModel, Vec<f32>), rows: usize, frames: usize) -> LearnedMotion {
    let motion = LearnedMotion::new(device(), model, rows, frames, &Tiles::default()).unwrap();
    motion.upload_parameters(parameters).unwrap();
    motion
}

/// Frames `[frames, rows, state]` after every `every` steps, and the ends.
fn moved(
    motion: &mut LearnedMotion,
    starts: &[f32],
    dt: f64,
    steps: usize,
    every: usize,
) -> (Vec<f32>, Vec<Option<MotionEnd>>) {
    motion.start(starts).unwrap();
    motion.set_step(dt).unwrap();
    motion.run(steps, every).unwrap();
    let mut frames = vec![0.0; steps / every * starts.len()];
    motion.download_frames(&mut frames).unwrap();
    (frames, motion.download_ends().unwrap())
}

/// States (q₀, q₁, q̇₀, q̇₁) whose z is −3 to −1.
fn slow(rows: usize, k: f32) -> Vec<f32> {
    let row = |row: usize| {
        let [a, b] = [0.37, 0.71].map(|rate| (rate * row as f32).sin());
        [a, 0.5 * b, 0.4 * b, -2.0 + a - k * 0.5 * b]
    };
    (0..rows).flat_map(row).collect()
}

const ROWS: usize = 100;
const STEPS: usize = 50;
const K: f32 = 0.5;

/// The first number of the frames that is far from the solution, as frame, row and error.
fn far(frames: &[f32], starts: &[f32], dt: f64) -> Option<(usize, usize, f64)> {
    let k = f64::from(K);
    for (frame, states) in frames.chunks(starts.len()).enumerate() {
        let t = dt * 10.0 * (frame + 1) as f64;
        for (row, (state, start)) in states.chunks(4).zip(starts.chunks(4)).enumerate() {
            let [q0, q1, q_dot0, q_dot1] = [0, 1, 2, 3].map(|at| f64::from(start[at]));
            let left = |t: f64| (1.0 + (-(q_dot1 + k * q1)).exp()) * (-k * t).exp() - 1.0;
            let z = -left(t).ln();
            // ∫ z by Simpson's rule gives q₁ through q̇₁ = z − k q₁.
            let parts = 200;
            let h = t / f64::from(parts);
            let source = |i: i32| (k * h * f64::from(i)).exp() * -left(h * f64::from(i)).ln();
            let sum: f64 = (0..parts / 2).map(|i| source(2 * i) + 4.0 * source(2 * i + 1) + source(2 * i + 2)).sum();
            let q1 = (-k * t).exp() * (q1 + sum * h / 3.0);
            let want = [q0 + q_dot0 * t, q1, q_dot0, z - k * q1];
            // Of numbers up to 3 the roundings of a step are ε or so, and the force is divided by σ′(z), at least 0.045 beside
            // 0.25; the field hardly stretches in this time. They add up over the steps, seldom with one sign.
            let tolerance = f64::from(f32::EPSILON) * 3.0 * (0.25 / 0.045) * (STEPS as f64).sqrt();
            let error = state.iter().zip(want).map(|(&got, want)| (f64::from(got) - want).abs());
            let error = error.fold(0.0, |a: f64, b| if b.is_nan() || b > a { b } else { a });
            if beyond(error, tolerance) {
                return Some((frame, row, error));
            }
        }
    }
    None
}

#[test]
fn motions_of_narrow_and_wide_networks_are_their_solutions() {
    for hidden in [2, 72] {
        let mut model = bursting(K, hidden);
        let (starts, dt) = (slow(ROWS, K), 1.0 / STEPS as f64);
        let mut motion = planned(&model, ROWS, 5);
        // Twice, so that the second start forgets the first motions.
        moved(&mut motion, &slow(ROWS, 0.9), 0.3, 2, 1);
        let (frames, ends) = moved(&mut motion, &starts, dt, STEPS, 10);
        assert_eq!(far(&frames, &starts, dt), None, "{hidden} units");
        assert!(ends.iter().all(Option::is_none), "{ends:?}");
        // In parts, with no frame and then with one, the bits are the same.
        motion.start(&starts).unwrap();
        motion.run(37, 38).unwrap();
        motion.run(13, 13).unwrap();
        let mut last = vec![0.0; starts.len()];
        motion.download_frames(&mut last).unwrap();
        assert_eq!(last[..], frames[4 * starts.len()..]);
        assert_eq!(motion.steps(), 50);
        // Another step or weight is seen.
        assert!(far(&moved(&mut motion, &starts, 1.001 * dt, STEPS, 10).0, &starts, dt).is_some());
        model.1[5] += 1e-3;
        motion.upload_parameters(&model.1).unwrap();
        assert!(far(&moved(&mut motion, &starts, dt, STEPS, 10).0, &starts, dt).is_some());
    }
}

#[test]
fn a_motion_ends_where_its_mass_matrix_is_singular_and_the_others_go_on() {
    let (k, dt) = (2.0, 1e-3);
    for hidden in [2, 72] {
        let model = bursting(k, hidden);
        let mut motion = planned(&model, 3, 8);
        let with = [0.3, -2.0, 0.5, -1.0, 0.3, 0.0, 0.5, 0.0, 0.1, -2.0, 0.2, -1.0];
        let without = [&with[..4], &with[..4], &with[8..]].concat();
        let (frames, ends) = moved(&mut motion, &with, dt, 400, 50);
        let (others, none) = moved(&mut motion, &without, dt, 400, 50);
        assert!(none.iter().all(Option::is_none), "{none:?}");
        assert!(ends[0].is_none() && ends[2].is_none(), "{ends:?}");
        // z₀ = 0 bursts at ln 2 / k = 0.3466, after frame 5 at 0.30.
        let end = ends[1].as_ref().expect("it bursts");
        let time = dt * (end.step as f64 + [0.0, 0.5, 0.5, 1.0][end.stage]);
        assert!((time - 2f64.ln() / f64::from(k)).abs() < 2e-3, "{end:?}");
        assert_eq!(end.cause, EndCause::Rank);
        let z = end.state[3] + k * end.state[1];
        assert!(z > 11.0 && end.state.iter().all(|x| x.is_finite()), "{end:?}");
        for (frame, (states, others)) in frames.chunks(12).zip(others.chunks(12)).enumerate() {
            assert_eq!((&states[..4], &states[8..]), (&others[..4], &others[8..]), "frame {frame}");
            let finite = states[4..8].iter().all(|x| x.is_finite());
            assert_eq!(finite, frame < 6, "frame {frame}: {states:?}");
        }
    }
}

/// L = tanh q̇ + tanh q: the mass matrix −2 tanh q̇ (1 − tanh² q̇) changes its sign with q̇, which falls to 0 in finite time.
#[test]
fn a_motion_ends_where_an_eigenvalue_changes_its_sign() {
    let mut motion = planned(&model(1, 2, Activation::Tanh, &[0.0, 1.0, 1.0, 0.0], 0.0), 2, 1);
    let (_, ends) = moved(&mut motion, &[0.0, 0.5, 0.0, -0.5], 1e-2, 100, 100);
    for end in ends {
        let end = end.expect("it ends");
        assert_eq!(end.cause, EndCause::Sign);
        // d(q̇²)/dt = 2 q̇ r / H is between −1 / (1 − tanh² ½)³ and −1 / (1 − tanh² ½ / 2)² or so.
        assert!((10..26).contains(&end.step), "{end:?}");
    }
}

#[test]
fn a_state_that_is_lost_is_told_from_a_singular_matrix() {
    let model = model(1, 2, Activation::Softplus, &[0.0, 1.0], 1.0);
    let mut motion = planned(&model, 2, 2);
    let (frames, ends) = moved(&mut motion, &[3.3e38, 3e38, 0.0, 1.0], 1.0, 2, 1);
    let end = ends[0].as_ref().expect("lost");
    assert_eq!((end.cause, end.step, end.stage), (EndCause::State, 0, 1), "{end:?}");
    assert!(ends[1].is_none() && frames[2].is_finite() && !frames[0].is_finite(), "{frames:?}");
    // Before any step nothing has been looked at.
    motion.start(&[f32::NAN, 0.0, 0.0, 1.0]).unwrap();
    assert_eq!(motion.download_ends().unwrap(), [None, None]);
}

#[test]
fn nothing_is_made_or_moved_between_the_steps() {
    for hidden in [2, 72] {
        // Of its own, so that no other test is counted.
        let device = Device::open(&DeviceOptions::checked()).unwrap();
        let (model, parameters) = bursting(K, hidden);
        let mut motion = LearnedMotion::new(&device, &model, 10, 4, &Tiles::default()).unwrap();
        motion.upload_parameters(&parameters).unwrap();
        motion.start(&slow(10, K)).unwrap();
        motion.set_step(1e-3).unwrap();
        for (steps, submissions) in [(1, 1), (32, 1), (100, 4), (100, 4)] {
            let before = device.activity();
            motion.run(steps, 25).unwrap();
            let want = Activity { submissions: before.submissions + submissions, ..before };
            assert_eq!(device.activity(), want, "{hidden} units, {steps} steps");
        }
    }
}
