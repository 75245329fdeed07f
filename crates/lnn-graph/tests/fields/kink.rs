//! The kink of the sine-Gordon equation travels, and keeps its energy.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use lnn_graph::fields::{Field, Orientation, SineGordon, kink_position};
use lnn_graph::topology::{Boundary, Topology};

use crate::case::integrate;

/// A line of 40 units of length with points `spacing` apart.
fn line(spacing: f64) -> SineGordon {
    let sites = (40.0 / spacing).round() as usize + 1;
    SineGordon::with_spacing(Arc::new(Topology::line(sites, Boundary::Free).unwrap()), spacing).unwrap()
}

/// Relative errors of distance travelled and energy, over ten widths at half the speed of waves.
fn errors(spacing: f64, orientation: Orientation, velocity: f64) -> [f64; 2] {
    let field = line(spacing);
    let n = field.unknowns();
    let kink = field.kink(20.0 / spacing, velocity, orientation).unwrap();
    assert!((kink.width() * spacing - (1.0 - velocity * velocity).sqrt()).abs() < 1e-12);
    let duration = 10.0 * kink.width() / kink.velocity().abs();
    let mut start = vec![0.0; 2 * n];
    // Half the way before the middle, so that both ends stay far.
    kink.state_into(-0.5 * duration, &mut start);
    let end = integrate(&field, &start, &[0.0, duration], 1e-10).pop().unwrap();
    let [from, to] = [&start, &end].map(|state| kink_position(&state[..n]).unwrap());
    let travelled = (to - from) / (kink.velocity() * duration);
    let drift = field.state_energy(&end) / field.state_energy(&start) - 1.0;
    assert!(drift.abs() < 1e-8, "{drift:e}");
    [travelled - 1.0, field.state_energy(&start) / kink.energy() - 1.0]
}

/// The lattice's error is of second order: of the distance 1/24 w⁻², as its waves have ω = k − k³/24, of the
/// energy 1/72 w⁻². Measured within 4 % of that.
#[test]
fn kinks_travel_at_their_speed() {
    for velocity in [0.1_f64, 0.5, 0.8] {
        for spacing in [0.2, 0.1] {
            let width = (1.0 - velocity * velocity).sqrt() / spacing;
            let [distance, energy] = errors(spacing, Orientation::Kink, velocity).map(|error| -error * width * width);
            for (what, of_leading) in [("distance", 24.0 * distance), ("energy", 72.0 * energy)] {
                assert!((of_leading - 1.0).abs() <= 0.05, "{what} at v = {velocity}, h = {spacing}: {of_leading}");
            }
        }
    }
    // What the report of a learned field takes as truth: half the speed of waves at a spacing of 0.2.
    let [distance, energy] = errors(0.2, Orientation::Kink, 0.5);
    assert!(distance.abs() < 0.0025 && energy.abs() < 0.001, "{distance} {energy}");
}

#[test]
fn antikinks_and_kinks_to_the_left_are_mirror_images() {
    let right = errors(0.2, Orientation::Kink, 0.5);
    for (orientation, velocity) in
        [(Orientation::Kink, -0.5), (Orientation::Antikink, 0.5), (Orientation::Antikink, -0.5)]
    {
        let other = errors(0.2, orientation, velocity);
        for (a, b) in right.iter().zip(other) {
            // The lattice is the same from both sides; steps and interpolation differ by their tolerance.
            assert!((a - b).abs() < 1e-7, "{orientation:?} {velocity}: {a} and {b}");
        }
    }
}

#[test]
fn the_state_of_a_kink() {
    let field = SineGordon::new(Arc::new(Topology::line(60, Boundary::Free).unwrap()), 9.0, 0.5).unwrap();
    let kink = field.kink(30.0, 0.6, Orientation::Kink).unwrap();
    assert_eq!([kink.velocity(), kink.position(2.0)], [0.6 * 3.0, 30.0 + 2.0 * (0.6 * 3.0)]);
    assert!((kink.width() - 3.0 * 0.8 / 0.5).abs() < 1e-14);
    assert!((kink.energy() - 8.0 * 0.5 * 3.0 / 0.8).abs() < 1e-13);
    let mut state = vec![0.0; 120];
    kink.state_into(0.0, &mut state);
    let (phi, phi_dot) = state.split_at(60);
    assert!((phi[30] - PI).abs() <= 4.0 * f64::EPSILON);
    assert!(phi.windows(2).all(|pair| pair[0] < pair[1]) && phi[0] > 0.0 && phi[59] < TAU);
    // φ̇ is the derivative of φ in time: central differences, with an error of order dt².
    let dt = 1e-4;
    let [mut before, mut after] = [vec![0.0; 120], vec![0.0; 120]];
    kink.state_into(-dt, &mut before);
    kink.state_into(dt, &mut after);
    for i in 0..60 {
        let difference = (after[i] - before[i]) / (2.0 * dt);
        assert!((phi_dot[i] - difference).abs() < 1e-8, "{i}: {} and {difference}", phi_dot[i]);
    }
    // An antikink is the mirror image.
    field.kink(30.0, 0.6, Orientation::Antikink).unwrap().state_into(0.0, &mut before);
    for i in 0..60 {
        assert!((before[i] + phi[i] - TAU).abs() <= 8.0 * f64::EPSILON * TAU);
        assert_eq!(before[60 + i], -phi_dot[i]);
    }
    // At a distance of thousands of widths, where the exponential overflows.
    field.kink(-1e5, 0.0, Orientation::Kink).unwrap().state_into(0.0, &mut state);
    assert_eq!(state[..60], [TAU; 60]);
    assert!(state[60..].iter().all(|&rate| rate == 0.0));
}

#[test]
fn positions_between_sites() {
    let field = line(0.2);
    let n = field.unknowns();
    let mut state = vec![0.0; 2 * n];
    for step in 0..50 {
        let centre = 80.0 + 0.083 * f64::from(step);
        for orientation in [Orientation::Kink, Orientation::Antikink] {
            let kink = field.kink(centre, 0.3, orientation).unwrap();
            kink.state_into(0.0, &mut state);
            let error = (kink_position(&state[..n]).unwrap() - centre).abs();
            assert!(error <= 0.017 / kink.width().powi(2), "{error:e} at {centre}");
        }
    }
    assert_eq!(kink_position(&[0.0, PI, TAU]), Some(1.0));
    assert_eq!(kink_position(&[1.0, f64::NAN, 6.0]), None);
    assert_eq!(kink_position(&[6.0, 5.0]), None);
    assert_eq!(kink_position(&[]), None);
}
