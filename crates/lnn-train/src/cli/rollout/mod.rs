//! `lnn rollout`.

mod arguments;
mod initial;
mod mover;
mod tally;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use lnn_physics::System;
use lnn_physics::integrators::{Method, frames_every};
use lnn_train::backend::DeviceMotion;
use lnn_train::larger;
use lnn_train::model::States;
use lnn_train::motion::{LearnedMotion, Motion, MotionError, Starts};
use lnn_train::quantities::{MissingMomenta, StateBlock, StateEvaluator};
use lnn_train::store::{LoadedModel, load_model};
use lnn_train::table::{Column, Existing, TableWriter};
use lnn_train::thread_pool;
use rayon::prelude::*;
use serde_json::json;

pub(super) use arguments::RolloutArguments;
use initial::Initial;
use mover::{Mover, keep_kernels, open_card};
use tally::Tally;

use super::error::CommandError;
use super::exit::INTERRUPTED;
use super::interrupt::stop_on_signal;
use super::model_names::conditional_names;
use super::output::{print_json, say};

/// Memory for the frames of the motions that are held at once, and for the rows made from them; ten motions are held in any
/// case.
const FRAME_BYTES: usize = 128 << 20;
/// Motions held at once are a multiple of this, whole batches of every integrator, so that a result does not depend on
/// what is held together.
const GROUP: usize = 10;

pub(super) fn run(arguments: &RolloutArguments) -> Result<ExitCode, Box<dyn Error>> {
    let loaded = load_model(&arguments.model)?;
    let model = loaded.model().map_err(|source| CommandError::Model { path: arguments.model.clone(), source })?;
    let system = momenta(&arguments.model, &loaded, model.is_canonical())?;
    if arguments.accelerations && model.is_canonical() {
        return Err(CommandError::NoAccelerations { path: arguments.model.clone() }.into());
    }
    let names = conditional_names(&arguments.model, &loaded.header, arguments.conditionals.as_deref())?;
    let initial = Initial::read(arguments, loaded.header.degrees_of_freedom, &names)?;
    let (method, times) = (arguments.method()?, frames_every(arguments.t_end, arguments.dt)?);
    let card = open_card(arguments, &model)?;
    let canonical = system.as_deref().and_then(System::canonical);
    let parameters = loaded.parameters.to_f64();
    let mut mover = match &card {
        Some(card) => Mover::Card(Box::new(DeviceMotion::new(card, &model, &parameters)?)),
        None => Mover::Processor(Box::new(LearnedMotion::new(&model, &parameters).with_canonical(canonical))),
    };
    let evaluator = StateEvaluator::new(&model, &parameters, system.clone())?;
    let has_energy = model.has_energy();

    let rollout = Rollout { arguments, evaluator: &evaluator, initial: &initial, method, times: &times, has_energy };
    if arguments.output.talks() {
        if let Some(card) = &card {
            say(&format!("Backend gpu: {}", card.device().adapter()));
            say("States move in single precision; energies are the processor's, in double precision.");
        }
        if initial.has_time {
            say(&format!(
                "note: column `t` of {} is not used: the motions begin at t = 0",
                arguments.initial.display()
            ));
        }
        if !has_energy {
            say("note: the model is a plain network, which has no energy: there is no column `energy`");
        }
    }
    let stop = stop_on_signal()?;
    let threads = arguments.threads.map_or(0, usize::from);
    let pool = thread_pool(threads)?;
    let mut tally = Tally::new(arguments.output, initial.numbers.len());
    match pool.install(|| rollout.write(&mut mover, &stop, &mut tally)) {
        Ok(rows) => {
            tally.finish(&rollout, rows)?;
            keep_kernels(card.as_ref(), arguments);
            Ok(tally.exit_code())
        }
        Err(error) if matches!(error.downcast_ref(), Some(MotionError::Stopped)) => {
            tally.clear();
            if arguments.output.json {
                // Nobody may be reading any more, and the exit code says the same.
                let _ = print_json(&json!({ "event": "interrupted" }));
            }
            say(&format!("Interrupted. Nothing was written to {}.", arguments.out.display()));
            Ok(ExitCode::from(INTERRUPTED))
        }
        Err(error) => {
            tally.clear();
            Err(error)
        }
    }
}

/// The system that gives a model in canonical coordinates its momenta; other models need none.
pub(super) fn momenta(
    path: &Path,
    loaded: &LoadedModel,
    canonical: bool,
) -> Result<Option<Arc<dyn System>>, CommandError> {
    if !canonical {
        return Ok(None);
    }
    let system = loaded.header.build_system();
    let system = system.map_err(|source| CommandError::System { path: path.to_owned(), source })?;
    match system.filter(|system| system.canonical().is_some()) {
        Some(system) => Ok(Some(system)),
        None => Err(CommandError::NoMomenta { path: path.to_owned(), source: MissingMomenta }),
    }
}

/// All that the motions need.
struct Rollout<'a> {
    arguments: &'a RolloutArguments,
    evaluator: &'a StateEvaluator<f64>,
    initial: &'a Initial,
    method: Method,
    times: &'a [f64],
    has_energy: bool,
}

impl Rollout<'_> {
    fn degrees_of_freedom(&self) -> usize {
        self.initial.columns[0].len()
    }

    /// The columns of the table that is written.
    fn columns(&self) -> Vec<Column> {
        let [q, q_dot, conditionals] = &self.initial.columns;
        let accelerations = (0..q.len()).filter(|_| self.arguments.accelerations);
        let mut columns = vec![Column::named("trajectory"), Column::named("t")];
        columns.extend(q.iter().chain(q_dot).cloned());
        columns.extend(accelerations.map(|j| Column::named(format!("q_ddot{j}"))));
        columns.extend(conditionals.iter().cloned());
        columns.extend(self.has_energy.then(|| Column::named("energy")));
        columns
    }

    /// Integrates group after group and writes each before the next; returns the rows.
    fn write(
        &self,
        mover: &mut Mover<'_>,
        stop: &AtomicBool,
        tally: &mut Tally,
    ) -> Result<u64, Box<dyn Error + Send + Sync>> {
        let (d, columns) = (self.degrees_of_freedom(), self.columns());
        let existing = if self.arguments.overwrite { Existing::Replace } else { Existing::Keep };
        let mut writer = TableWriter::create(&self.arguments.out, &columns, existing)?;
        // The states and the rows made from them.
        let bytes = self.times.len() * (2 * d + columns.len()) * size_of::<f64>();
        let group = (FRAME_BYTES / bytes / GROUP).max(1) * GROUP;
        let motions = self.initial.numbers.len();
        for first in (0..motions).step_by(group) {
            let last = motions.min(first + group);
            let c = self.initial.columns[2].len();
            let starts = Starts {
                degrees_of_freedom: d,
                states: &self.initial.states[first * 2 * d..last * 2 * d],
                conditionals: &self.initial.conditionals[first * c..last * c],
                times: self.times,
            };
            let moved = mover.integrate(&self.method, starts, stop)?;
            let rows: Vec<MotionRows> = moved
                .par_iter()
                .enumerate()
                .map_init(
                    || self.evaluator.block(),
                    |block, (index, motion)| self.rows(block, first + index, motion, columns.len()),
                )
                .collect();
            for (index, (motion, rows)) in moved.iter().zip(&rows).enumerate() {
                writer.write(&rows.values)?;
                tally.count(first + index, motion, rows.energy_change, self);
            }
        }
        Ok(writer.finish()?)
    }

    /// The rows of one motion, whose frames `block` evaluates if anything of that is written.
    fn rows(&self, block: &mut StateBlock<f64>, index: usize, motion: &Motion, width: usize) -> MotionRows {
        let d = self.degrees_of_freedom();
        let c = self.initial.columns[2].len();
        let conditionals = &self.initial.conditionals[index * c..(index + 1) * c];
        let repeated = conditionals.repeat(StateBlock::<f64>::CAPACITY);
        let accelerations = self.arguments.accelerations;
        let (mut q, mut q_dot) = (Vec::new(), Vec::new());
        let mut rows =
            MotionRows { values: Vec::with_capacity(motion.states.len() / (2 * d) * width), energy_change: 0.0 };
        let (mut times, mut first_energy) = (self.times.iter(), None);
        for states in motion.states.chunks(StateBlock::<f64>::CAPACITY * 2 * d) {
            let found = (accelerations || self.has_energy).then(|| {
                for (half, first) in [(&mut q, 0), (&mut q_dot, d)] {
                    half.clear();
                    half.extend(states.chunks_exact(2 * d).flat_map(|state| &state[first..first + d]));
                }
                let conditionals = &repeated[..q.len() / d * c];
                block.evaluate(self.evaluator, States { q: &q, q_dot: &q_dot, conditionals })
            });
            for ((frame, state), time) in states.chunks_exact(2 * d).enumerate().zip(&mut times) {
                rows.values.extend([self.initial.numbers[index], *time]);
                rows.values.extend_from_slice(state);
                if let Some(found) = found.filter(|_| accelerations) {
                    rows.values.extend_from_slice(&found.acceleration[frame * d..(frame + 1) * d]);
                }
                rows.values.extend_from_slice(conditionals);
                if let Some(&energy) = found.and_then(|found| found.energy.get(frame)) {
                    rows.values.push(energy);
                    let change = (energy - *first_energy.get_or_insert(energy)).abs();
                    rows.energy_change = larger(rows.energy_change, change);
                }
            }
        }
        rows
    }
}

/// One motion as rows of the table.
struct MotionRows {
    values: Vec<f64>,
    /// Largest |E − E₀| over its frames.
    energy_change: f64,
}
