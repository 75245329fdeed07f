//! The exact motion of the wave equation, and circular waves of the charged string.

use std::f64::consts::PI;
use std::sync::Arc;

use lnn_graph::fields::{ChargedString, ExactWave, Field, Wave, gaussian_bump};
use lnn_graph::topology::Boundary::{Fixed, Free, Periodic};
use lnn_graph::topology::Topology;

use crate::case::{integrate, largest_difference, uniform};

fn lattices() -> Vec<Topology> {
    let mut all = vec![
        Topology::grid([4, 5], [Periodic, Fixed]).unwrap(),
        Topology::grid([3, 6], [Free, Periodic]).unwrap(),
        Topology::grid([2, 2], [Fixed, Free]).unwrap(),
    ];
    for n in [3, 4, 9, 10] {
        all.extend([Periodic, Fixed, Free].map(|boundary| Topology::line(n, boundary).unwrap()));
    }
    all
}

#[test]
fn the_exact_motion_starts_where_it_should_and_obeys_the_equation() {
    for topology in lattices() {
        let wave = Wave::new(Arc::new(topology), 1.3).unwrap();
        let n = wave.unknowns();
        let start = uniform(20, 2 * n, -1.0, 1.0);
        let mut exact = ExactWave::new(&wave, &start).unwrap();
        let mut state = vec![f64::NAN; 2 * n];
        exact.state_into(0.0, &mut state);
        // Two transforms of n orthogonal modes.
        let tolerance = 20.0 * n as f64 * f64::EPSILON;
        assert!(largest_difference(&state, &start) <= tolerance, "{wave:?}");
        let times = [0.0, 0.7, 10.0, 30.0];
        for (time, integrated) in times.iter().zip(integrate(&wave, &start, &times, 1e-12)) {
            exact.state_into(*time, &mut state);
            // The integrator's own error: 30 units of time at a tolerance of 1e-12 a step.
            let error = largest_difference(&state, &integrated);
            assert!(error <= 1e-9, "{error:e} at {time} of {wave:?}");
        }
    }
}

#[test]
fn plane_waves_obey_the_dispersion_relation() {
    let (n, c, t) = (12, 2.0, 3.7);
    let wave = Wave::new(Arc::new(Topology::line(n, Periodic).unwrap()), c).unwrap();
    for mode in 1..n {
        let k = 2.0 * PI * mode as f64 / n as f64;
        let omega = 2.0 * c * (0.5 * k).sin();
        let at = |t: f64| -> Vec<f64> {
            let phase = |i: usize| k * i as f64 - omega * t;
            (0..n).map(|i| phase(i).cos()).chain((0..n).map(|i| omega * phase(i).sin())).collect()
        };
        let mut state = vec![0.0; 2 * n];
        ExactWave::new(&wave, &at(0.0)).unwrap().state_into(t, &mut state);
        // Phases up to k n + ω t, each rounded, times the amplitude of the rate.
        let tolerance = 4.0 * f64::EPSILON * (n as f64 + 2.0 * PI * n as f64 + omega * t) * omega.max(1.0);
        let error = largest_difference(&state, &at(t));
        assert!(error <= tolerance, "mode {mode}: {error:e} > {tolerance:e}");
    }
}

#[test]
fn the_exact_motion_keeps_its_energy_for_ever() {
    for topology in lattices() {
        let wave = Wave::new(Arc::new(topology), 1.0).unwrap();
        let n = wave.unknowns();
        let mut start = uniform(21, 2 * n, -1.0, 1.0);
        // Without its drift, which would cost digits of the differences.
        let mean = start[n..].iter().sum::<f64>() / n as f64;
        start[n..].iter_mut().for_each(|rate| *rate -= mean);
        let energy = wave.state_energy(&start);
        let mut exact = ExactWave::new(&wave, &start).unwrap();
        let mut state = vec![0.0; 2 * n];
        for t in [1.0, 1e3, 1e6, -5.0] {
            exact.state_into(t, &mut state);
            let drift = (wave.state_energy(&state) / energy - 1.0).abs();
            assert!(drift <= 50.0 * n as f64 * f64::EPSILON, "{drift:e} at {t} of {wave:?}");
        }
    }
}

/// A bump splits, travels round a ring of 100 sites at nearly the speed c, and meets itself again after one
/// crossing: the paper's figure.
#[test]
fn a_bump_re_forms_after_one_crossing() {
    let ring = Topology::line(100, Periodic).unwrap();
    let start = gaussian_bump(&ring, &[50.0], 5.0, &[1.0]).unwrap();
    let wave = Wave::new(Arc::new(ring), 1.0).unwrap();
    let mut exact = ExactWave::new(&wave, &start).unwrap();
    let mut state = vec![0.0; 200];
    exact.state_into(50.0, &mut state);
    // Half way round the two halves overlap on the other side.
    assert!(state[0] > 0.9 && state[50].abs() < 0.1, "{} {}", state[0], state[50]);
    exact.state_into(100.0, &mut state);
    // Dispersion: ω = k − k³/24, so at k = 1/σ a phase of 100/(24·5³) = 0.033 after one crossing.
    assert!(largest_difference(&state[..100], &start[..100]) < 0.1);
}

#[test]
fn bumps() {
    let torus = Topology::grid([4, 5], [Periodic; 2]).unwrap();
    let state = gaussian_bump(&torus, &[3.5, 0.25], 1.5, &[2.0, -1.0]).unwrap();
    assert_eq!(state.len(), 80);
    assert_eq!(state[40..], [0.0; 40]);
    let height = |across: f64, along: f64| (-(across * across + along * along) / 4.5).exp();
    for (row, column, across, along) in [(0, 0, 0.5, 0.25), (1, 4, 1.5, 1.25), (3, 2, 0.5, 1.75), (2, 3, 1.5, 2.25)] {
        let phi = &state[2 * (5 * row + column)..][..2];
        assert!((phi[0] - 2.0 * height(across, along)).abs() <= 8.0 * f64::EPSILON, "{row} {column}");
        assert_eq!(phi[1], -0.5 * phi[0]);
    }
    let line = Topology::line(6, Fixed).unwrap();
    let state = gaussian_bump(&line, &[-1.0], 2.0, &[1.0]).unwrap();
    assert!((state[5] - (-36.0_f64 / 8.0).exp()).abs() <= 8.0 * f64::EPSILON);
}

/// y + iz = e^{i(kx + ωt)} with both roots of ω² + Bω = 4κ sin²(k/2), one turning slowly, one fast.
#[test]
fn circular_waves_of_the_charged_string() {
    let (n, stiffness, b) = (9, 0.8, 1.4);
    let string = ChargedString::new(Arc::new(Topology::line(n, Periodic).unwrap()), stiffness, b).unwrap();
    for mode in [1, 2, 4] {
        let k = 2.0 * PI * f64::from(mode) / n as f64;
        let root = (b * b + 16.0 * stiffness * (0.5 * k).sin().powi(2)).sqrt();
        for omega in [0.5 * (-b + root), 0.5 * (-b - root)] {
            assert!(omega.abs() <= string.largest_frequency());
            let at = |t: f64| -> Vec<f64> {
                let phase = |i: usize| k * i as f64 + omega * t;
                let phi = (0..n).flat_map(|i| [phase(i).cos(), phase(i).sin()]);
                phi.chain((0..n).flat_map(|i| [-omega * phase(i).sin(), omega * phase(i).cos()])).collect()
            };
            let end = integrate(&string, &at(0.0), &[0.0, 10.0], 1e-12).pop().unwrap();
            let error = largest_difference(&end, &at(10.0));
            assert!(error <= 1e-9, "mode {mode}, ω = {omega}: {error:e}");
        }
    }
}
