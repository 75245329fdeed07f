//! The baselines: Hamiltonian rates and their gradient, plain accelerations and theirs, against differences.

use std::sync::Arc;

use lnn_autodiff::Activation;
use lnn_autodiff::jet::Accumulate;
use lnn_graph::topology::{Boundary, Topology};
use lnn_graph::{Density, FieldFeatures, FieldHamiltonian, HamiltonianBlock, Neighbourhood, PlainBlock, PlainField};

use crate::case::numbers;

fn topologies() -> Vec<(Topology, Neighbourhood)> {
    let line = |n, boundary| Topology::line(n, boundary).expect("a line");
    let grid = Topology::grid([3, 4], [Boundary::Periodic, Boundary::Free]).expect("a grid");
    vec![
        (line(3, Boundary::Periodic), Neighbourhood::Line),
        (line(7, Boundary::Fixed), Neighbourhood::Line),
        (line(6, Boundary::Free), Neighbourhood::Pairs),
        (grid.clone(), Neighbourhood::Grid),
        (grid, Neighbourhood::Pairs),
    ]
}

/// Central differences of `value` by every number of `at`, to h².
fn differences(at: &[f64], mut value: impl FnMut(&[f64]) -> f64) -> Vec<f64> {
    let h = f64::EPSILON.cbrt();
    let mut at = at.to_vec();
    (0..at.len())
        .map(|index| {
            let original = at[index];
            at[index] = original + h;
            let plus = value(&at);
            at[index] = original - h;
            let minus = value(&at);
            at[index] = original;
            (plus - minus) / (2.0 * h)
        })
        .collect()
}

fn assert_differences(what: &str, got: &[f64], want: &[f64]) {
    let h = f64::EPSILON.cbrt();
    let largest = want.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
    for (index, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= 300.0 * h * h * largest, "{what}[{index}]: {got:e}, {want:e}");
    }
}

fn weights(density: &Density, seed: u64) -> Vec<f64> {
    numbers(seed, density.parameter_count()).iter().map(|x| 0.7 * x).collect()
}

#[test]
fn hamiltonian_rates_are_the_slopes_of_the_energy_and_their_gradient_is_their_derivative() {
    for (topology, neighbourhood) in topologies() {
        let density = Density::new(neighbourhood, FieldFeatures::scalar(), &[6, 5], Activation::Tanh).expect("valid");
        let parameters = weights(&density, 3);
        let hamiltonian = FieldHamiltonian::new(density, Arc::new(topology), &[]).expect("fits");
        let n = hamiltonian.unknowns();
        let (phi, pi) = (numbers(4, n), numbers(5, n));
        let mut block = HamiltonianBlock::<f64>::new(&hamiltonian, 1, true);
        let mut energy = |parameters: &[f64], phi: &[f64], pi: &[f64]| {
            let mut energy = [f64::NAN];
            block.energy_into(parameters, phi, pi, &mut energy);
            energy[0]
        };
        let by_phi = differences(&phi, |phi| energy(&parameters, phi, &pi));
        let by_pi = differences(&pi, |pi| energy(&parameters, &phi, pi));
        let (mut phi_rate, mut pi_rate) = (vec![f64::NAN; n], vec![f64::NAN; n]);
        block.rates_into(&parameters, &phi, &pi, &mut phi_rate, &mut pi_rate);
        assert_differences("φ̇ = ∂H/∂π", &phi_rate, &by_pi);
        let negated: Vec<f64> = by_phi.iter().map(|x| -x).collect();
        assert_differences("π̇ = −∂H/∂φ", &pi_rate, &negated);

        let lambda = [numbers(6, n), numbers(7, n)];
        let mut gradient = vec![f64::NAN; parameters.len()];
        block.gradient(&parameters, [&lambda[0], &lambda[1]], Accumulate::Replace, &mut gradient);
        let want = differences(&parameters, |parameters| {
            let (mut phi_rate, mut pi_rate) = (vec![0.0; n], vec![0.0; n]);
            block.rates_into(parameters, &phi, &pi, &mut phi_rate, &mut pi_rate);
            let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            product(&phi_rate, &lambda[0]) + product(&pi_rate, &lambda[1])
        });
        assert_differences("gradient", &gradient, &want);
    }
}

#[test]
fn a_plain_networks_gradient_is_its_derivative_and_its_acceleration_is_local() {
    for (topology, neighbourhood) in topologies() {
        let features = FieldFeatures::scalar();
        let network = Density::with_outputs(neighbourhood, features, &[6, 5], 1, Activation::Tanh).expect("valid");
        let parameters = weights(&network, 8);
        let topology = Arc::new(topology);
        let field = PlainField::new(network, Arc::clone(&topology), &[]).expect("fits");
        let n = field.unknowns();
        let (phi, phi_dot, lambda) = (numbers(9, 2 * n), numbers(10, 2 * n), numbers(11, 2 * n));
        let mut block = PlainBlock::<f64>::new(&field, 2, true);
        let mut acceleration = |parameters: &[f64], phi: &[f64]| {
            let mut acceleration = vec![f64::NAN; 2 * n];
            block.acceleration_into(parameters, phi, &phi_dot, &mut acceleration);
            acceleration
        };
        // A change at site 0 of the first sample is felt there and by its neighbours only.
        let before = acceleration(&parameters, &phi);
        let mut changed = phi.clone();
        changed[0] += 0.5;
        let after = acceleration(&parameters, &changed);
        let felt: Vec<usize> = (0..2 * n).filter(|&i| before[i] != after[i]).collect();
        let expected: Vec<usize> = (0..n).filter(|&site| site == 0 || topology.neighbours(0).contains(&site)).collect();
        assert_eq!(felt, expected);

        let want = differences(&parameters, |parameters| {
            acceleration(parameters, &phi).iter().zip(&lambda).map(|(a, l)| a * l).sum()
        });
        let mut gradient = vec![f64::NAN; parameters.len()];
        acceleration(&parameters, &phi);
        block.gradient(&parameters, &lambda, Accumulate::Replace, &mut gradient);
        assert_differences("gradient", &gradient, &want);
    }
}

/// Several chunks, several components, attributes: the block's gradient is the sum of its samples'.
#[test]
fn gradients_add_up_over_samples_and_chunks() {
    use lnn_graph::{ComponentFeatures, FieldValue};
    let plain = ComponentFeatures { value: FieldValue::Plain { scale: 1.0 }, rate_scale: 1.0 };
    let features = FieldFeatures {
        components: vec![plain; 2],
        site_attribute_scales: vec![1.0],
        edge_attribute_scales: Vec::new(),
    };
    let topology = Arc::new(Topology::line(70, Boundary::Fixed).expect("a line"));
    let (attributes, samples) = (numbers(1, 70), 4);
    for neighbourhood in [Neighbourhood::Line, Neighbourhood::Pairs] {
        let of = |outputs| {
            Density::with_outputs(neighbourhood, features.clone(), &[5], outputs, Activation::Tanh).expect("valid")
        };
        let field = PlainField::new(of(2), Arc::clone(&topology), &attributes).expect("fits");
        let hamiltonian = FieldHamiltonian::new(of(1), Arc::clone(&topology), &attributes).expect("fits");
        let n = field.unknowns();
        let [phi, phi_dot, first, second] = [2, 3, 4, 5].map(|seed| numbers(seed, samples * n));
        let weights = [weights(field.network(), 6), weights(hamiltonian.density(), 7)];
        let gradient = |range: std::ops::Range<usize>| {
            let count = range.len() / n;
            let (mut out, mut other) = (vec![0.0; range.len()], vec![0.0; range.len()]);
            let mut gradients = weights.clone().map(|weights| vec![f64::NAN; weights.len()]);
            let (phi, phi_dot) = (&phi[range.clone()], &phi_dot[range.clone()]);
            let mut block = PlainBlock::<f64>::new(&field, count, true);
            block.acceleration_into(&weights[0], phi, phi_dot, &mut out);
            block.gradient(&weights[0], &first[range.clone()], Accumulate::Replace, &mut gradients[0]);
            let mut block = HamiltonianBlock::<f64>::new(&hamiltonian, count, true);
            block.rates_into(&weights[1], phi, phi_dot, &mut out, &mut other);
            let lambda = [&first[range.clone()], &second[range]];
            block.gradient(&weights[1], lambda, Accumulate::Replace, &mut gradients[1]);
            gradients.concat()
        };
        let whole = gradient(0..samples * n);
        let parts: Vec<Vec<f64>> = (0..samples).map(|sample| gradient(sample * n..(sample + 1) * n)).collect();
        for (index, whole) in whole.iter().enumerate() {
            let size = parts.iter().map(|part| part[index].abs()).sum::<f64>();
            let sum = parts.iter().map(|part| part[index]).sum::<f64>();
            assert!(
                (whole - sum).abs() <= 1e3 * f64::EPSILON * (1.0 + size),
                "{neighbourhood:?}, {index}: {whole} {sum}"
            );
        }
    }
}

/// Without an edge the network of pairs has nothing to learn, and its gradient is zero and not what was there.
#[test]
fn a_network_without_evaluations_has_the_gradient_zero() {
    let topology = Arc::new(Topology::graph(3, &[]).expect("three sites alone"));
    let density = Density::new(Neighbourhood::Pairs, FieldFeatures::scalar(), &[4], Activation::Tanh).expect("valid");
    let first = density.shapes().next().expect("of the site").parameter_count();
    let parameters = weights(&density, 3);
    let lagrangian = lnn_graph::FieldLagrangian::new(density, topology, &[], 1.0).expect("a residual mass");
    let mut block = lnn_graph::LagrangianBlock::<f64>::new(&lagrangian, 1, true).expect("memory");
    block.accelerate(&parameters, &[0.1, 0.2, 0.3], &[0.4, 0.5, 0.6]);
    let mut gradient = vec![f64::NAN; parameters.len()];
    block.gradient(&parameters, &[1.0; 3], Accumulate::Replace, &mut gradient);
    assert!(gradient[..first].iter().any(|&x| x != 0.0) && gradient[first..].iter().all(|&x| x == 0.0), "{gradient:?}");
}
