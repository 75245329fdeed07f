//! Train on arrays of one's own: observed motions without any acceleration.
//!
//! Here they are of a pendulum that was filmed at 20 frames a second; from a robot they would be its joint angles and
//! velocities. `lnn train --data FILE` does the same for tables, with checks and a report.
//!
//! `cargo run --release --example 05_train_on_own_data`

#![allow(clippy::print_stdout)] // An example talks to its reader.

use std::sync::Arc;

use lnn::physics::sampling::StateSampler;
use lnn::train::config::{FeaturesConfig, ModelConfig};
use lnn::train::experiment::{build_model, parameter_blocks};
use lnn::train::fit::{Data, DynamicsObjective, ObservedMotions, Rule, Training, TrainingPlan};
use lnn::train::model::{RatesMut, States};
use lnn::train::optimiser::{RunningNormClip, Schedule};
use lnn::train::trajectory::{Segments, Trajectories};

/// Time between two frames, in s, and frames of a motion.
const DT: f64 = 0.05;
const FRAMES: usize = 41;
/// Optimiser steps.
const STEPS: u64 = 600;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Your arrays: times `[rows]` and states (q, q̇) `[rows, 2d]` of each motion.
    let mut observed = Trajectories::new(1, 0)?;
    for release in 1..=12 {
        let (times, states) = filmed(0.2 * f64::from(release));
        observed.push(&times, &states, &[])?;
    }

    // A Lagrangian network of the angle's sine and cosine and of the velocity, divided by a typical one.
    let config = ModelConfig {
        hidden: vec![32, 32],
        features: FeaturesConfig { velocity_scale: 3.0, ..FeaturesConfig::default() },
        ..ModelConfig::default()
    };
    let model = build_model(&config, 1)?;
    let recipe = &config.training;
    // Stretches of five frames, along which the model is rolled out; in the first steps its rates at the observed
    // states are summed up instead, which cannot run away.
    let motions = ObservedMotions {
        segments: Segments::new(Arc::new(observed), 5, 2)?,
        warm_start_steps: STEPS / 2,
        rule: Rule::Trapezium,
    };
    let mut training = Training::<f32>::new(TrainingPlan {
        parameters: config.initialisation.draw(&model, 0),
        optimiser: recipe.optimiser.build(&parameter_blocks(&model))?,
        clip: RunningNormClip::new(recipe.clipping)?,
        l2_penalty: 0.0,
        batch: 64,
        gradient_parts: None,
        schedule: Schedule::WarmupCosine { peak: 2e-2, warmup_steps: 50, total_steps: STEPS, final_fraction: 0.0 },
        objective: DynamicsObjective::new(model.clone(), Data::Motions(motions), StateSampler::new(0, 0), recipe.loss),
    });
    for _ in 0..STEPS {
        training.step()?;
    }

    // The acceleration was never observed, and is learned all the same: q̈ = −(g/l) sin q.
    let parameters: Vec<f64> = training.parameters().iter().map(|&p| f64::from(p)).collect();
    let mut block = model.block::<f64>(1, false);
    let mut largest: f64 = 0.0;
    for q in [-2.0_f64, -1.0, 0.5, 1.5] {
        let (mut velocity, mut q_ddot) = ([0.0], [0.0]);
        let states = States { q: &[q], q_dot: &[0.5], conditionals: &[] };
        block.rates(model.bind(&parameters), states, RatesMut { q: &mut velocity, q_dot: &mut q_ddot });
        let truth = -9.81 * q.sin();
        println!("q = {q:5.2} rad: q̈ learned {:7.3}, true {truth:7.3} rad/s²", q_ddot[0]);
        largest = largest.max((q_ddot[0] - truth).abs());
    }
    if largest < 0.5 { Ok(()) } else { Err(format!("an acceleration is off by {largest:.3} rad/s²").into()) }
}

/// A pendulum of 1 m, released at rest: what a camera would have seen, by the velocity form of Verlet's method.
fn filmed(release: f64) -> (Vec<f64>, Vec<f64>) {
    const SUBSTEPS: usize = 200;
    let (mut q, mut q_dot, h) = (release, 0.0, DT / SUBSTEPS as f64);
    let (mut times, mut states) = (Vec::new(), Vec::new());
    for frame in 0..FRAMES {
        times.push(DT * frame as f64);
        states.extend([q, q_dot]);
        for _ in 0..SUBSTEPS {
            q_dot -= 0.5 * h * 9.81 * f64::sin(q);
            q += h * q_dot;
            q_dot -= 0.5 * h * 9.81 * f64::sin(q);
        }
    }
    (times, states)
}
