//! A Lagrangian of a field, learned on a ring of 16 sites and run on one of 1000.
//!
//! `cargo run --release --example 07_field_on_a_lattice`

#![allow(clippy::print_stdout)] // An example talks to its reader.

use std::sync::Arc;

use lnn::autodiff::jet::Accumulate;
use lnn::autodiff::{Activation, MlpShape};
use lnn::graph::fields::{Field, FieldDistribution, RandomStates, Wave, gaussian_bump};
use lnn::graph::topology::{Boundary, Topology};
use lnn::graph::{Density, FieldEvaluator, FieldFeatures, FieldLagrangian, LagrangianBlock, Neighbourhood, SolveBy};
use lnn::physics::sampling::StateSampler;
use lnn::train::config::Initialisation;
use lnn::train::optimiser::{OptimiserConfig, ParameterBlock, Schedule};

const SITES: usize = 16;
const BATCH: usize = 16;
const STEPS: u64 = 3000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The truth is the wave equation φ̈ᵢ = φᵢ₊₁ − 2 φᵢ + φᵢ₋₁, seen only through accelerations of random states.
    let ring = Arc::new(Topology::line(SITES, Boundary::Periodic)?);
    let wave = Wave::new(Arc::clone(&ring), 1.0)?;
    let random = RandomStates {
        smooth_share: 0.4,
        rough_share: 0.2,
        modes: 4,
        field_amplitude: 0.5,
        rate_amplitude: 0.5,
        offset: None,
    };
    let states = FieldDistribution::new(&ring, 1, random)?;

    let density = Density::new(Neighbourhood::Line, FieldFeatures::scalar(), &[24, 24], Activation::Softplus)?;
    let mut parameters: Vec<f32> = Initialisation::default().draw_networks(density.shapes(), 0);
    let blocks: Vec<ParameterBlock> = density
        .shapes()
        .flat_map(MlpShape::layers)
        .flat_map(|layer| {
            let (rows, columns) = (layer.outputs, layer.inputs);
            let weight = ParameterBlock { offset: layer.weight.start, rows, columns };
            [weight, ParameterBlock { offset: layer.bias.start, rows: 1, columns: rows }]
        })
        .collect();
    let mut optimiser = OptimiserConfig::default().build::<f32>(&blocks)?;
    let schedule = Schedule::WarmupCosine { peak: 3e-2, warmup_steps: 50, total_steps: STEPS, final_fraction: 0.0 };

    let lagrangian = FieldLagrangian::new(density, ring, &[], 1.0)?;
    let mut block = LagrangianBlock::<f32>::new(&lagrangian, BATCH, true)?;
    let sampler = StateSampler::new(0, 0);
    let mut gradient = vec![0.0; parameters.len()];
    for step in 0..STEPS {
        let mut drawn = vec![0.0; BATCH * 2 * SITES];
        states.fill(&sampler, step, 0, &mut drawn);
        let (mut phi, mut phi_dot, mut target) = (Vec::new(), Vec::new(), vec![0.0; BATCH * SITES]);
        for (state, target) in drawn.chunks_exact(2 * SITES).zip(target.chunks_exact_mut(SITES)) {
            let (field, rate) = state.split_at(SITES);
            wave.acceleration_into(field, rate, target);
            phi.extend(field.iter().map(|&x| x as f32));
            phi_dot.extend(rate.iter().map(|&x| x as f32));
        }
        let acceleration = block.accelerate(&parameters, &phi, &phi_dot);
        // Squared error: λ = 2 (φ̈ − φ̈*) / batch.
        let errors = acceleration.iter().zip(&target).map(|(&a, &t)| f64::from(a) - t);
        let lambda: Vec<f32> = errors.map(|error| (2.0 * error / BATCH as f64) as f32).collect();
        block.gradient(&parameters, &lambda, Accumulate::Replace, &mut gradient);
        optimiser.step(&mut parameters, &gradient, schedule.learning_rate(step))?;
    }

    // The same density on a ring of 1000 sites, in double precision.
    let large = Arc::new(Topology::line(1000, Boundary::Periodic)?);
    let truth = Wave::new(Arc::clone(&large), 1.0)?;
    let parameters: Vec<f64> = parameters.iter().map(|&x| f64::from(x)).collect();
    let learned = lagrangian.on(Arc::clone(&large), &[])?;
    let mut evaluator = FieldEvaluator::new(&learned, &parameters, SolveBy::Factorisation)?;
    let state = gaussian_bump(&large, &[500.0], 3.0, &[1.0])?;
    let (phi, phi_dot) = state.split_at(1000);
    let (mut got, mut want) = (vec![0.0; 1000], vec![0.0; 1000]);
    evaluator.acceleration_into(phi, phi_dot, &mut got)?;
    truth.acceleration_into(phi, phi_dot, &mut want);
    let error: f64 = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).sum();
    let size: f64 = want.iter().map(|b| b.abs()).sum();
    println!("learned on {SITES} sites, judged on 1000: relative error of φ̈ {:.3}", error / size);
    assert!(error < 0.1 * size, "a short training, but a training");
    Ok(())
}
