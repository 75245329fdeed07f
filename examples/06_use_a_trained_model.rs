//! Load a trained model file, evaluate it, and roll it out.
//!
//! `cargo run --release --example 06_use_a_trained_model [MODEL.safetensors]`
//!
//! Without an argument the example trains a small Lagrangian for a second, saves it and loads it again.

#![allow(clippy::print_stdout)] // An example talks to its reader.

use std::path::{Path, PathBuf};

use lnn::physics::integrators::{Method, frame_times, solve_at};
use lnn::train::config::preset;
use lnn::train::experiment::{build_system, build_training};
use lnn::train::model::{Model, RatesMut, States};
use lnn::train::store::{LoadedModel, ModelHeader, Provenance, load_model, save_model};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::temp_dir().join(format!("lnn-example-{}", std::process::id()));
    let path = match std::env::args().nth(1) {
        Some(path) => PathBuf::from(path),
        None => {
            std::fs::create_dir_all(&folder)?;
            train_small(&folder)?
        }
    };
    let loaded: LoadedModel = load_model(&path)?;
    let (model, parameters) = (loaded.model()?, loaded.parameters.to_f64());
    println!("{}: {} parameters, {} steps", loaded.header.name, parameters.len(), loaded.header.provenance.steps);

    // One state: acceleration, and what only a Lagrangian has: mass matrix and conserved energy.
    let (q, q_dot) = ([1.0, 0.5], [0.0, 0.0]);
    let (mut block, networks) = (model.block::<f64>(1, false), model.bind(&parameters));
    let (mut velocity, mut q_ddot) = ([0.0; 2], [0.0; 2]);
    let states = States { q: &q, q_dot: &q_dot, conditionals: &[] };
    block.rates(networks, states, RatesMut { q: &mut velocity, q_dot: &mut q_ddot });
    println!("q̈ = {q_ddot:.3?} rad/s²");
    if let Model::Lagrangian(lagrangian) = &model {
        let mut workspace = lagrangian.workspace::<f64>(1, false);
        lagrangian.evaluate(networks, states, &mut workspace);
        println!("mass matrix {:.3?}, energy {:.4}", workspace.mass_matrix(), workspace.energy()[0]);
    }

    // Two seconds of motion.
    let field = |_t: f64, state: &[f64], state_dot: &mut [f64]| {
        let (q, q_dot) = state.split_at(2);
        let (velocity, acceleration) = state_dot.split_at_mut(2);
        let states = States { q, q_dot, conditionals: &[] };
        block.rates(networks, states, RatesMut { q: velocity, q_dot: acceleration });
        Ok::<(), std::convert::Infallible>(())
    };
    let motion = solve_at(&Method::Rk4 { dt: 1e-3 }, field, &[1.0, 0.5, 0.0, 0.0], &frame_times(2.0, 2.0)?)?;
    for (time, state) in motion.rows() {
        println!("t = {time:3.1} s  θ = ({:6.3}, {:6.3}) rad", state[0], state[1]);
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
