//! Acceleration, energy and frequencies against what the Lagrangian says by automatic differentiation.

use std::sync::Arc;

use lnn_graph::fields::{ChargedString, CompensatedSum, Field, SineGordon, Wave};
use lnn_graph::topology::{Boundary, Topology};
use lnn_physics::{EulerLagrange, Lagrangian};

use crate::case::{largest, largest_difference, topologies, uniform};

/// `rate_scale` bounds how strongly φ̇ enters φ̈.
fn check<F: Field + Lagrangian>(field: &F, rate_scale: f64) {
    let d = field.unknowns();
    assert_eq!(field.degrees_of_freedom(), d);
    let mut motion = EulerLagrange::new(field).unwrap();
    for stream in 0..4 {
        let (phi, phi_dot) = (uniform(2 * stream, d, -2.0, 2.0), uniform(2 * stream + 1, d, -3.0, 3.0));
        let dynamics = motion.evaluate(&phi, &phi_dot).unwrap();
        let mut phi_ddot = vec![f64::NAN; d];
        field.acceleration_into(&phi, &phi_dot, &mut phi_ddot);
        let omega = field.largest_frequency();
        let scale = omega * omega * largest(&phi) + rate_scale * largest(&phi_dot);
        let difference = largest_difference(&phi_ddot, &dynamics.acceleration);
        let tolerance = 10.0 * d as f64 * f64::EPSILON * scale;
        assert!(difference <= tolerance, "{field:?}: {difference:e} > {tolerance:e}");

        let energy = field.energy(&phi, &phi_dot);
        let scale = phi_dot.iter().map(|v| v * v).sum::<f64>() + omega * omega * phi.iter().map(|v| v * v).sum::<f64>();
        let tolerance = 10.0 * d as f64 * f64::EPSILON * scale;
        assert!((energy - dynamics.energy).abs() <= tolerance, "{field:?}: {energy} and {}", dynamics.energy);

        let mut density = vec![f64::NAN; field.topology().sites()];
        field.energy_density_into(&phi, &phi_dot, &mut density);
        assert!(density.iter().all(|&e| e >= 0.0), "{density:?}");
        let mut sum = CompensatedSum::default();
        density.iter().for_each(|&e| sum.add(e));
        assert_eq!(sum.total(), energy);
        let state = [phi, phi_dot].concat();
        assert_eq!(field.state_energy(&state), energy);
        let mut state_dot = vec![f64::NAN; 2 * d];
        field.state_derivative_into(&state, &mut state_dot);
        assert_eq!(state_dot, [&state[d..], &phi_ddot].concat());
    }
}

#[test]
fn waves() {
    for topology in topologies() {
        check(&Wave::new(topology.clone(), 1.7).unwrap(), 0.0);
        let speeds = uniform(100, topology.sites(), 0.3, 2.0);
        let wave = Wave::inhomogeneous(topology, speeds.clone()).unwrap();
        assert_eq!(wave.site_attributes(), speeds);
        assert_eq!(wave.site_attribute_names(), ["speed"]);
        check(&wave, 0.0);
    }
    let weighted = Topology::parse_edge_list("0 1 9 0.5\n1 2 9 2\n2 3 9 0\n3 0 9 1.25\n1 3 9 4", "net").unwrap();
    let wave = Wave::on_weighted_edges(Arc::new(weighted), 1).unwrap();
    assert_eq!(wave.site_attributes(), [0.0; 0]);
    check(&wave, 0.0);
    let mut phi_ddot = [0.0; 4];
    wave.acceleration_into(&[0.0, 1.0, 0.0, 0.0], &[0.0; 4], &mut phi_ddot);
    assert_eq!(phi_ddot, [0.5, -6.5, 2.0, 4.0]);
}

#[test]
fn sine_gordon() {
    for topology in topologies() {
        check(&SineGordon::new(topology, 2.5, 0.8).unwrap(), 0.0);
    }
}

#[test]
fn charged_strings() {
    for (topology, magnetic_field) in topologies().into_iter().zip([1.5, -0.7].into_iter().cycle()) {
        check(&ChargedString::new(topology, 0.9, magnetic_field).unwrap(), magnetic_field.abs());
    }
}

#[test]
fn a_medium_of_equal_speeds_is_homogeneous() {
    for topology in topologies() {
        let n = topology.sites();
        let phi = uniform(3, n, -1.0, 1.0);
        let (mut one, mut other) = (vec![0.0; n], vec![0.0; n]);
        let wave = Wave::new(topology.clone(), 1.5).unwrap();
        let same = Wave::inhomogeneous(topology, vec![1.5; n]).unwrap();
        wave.acceleration_into(&phi, &phi, &mut one);
        same.acceleration_into(&phi, &phi, &mut other);
        // Both sum at most four products of a rounded square.
        assert!(largest_difference(&one, &other) <= 8.0 * f64::EPSILON * 2.25 * 8.0);
        assert_eq!(wave.largest_frequency(), same.largest_frequency());
    }
}

#[test]
fn speeds_enter_by_the_mean_of_their_squares() {
    let line = Arc::new(Topology::line(3, Boundary::Fixed).unwrap());
    let wave = Wave::inhomogeneous(line, vec![1.0, 2.0, 4.0]).unwrap();
    let mut phi_ddot = [0.0; 3];
    wave.acceleration_into(&[1.0, 0.0, 1.0], &[0.0; 3], &mut phi_ddot);
    // c² between the sites 2.5 and 10; to the ends 1 and 16.
    assert_eq!(phi_ddot, [-3.5, 12.5, -26.0]);
    assert_eq!(wave.energy(&[1.0, 0.0, 1.0], &[0.0; 3]), 0.5 * (2.5 + 10.0 + 1.0 + 16.0));
}

/// The bound is reached on even periodic lattices, by the wave that alternates from site to site, and
/// never exceeded: Rayleigh quotients of the force from power iterations stay below.
#[test]
fn largest_frequencies() {
    let ring = Arc::new(Topology::line(6, Boundary::Periodic).unwrap());
    assert_eq!(Wave::new(ring.clone(), 3.0).unwrap().largest_frequency(), 6.0);
    assert_eq!(SineGordon::new(ring.clone(), 2.0, 1.0).unwrap().largest_frequency(), 3.0);
    assert_eq!(ChargedString::new(ring, 1.0, 3.0).unwrap().largest_frequency(), 4.0);
    let torus = Arc::new(Topology::grid([4, 6], [Boundary::Periodic; 2]).unwrap());
    assert_eq!(Wave::new(torus, 1.0).unwrap().largest_frequency(), 8.0_f64.sqrt());
    for topology in topologies() {
        let n = topology.sites();
        let wave = Wave::inhomogeneous(topology, uniform(7, n, 0.5, 3.0)).unwrap();
        let bound = wave.largest_frequency().powi(2);
        let (mut phi, mut force) = (uniform(8, n, -1.0, 1.0), vec![0.0; n]);
        let mut quotient = 0.0;
        for _ in 0..200 {
            let norm = phi.iter().map(|v| v * v).sum::<f64>().sqrt();
            if norm == 0.0 {
                break; // One free site alone: no force at all.
            }
            phi.iter_mut().for_each(|v| *v /= norm);
            wave.acceleration_into(&phi, &phi, &mut force);
            quotient = -phi.iter().zip(&force).map(|(a, b)| a * b).sum::<f64>();
            phi.copy_from_slice(&force);
        }
        assert!(quotient <= bound * (1.0 + 10.0 * n as f64 * f64::EPSILON), "{quotient} above {bound}");
        assert!(bound <= 2.0 * quotient, "a bound of use: {bound} for {quotient}");
    }
}

#[test]
fn the_energy_of_many_sites_is_accurate() {
    let n = 100_000;
    let wave = Wave::new(Arc::new(Topology::line(n, Boundary::Periodic).unwrap()), 1.0).unwrap();
    // 0.1² is not a binary number: a plain sum of 10⁵ of them is off in the twelfth digit.
    let (phi, phi_dot) = (vec![7.0; n], vec![0.1; n]);
    let one = wave.site_energy(0, &phi, &phi_dot);
    let exact = one * n as f64;
    assert!((wave.energy(&phi, &phi_dot) - exact).abs() <= f64::EPSILON * exact);
    assert!(((0..n).map(|_| one).sum::<f64>() - exact).abs() > 100.0 * f64::EPSILON * exact);
}
