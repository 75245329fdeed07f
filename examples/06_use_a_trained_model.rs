//! Load a trained model file, evaluate it, and roll it out.
//!
//! `cargo run --release --example 06_use_a_trained_model [MODEL.safetensors]`
//!
//! Without an argument the example trains a small Lagrangian for a second, saves it and loads it again.

#![allow(clippy::print_stdout)] // An example talks to its reader.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use lnn::physics::integrators::{DormandPrinceOptions, Method, frames_every};
use lnn::train::config::preset;
use lnn::train::experiment::{build_system, build_training};
use lnn::train::model::{Model, States};
use lnn::train::motion::{LearnedMotion, Starts};
use lnn::train::quantities::StateEvaluator;
use lnn::train::store::{ModelHeader, Provenance, load_model, save_model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("lnn-example-{}", std::process::id()));
    let path = match std::env::args().nth(1) {
        Some(path) => PathBuf::from(path),
        None => {
            std::fs::create_dir_all(&folder)?;
            train_small(&folder)?
        }
    };
    let loaded = load_model(&path)?;
    let (model, parameters) = (loaded.model()?, loaded.parameters.to_f64());
    println!("{}: {} parameters, {} steps", loaded.header.name, parameters.len(), loaded.header.provenance.steps);

    // One state: acceleration, and what only a Lagrangian has: momentum, mass matrix and conserved energy.
    if (loaded.header.degrees_of_freedom, loaded.header.conditionals) != (2, 0) {
        return Err(
            "the states below are of two coordinates without conditionals; give a model of such a system".into()
        );
    }
    let system = loaded.header.build_system()?;
    let evaluator = StateEvaluator::new(&model, &parameters, system.clone())?;
    let start = [1.0, 0.5, 0.0, 0.0];
    let found = evaluator.evaluate(States { q: &start[..2], q_dot: &start[2..], conditionals: &[] });
    println!("q̈ = {:.3?} rad/s², mass matrix {:.3?}", found.acceleration, found.mass_matrix);

    // Two seconds of motion, here of one start; the learned energy stays, to the tolerance of the integrator.
    let times = frames_every(2.0, 0.5)?;
    let starts = Starts { degrees_of_freedom: 2, states: &start, conditionals: &[], times: &times };
    let method = Method::DormandPrince(DormandPrinceOptions::default());
    let canonical = system.as_deref().and_then(|system| system.canonical());
    let learned = LearnedMotion::new(&model, &parameters).with_canonical(canonical);
    let motions = learned.integrate(&method, starts, &AtomicBool::new(false))?;
    let motion = &motions[0];
    if let Some(ending) = &motion.ending {
        println!("it ended after t = {} s: {}", ending.time, ending.cause);
    }
    for (time, state) in times.iter().zip(motion.states.chunks_exact(4)) {
        let [q, q_dot] = [&state[..2], &state[2..]];
        let energy = evaluator.evaluate(States { q, q_dot, conditionals: &[] }).energy;
        println!("t = {time:3.1} s  θ = ({:6.3}, {:6.3}) rad  energy {energy:.6?}", q[0], q[1]);
        if let (Some(now), Some(first)) = (energy.first(), found.energy.first()) {
            assert!(
                (now - first).abs() < 1e-4 * (1.0 + first.abs()),
                "the learned energy has changed by {}",
                now - first
            );
        }
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// Trains a small Lagrangian and writes its file.
fn train_small(folder: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let mut config = preset("dblpend", "fast")?;
    let recipe = config.models.get_mut("lnn").ok_or("the preset has a Lagrangian network")?;
    recipe.hidden = vec![32, 32];
    let recipe = recipe.clone();
    let system = build_system(&config.system)?;
    let mut training = build_training::<f32>(&config, "lnn", system)?;
    for _ in 0..400 {
        training.step()?;
    }
    let model: &Model = training.plan().objective.model();
    let header = ModelHeader {
        system: Some(config.system),
        provenance: Provenance { steps: 400, ..Provenance::default() },
        ..ModelHeader::new("lnn", &recipe, model)
    };
    let path = folder.join("model-lnn.safetensors");
    save_model(&path, &header, training.parameters())?;
    Ok(path)
}
