//! The energies are those that the equations of motion conserve.

use std::sync::Arc;

use lnn_graph::fields::{ChargedString, Field, SineGordon, Wave};
use lnn_graph::topology::Boundary::{self, Fixed, Free, Periodic};
use lnn_graph::topology::Topology;

use crate::case::{integrate, runge_kutta, slope, uniform};

fn fields() -> Vec<Box<dyn Field>> {
    let line = |boundary: Boundary| Arc::new(Topology::line(7, boundary).unwrap());
    let grid = Arc::new(Topology::grid([3, 4], [Periodic, Fixed]).unwrap());
    let graph = Topology::parse_edge_list("0 1 0.5\n1 2 1\n2 0 0.25\n2 3 0.75", "net").unwrap();
    let mut fields: Vec<Box<dyn Field>> = vec![Box::new(Wave::on_weighted_edges(Arc::new(graph), 0).unwrap())];
    for topology in [line(Periodic), line(Fixed), line(Free), grid] {
        let speeds = uniform(1, topology.sites(), 0.5, 1.0);
        fields.push(Box::new(Wave::new(topology.clone(), 1.0).unwrap()));
        fields.push(Box::new(Wave::inhomogeneous(topology.clone(), speeds).unwrap()));
        fields.push(Box::new(SineGordon::new(topology.clone(), 0.7, 0.9).unwrap()));
        fields.push(Box::new(ChargedString::new(topology, 0.8, 0.6).unwrap()));
    }
    fields
}

fn start(field: &dyn Field) -> Vec<f64> {
    uniform(50, 2 * field.unknowns(), -1.5, 1.5)
}

/// The error of the energy falls as the method's order says, which it does for no other function of the
/// state.
#[test]
fn the_energy_error_has_the_order_of_the_method() {
    let steps = [60, 85, 120, 170, 240];
    for field in fields() {
        let start = start(&*field);
        let energy = field.state_energy(&start);
        let error = |&n: &u32| (field.state_energy(&runge_kutta(&*field, &start, 4.0, n)) / energy - 1.0).abs();
        let errors: Vec<f64> = steps.iter().map(error).collect();
        let dt = steps.map(|n| 4.0 / f64::from(n));
        let measured = slope(&dt, &errors);
        // Each step takes a share of (ω dt)⁶/72 from a linear wave. The nonlinear field has at least the order of
        // its states, 4.
        let expected = if field.name() == "sine-gordon" { 3.85..5.15 } else { 4.85..5.15 };
        assert!(expected.contains(&measured), "{field:?}: order {measured}, errors {errors:?}");
        assert!(errors.iter().all(|&e| e < 1e-4), "{field:?}: {errors:?}");
    }
}

#[test]
fn the_energy_stays() {
    for field in fields() {
        let start = start(&*field);
        let times: Vec<f64> = (0..=20).map(f64::from).collect();
        let energies: Vec<f64> =
            integrate(&*field, &start, &times, 1e-12).iter().map(|state| field.state_energy(state)).collect();
        // Measured: at most 3.2e-11 of the energy, from hundreds of steps of tolerance 1e-12.
        let drift = energies.iter().map(|e| (e / energies[0] - 1.0).abs()).fold(0.0, f64::max);
        assert!(drift <= 1e-10, "{field:?}: {drift:e}");
        // The density moves all the same.
        let [mut first, mut last] = [vec![0.0; field.topology().sites()], vec![0.0; field.topology().sites()]];
        let end = integrate(&*field, &start, &[0.0, 3.0], 1e-9).pop().unwrap();
        let d = field.unknowns();
        field.energy_density_into(&start[..d], &start[d..], &mut first);
        field.energy_density_into(&end[..d], &end[d..], &mut last);
        assert!(first.iter().zip(&last).any(|(a, b)| (a - b).abs() > 0.01 * energies[0]), "{field:?}");
    }
}

/// What the tests above would see if an end were wrong: without the springs to the fixed ends the energy is
/// not conserved.
#[test]
fn fixed_ends_store_energy() {
    let fixed = Wave::new(Arc::new(Topology::line(7, Fixed).unwrap()), 1.0).unwrap();
    let free = Wave::new(Arc::new(Topology::line(7, Free).unwrap()), 1.0).unwrap();
    let start = start(&fixed);
    let end = integrate(&fixed, &start, &[0.0, 3.0], 1e-12).pop().unwrap();
    let without = (free.state_energy(&end) / free.state_energy(&start) - 1.0).abs();
    assert!(without > 0.01, "{without}");
}
