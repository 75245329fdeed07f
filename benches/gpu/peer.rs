//! The work of JAX on the same card: training steps by the recipe of `benches/peers`, from the same weights and states.

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use lnn::autodiff::pseudoinverse::Tolerance;
use lnn::physics::System;
use lnn::physics::systems::DoublePendulum;
use lnn::train::backend::Card;
use lnn::train::backend::cache::CacheFolder;
use lnn_gpu::device::AdapterChoice;
use lnn_gpu::loss::Loss;
use lnn_gpu::optimiser::AdamSettings;
use lnn_gpu::step::{Clipping, StepReport};
use lnn_gpu::training::{Batches, LagrangianModel, Model, OptimiserSettings, Source, Training, TrainingSettings};
use lnn_gpu::tuning::ShapeClass;
use serde_json::{Value, json};

use crate::recipe::{Recipe, end_with_parent, first_parameters, first_states, read_recipe};
use crate::step::{COORDINATES, network, pendulum_features};

/// The work and its size.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerWork {
    hidden: usize,
    layers: usize,
    batch: usize,
    repeat: usize,
    recipe: PathBuf,
    end_with_stdin: bool,
}

impl PeerWork {
    /// Takes one of its options, whose value `value` gives.
    pub(crate) fn set(
        &mut self,
        option: &str,
        mut value: impl FnMut(&str) -> Result<String, String>,
    ) -> Result<(), Box<dyn Error>> {
        let mut number = || -> Result<usize, Box<dyn Error>> {
            let given = value("a number from 1")?;
            given
                .parse()
                .ok()
                .filter(|&number| number > 0)
                .ok_or_else(|| format!("`{option}`: {given} is no number from 1").into())
        };
        match option {
            "--hidden" => self.hidden = number()?,
            "--layers" => self.layers = number()?,
            "--batch" => self.batch = number()?,
            "--repeat" => self.repeat = number()?,
            "--recipe" => self.recipe = value("a file")?.into(),
            "--end-with-stdin" => self.end_with_stdin = true,
            other => return Err(format!("`peer` has no option `{other}`; `--help` lists those that it has").into()),
        }
        Ok(())
    }
}

/// Seconds of a training step, averaged over each submission of some; loss and norm of the gradient in the first step.
pub(crate) fn run(work: &PeerWork, adapter: &AdapterChoice) -> Result<Value, Box<dyn Error>> {
    let PeerWork { hidden, layers, batch, repeat, ref recipe, end_with_stdin } = *work;
    if [hidden, layers, batch, repeat].contains(&0) {
        return Err("`peer` needs --hidden, --layers, --batch, --repeat and --recipe".into());
    }
    if end_with_stdin {
        end_with_parent();
    }
    let recipe = read_recipe(recipe)?;
    let card = Card::open(adapter, CacheFolder::of_user())?;
    let steps = recipe.steps_a_timing;
    let mut training = training(&card, &vec![hidden; layers], batch, &recipe)?;
    let mut next = 0;
    let mut submit = || -> Result<(f64, StepReport), Box<dyn Error>> {
        let rates = vec![recipe.learning_rate; steps];
        let start = Instant::now();
        let submitted = training.run(next, &rates)?.remove(0);
        let seconds = start.elapsed().as_secs_f64();
        next += steps as u64;
        if submitted.skipped > 0 {
            return Err(format!("{} steps were skipped: their times mean nothing", submitted.skipped).into());
        }
        Ok((seconds / steps as f64, submitted.reports[0]))
    };
    let (_, first) = submit()?;
    for _ in 1..recipe.warm_up {
        submit()?;
    }
    let seconds = (0..repeat).map(|_| Ok(submit()?.0)).collect::<Result<Vec<f64>, Box<dyn Error>>>()?;
    Ok(json!({
        "program": "lnn",
        "work": "step",
        "hidden": hidden,
        "layers": layers,
        "batch": batch,
        "check": [first.loss, first.gradient_norm],
        "seconds": seconds,
        "device": card.device().adapter().to_string(),
        "versions": { "lnn": env!("CARGO_PKG_VERSION") },
    }))
}

/// The training of the recipe, its one batch uploaded for each step of a submission.
fn training(card: &Card, hidden: &[usize], batch: usize, recipe: &Recipe) -> Result<Training, Box<dyn Error>> {
    let (device, shape) = (card.device(), network(hidden)?);
    let averages = AdamSettings { beta1: recipe.beta_1, beta2: recipe.beta_2, epsilon: recipe.epsilon };
    let steps = recipe.steps_a_timing;
    let model = Model::Lagrangian(LagrangianModel {
        shape: shape.clone(),
        features: pendulum_features(recipe.velocity_scale)?,
        masses: vec![recipe.residual_mass; COORDINATES],
        units: None,
        tolerance: Tolerance { relative: recipe.eigenvalue_cutoff, absolute: 0.0 },
        potential: None,
    });
    let settings = TrainingSettings {
        models: 1,
        source: Source::Uploaded { weighted: false },
        batch,
        loss: Loss::L1,
        error_units: None,
        penalty: 0.0,
        clipping: Clipping::Off,
        optimiser: OptimiserSettings::Adam(averages),
        weight_decay: 0.0,
        steps,
    };
    let tuned = card.tiles().of(ShapeClass::of(&shape, COORDINATES + 1, batch));
    let training =
        Training::with_tiles(device, &model, &settings, &tuned.map(|entry| entry.tiles).unwrap_or_default())?;
    let parameters = first_parameters(&shape, recipe.gains);
    training.upload_parameters(&parameters)?;

    let states = first_states(recipe, parameters.len(), batch);
    let ([m1, m2], [l1, l2]) = (recipe.masses, recipe.lengths);
    let system = DoublePendulum::new(m1, m2, l1, l2, recipe.gravity)?;
    let mut target = Vec::with_capacity(batch * COORDINATES);
    for state in states.chunks_exact(2 * COORDINATES) {
        let double: Vec<f64> = state.iter().copied().map(f64::from).collect();
        let (q, q_dot) = double.split_at(COORDINATES);
        let mut acceleration = [0.0; COORDINATES];
        system.acceleration_into(q, q_dot, &[], &mut acceleration);
        target.extend(acceleration.map(|component| component as f32));
    }
    let (states, target) = (states.repeat(steps), target.repeat(steps));
    training.upload_batches(steps, Batches { states: &states, target: &target, weights: &[] })?;
    Ok(training)
}
