//! The work of JAX on the same card, by the recipe of `benches/peers`, from the same weights and states.

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
use lnn_gpu::mlp::Tiles;
use lnn_gpu::optimiser::AdamSettings;
use lnn_gpu::rollout::LearnedMotion;
use lnn_gpu::step::{Clipping, StepReport};
use lnn_gpu::training::{Batches, LagrangianModel, Model, OptimiserSettings, Source, Training, TrainingSettings};
use lnn_gpu::tuning::ShapeClass;
use serde_json::{Value, json};

use crate::recipe::{Recipe, end_with_parent, first_parameters, first_states, read_recipe};
use crate::step::{COORDINATES, network, pendulum_features};

/// What both sides do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// Training steps.
    Step,
    /// Runge–Kutta steps of a learned motion.
    Rollout,
}

/// The work and its size.
#[derive(Clone, Debug)]
pub(crate) struct PeerWork {
    work: Work,
    hidden: usize,
    layers: usize,
    batch: usize,
    repeat: usize,
    recipe: PathBuf,
    end_with_stdin: bool,
}

/// Seconds of a step, averaged over each timing of some, and the work's own results.
struct Measured {
    seconds: Vec<f64>,
    check: Vec<f64>,
}

impl Work {
    /// Its name on the command line of both programs.
    const fn name(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Rollout => "rollout",
        }
    }
}

impl PeerWork {
    /// The work of this name, of no size yet.
    pub(crate) fn named(word: Option<&str>) -> Result<Self, String> {
        let work = [Work::Step, Work::Rollout].into_iter().find(|work| Some(work.name()) == word);
        let work = work.ok_or_else(|| {
            let given = word.map_or_else(|| "nothing".to_owned(), |word| format!("`{word}`"));
            format!("`peer` takes first `step` or `rollout`, and was given {given}")
        })?;
        let recipe = PathBuf::new();
        Ok(Self { work, hidden: 0, layers: 0, batch: 0, repeat: 0, recipe, end_with_stdin: false })
    }

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

    /// Untimed calls of `work`, then the timed ones: what it returns for each of these.
    fn timed(
        &self,
        recipe: &Recipe,
        mut work: impl FnMut() -> Result<f64, Box<dyn Error>>,
    ) -> Result<Vec<f64>, Box<dyn Error>> {
        for _ in 0..recipe.warm_up {
            work()?;
        }
        (0..self.repeat).map(|_| work()).collect()
    }
}

/// Does the work; the line to print.
pub(crate) fn run(asked: &PeerWork, adapter: &AdapterChoice) -> Result<Value, Box<dyn Error>> {
    let PeerWork { work, hidden, layers, batch, repeat, .. } = *asked;
    if [hidden, layers, batch, repeat].contains(&0) {
        return Err("`peer` needs --hidden, --layers, --batch, --repeat and --recipe".into());
    }
    if asked.end_with_stdin {
        end_with_parent();
    }
    let recipe = read_recipe(&asked.recipe)?;
    let card = Card::open(adapter, CacheFolder::of_user())?;
    let model = model(&vec![hidden; layers], &recipe)?;
    let Measured { seconds, check } = match work {
        Work::Step => time_steps(&card, model, asked, &recipe)?,
        Work::Rollout => time_rollout(&card, &model, asked, &recipe)?,
    };
    Ok(json!({
        "program": "lnn",
        "work": work.name(),
        "hidden": hidden,
        "layers": layers,
        "batch": batch,
        "check": check,
        "seconds": seconds,
        "device": card.device().adapter().to_string(),
        "versions": { "lnn": env!("CARGO_PKG_VERSION") },
    }))
}

/// Training steps, each timing a submission; loss and norm of the gradient in the first step.
fn time_steps(
    card: &Card,
    model: LagrangianModel,
    asked: &PeerWork,
    recipe: &Recipe,
) -> Result<Measured, Box<dyn Error>> {
    let steps = recipe.steps_a_timing;
    let mut training = training(card, model, asked.batch, recipe)?;
    let (mut next, mut first) = (0, None);
    let seconds = asked.timed(recipe, || {
        let rates = vec![recipe.learning_rate; steps];
        let start = Instant::now();
        let submitted = training.run(next, &rates)?.remove(0);
        let seconds = start.elapsed().as_secs_f64();
        next += steps as u64;
        if submitted.skipped > 0 {
            return Err(format!("{} steps were skipped: their times mean nothing", submitted.skipped).into());
        }
        first.get_or_insert(submitted.reports[0]);
        Ok(seconds / steps as f64)
    })?;
    let StepReport { loss, gradient_norm, .. } = first.ok_or("no step was made")?;
    Ok(Measured { seconds, check: [loss, gradient_norm].map(f64::from).to_vec() })
}

/// Runge–Kutta steps, each timing from the same states; mean of the numbers reached, and the first state.
fn time_rollout(
    card: &Card,
    model: &LagrangianModel,
    asked: &PeerWork,
    recipe: &Recipe,
) -> Result<Measured, Box<dyn Error>> {
    let (device, steps, rows) = (card.device(), recipe.steps_a_timing, asked.batch);
    let parameters = first_parameters(&model.shape, recipe.gains);
    let first = first_states(recipe, parameters.len(), rows);
    let mut motion = LearnedMotion::new(device, model, rows, 1, &tiles(card, model, rows))?;
    motion.upload_parameters(&parameters)?;
    motion.set_step(recipe.time_step)?;
    let seconds = asked.timed(recipe, || {
        motion.start(&first)?;
        // What was uploaded goes with the next submission, which is not to be a timed one.
        motion.download_ends()?;
        let start = Instant::now();
        motion.run(steps, steps)?;
        device.wait("steps of motions")?;
        Ok(start.elapsed().as_secs_f64() / steps as f64)
    })?;
    let mut reached = vec![0.0; first.len()];
    motion.download_frames(&mut reached)?;
    if !reached.iter().all(|number| number.is_finite()) {
        return Err("a motion ended: timings of it mean nothing".into());
    }
    let reached: Vec<f64> = reached.into_iter().map(f64::from).collect();
    let mean = reached.iter().map(|number| number.abs()).sum::<f64>() / reached.len() as f64;
    Ok(Measured { seconds, check: [&[mean], &reached[..2 * COORDINATES]].concat() })
}

/// The Lagrangian network of the recipe.
fn model(hidden: &[usize], recipe: &Recipe) -> Result<LagrangianModel, Box<dyn Error>> {
    Ok(LagrangianModel {
        shape: network(hidden)?,
        features: pendulum_features(recipe.velocity_scale)?,
        masses: vec![recipe.residual_mass; COORDINATES],
        units: None,
        tolerance: Tolerance { relative: recipe.eigenvalue_cutoff, absolute: 0.0 },
        potential: None,
    })
}

/// Those that were tuned for so many rows, if there are such.
fn tiles(card: &Card, model: &LagrangianModel, rows: usize) -> Tiles {
    let tuned = card.tiles().of(ShapeClass::of(&model.shape, COORDINATES + 1, rows));
    tuned.map(|entry| entry.tiles).unwrap_or_default()
}

/// The training of the recipe, its one batch uploaded for each step of a submission.
fn training(card: &Card, model: LagrangianModel, batch: usize, recipe: &Recipe) -> Result<Training, Box<dyn Error>> {
    let averages = AdamSettings { beta1: recipe.beta_1, beta2: recipe.beta_2, epsilon: recipe.epsilon };
    let steps = recipe.steps_a_timing;
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
    let (tiles, parameters) = (tiles(card, &model, batch), first_parameters(&model.shape, recipe.gains));
    let training = Training::with_tiles(card.device(), &Model::Lagrangian(model), &settings, &tiles)?;
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
