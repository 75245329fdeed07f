//! Train a Lagrangian network step by step from the library, and see what it has learned.
//!
//! `cargo run --release --example 04_train_a_lagrangian`

#![allow(clippy::print_stdout)] // An example talks to its reader.

use lnn::physics::sampling::StateSampler;
use lnn::train::config::preset;
use lnn::train::evaluate::HeldOut;
use lnn::train::experiment::{build_system, build_training};
use lnn::train::optimiser::Schedule;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The `fast` recipe, cut down to what takes a second.
    let mut config = preset("dblpend", "fast")?;
    let recipe = config.models.get_mut("lnn").ok_or("the preset has a Lagrangian network")?;
    recipe.hidden = vec![32, 32];
    recipe.training.steps = 400;
    recipe.training.schedule =
        Schedule::WarmupCosine { peak: 3e-2, warmup_steps: 50, total_steps: 400, final_fraction: 0.0 };

    let system = build_system(&config.system)?;
    let held_out = HeldOut::new(&*system, system.training_distribution(), StateSampler::new(1, 1), 2000)?;
    let mut training = build_training::<f32>(&config, "lnn", system)?;
    let judge = |training: &lnn::train::fit::Training<f32>| {
        let parameters: Vec<f64> = training.parameters().iter().map(|&p| f64::from(p)).collect();
        held_out.judge(training.plan().objective.model(), &parameters, held_out.len())
    };

    let before = judge(&training);
    for _ in 0..400 {
        training.step()?;
    }
    let after = judge(&training);
    println!("mean |q̈ error| before training: {:8.3} rad/s²", before.acceleration_l1);
    println!("mean |q̈ error| after 400 steps: {:8.3} rad/s²", after.acceleration_l1);
    if let Some(spectrum) = after.mass_matrix {
        println!("learned mass matrix: eigenvalues {:.3} to {:.3}", spectrum.eigenvalue_min, spectrum.eigenvalue_max);
    }
    if after.acceleration_l1 < 0.5 * before.acceleration_l1 { Ok(()) } else { Err("training did not help".into()) }
}
