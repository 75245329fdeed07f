//! Parameter gradients against central differences, in every kind of topology.

use lnn_autodiff::jet::Accumulate;
use lnn_graph::LagrangianBlock;

use crate::case::{numbers, small_cases};

/// Σ λ·φ̈ at changed parameters, one after the other for some of them.
#[test]
fn the_gradient_of_an_acceleration_is_its_derivative_by_every_parameter() {
    for (index, case) in small_cases().into_iter().enumerate() {
        let samples = 2;
        let (phi, phi_dot) = case.states(samples, 11);
        let lambda = numbers(13, samples * case.unknowns());
        let mut block = LagrangianBlock::<f64>::new(&case.lagrangian, samples, true).expect("memory");
        let value = |block: &mut LagrangianBlock<f64>, parameters: &[f64]| -> f64 {
            let acceleration = block.accelerate(parameters, &phi, &phi_dot);
            acceleration.iter().zip(&lambda).map(|(a, l)| a * l).sum()
        };
        let whole = value(&mut block, &case.parameters);
        let mut gradient = vec![f64::NAN; case.parameters.len()];
        block.gradient(&case.parameters, &lambda, Accumulate::Replace, &mut gradient);
        let largest = gradient.iter().fold(whole.abs(), |largest, g| largest.max(g.abs()));
        let h = f64::EPSILON.cbrt();
        for place in (0..gradient.len()).step_by(3) {
            let mut at = |step: f64| {
                let mut parameters = case.parameters.clone();
                parameters[place] += step;
                value(&mut block, &parameters)
            };
            let difference = (at(h) - at(-h)) / (2.0 * h);
            // Truncation h² times a third derivative of the size of the largest numbers here, and rounding ε / h.
            let allowed = 300.0 * h * h * largest.max(1.0);
            let got = gradient[place];
            assert!((got - difference).abs() <= allowed, "case {index}, parameter {place}: {got:e}, {difference:e}");
        }
        // Added, the gradient doubles.
        block.accelerate(&case.parameters, &phi, &phi_dot);
        let once = gradient.clone();
        block.gradient(&case.parameters, &lambda, Accumulate::Add, &mut gradient);
        assert!(gradient.iter().zip(&once).all(|(twice, once)| (twice - 2.0 * once).abs() <= 1e-12 * largest));
    }
}
