//! Training on one objective: its state, and the step that advances it.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;
use rayon::prelude::*;

use super::dynamics::DynamicsObjective;
use super::objective::Objective;
use super::partition::Partition;
use super::plan::TrainingPlan;
use super::reduce::{Reduction, all_finite, reduce};
use super::trainer::{Advanced, Trainer, TrainingState};
use crate::loss::BatchLoss;
use crate::optimiser::{ClipOutcome, OptimiserError, RunningNormClip, check_finite};
use crate::target::DataError;

/// An objective's parameters in training. Construct and step it inside one thread pool.
pub struct Training<T: Real, O: Objective<T> = DynamicsObjective> {
    plan: TrainingPlan<T, O>,
    step: u64,
    partition: Partition,
    workers: Vec<Mutex<O::Worker>>,
    /// The first one's gradient becomes that of the batch.
    groups: Vec<Group<T>>,
    /// The parameters before the update, in case it overflows.
    previous: Vec<T>,
}

/// One group's share of the batch.
struct Group<T> {
    gradient: Vec<T>,
    loss: Result<BatchLoss, DataError>,
}

/// Why a step could not be made, by no fault of this batch alone.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StepError {
    /// The optimiser.
    #[error(transparent)]
    Optimiser(#[from] OptimiserError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The graphics card.
    #[error(
        "{0}; the last checkpoint is kept: repeat the command with --resume to go on from there, and with --backend cpu to \
         do so without the graphics card"
    )]
    Device(#[from] lnn_gpu::device::DeviceError),
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Loss of the batch, penalty included; not finite if the step was skipped for it.
    pub loss: f64,
    /// Gradient norm before clipping; NaN for a skipped step.
    pub gradient_norm: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Whether the update was left out because the loss, the gradient or the updated parameters were not
    /// finite.
    pub skipped: bool,
}

impl<T: Real, O: Objective<T>> Training<T, O> {
    /// A training at step 0, with a worker for each thread of the current pool.
    ///
    /// # Panics
    /// If the initial parameters are not as many as the objective's, or the batch is empty.
    pub fn new(plan: TrainingPlan<T, O>) -> Self {
        let parameters = plan.objective.parameter_count();
        assert_eq!(plan.parameters.len(), parameters, "initial parameters");
        assert!(plan.batch > 0, "a batch has at least one sample");
        let size = plan.objective.network_size();
        let partition = match plan.gradient_parts {
            None => Partition::new(plan.batch, size),
            Some(parts) => Partition::with_parts(plan.batch, size, parts),
        };
        let worker = |_| Mutex::new(plan.objective.worker(partition.block_rows()));
        let group = |_| Group { gradient: vec![T::ZERO; parameters], loss: Ok(BatchLoss::default()) };
        let training = Self {
            step: 0,
            partition,
            workers: (0..rayon::current_num_threads()).map(worker).collect(),
            groups: (0..partition.groups()).map(group).collect(),
            previous: vec![T::ZERO; parameters],
            plan,
        };
        training.warm_up();
        training
    }

    /// Runs one block on every thread and forgets the result. The matrix product keeps a buffer a thread and
    /// makes it at the first call: without this a step would allocate when a thread gets its first block.
    fn warm_up(&self) {
        let (objective, workers) = (&self.plan.objective, &self.workers);
        let (rows, parameters) = (self.partition.block_rows(), self.previous.len());
        // The first step, and one after any warm start.
        let inputs = [0, u64::MAX].map(|step| self.plan.input(step));
        rayon::broadcast(|thread| {
            let mut worker = workers[thread.index()].lock().unwrap_or_else(PoisonError::into_inner);
            let mut gradient = vec![T::ZERO; parameters];
            for input in &inputs {
                // The first step meets the same data and returns their error.
                let _ = objective.run(&mut worker, input, 0..rows, Accumulate::Replace, &mut gradient);
            }
        });
    }

    /// Most threads that share a step, if `threads` are more and another
    /// [`gradient_parts`](TrainingPlan::gradient_parts) could employ some of the others.
    pub fn threads_left_idle(&self, threads: usize) -> Option<usize> {
        let (used, size) = (self.partition.groups(), self.plan.objective.network_size());
        (threads > used && Partition::with_parts(self.plan.batch, size, threads).groups() > used).then_some(used)
    }
    /// Steps done.
    pub fn step_count(&self) -> u64 {
        self.step
    }
    /// The parameters.
    pub fn parameters(&self) -> &[T] {
        &self.plan.parameters
    }
    /// The plan with its optimiser's and clipping's present state.
    pub fn plan(&self) -> &TrainingPlan<T, O> {
        &self.plan
    }
    /// Steps skipped so far.
    pub fn skipped_steps(&self) -> u64 {
        self.plan.clip.skipped()
    }

    /// Replaces the parameters.
    ///
    /// # Panics
    /// If there are more or fewer.
    pub fn set_parameters(&mut self, parameters: &[T]) {
        self.plan.parameters.copy_from_slice(parameters);
    }

    /// One step: sample → features → jets → solve → loss → adjoint → reduce → clip → optimise.
    ///
    /// A loss or gradient that is not finite leaves parameters and optimiser alone and is counted. After an
    /// update that overflows the number format the parameters are set back to those before it, so that they
    /// are finite at any time, and the step is counted as skipped too. The optimiser's averages keep that
    /// gradient, which was finite, and the clipping its norm.
    ///
    /// # Errors
    /// A target acceleration that is not finite, or a velocity that has no weight: the step is not made. And what the optimiser cannot mend: a
    /// decomposition that does not converge, or averages that overflowed with the update, from which no later
    /// step could recover.
    ///
    /// # Panics
    /// If it runs in a larger thread pool than the one it was made in.
    pub fn step(&mut self) -> Result<StepReport, StepError> {
        let learning_rate = self.plan.schedule.learning_rate(self.step);
        self.accumulate_blocks();
        let (loss, squared_norm) = self.reduce()?;
        self.step += 1;
        let skip = |clip: &mut RunningNormClip| {
            clip.count_skipped();
            Ok(StepReport { loss: loss.value, gradient_norm: f64::NAN, learning_rate, skipped: true })
        };
        if loss.non_finite > 0 || !loss.value.is_finite() {
            return skip(&mut self.plan.clip);
        }
        let gradient = &mut self.groups[0].gradient;
        let outcome = self.plan.clip.apply_with_norm(gradient, squared_norm);
        if outcome == ClipOutcome::Skipped {
            return Ok(StepReport { loss: loss.value, gradient_norm: f64::NAN, learning_rate, skipped: true });
        }
        self.plan.optimiser.update(&mut self.plan.parameters, gradient, learning_rate)?;
        if !all_finite(&self.plan.parameters) {
            self.plan.parameters.copy_from_slice(&self.previous);
            check_finite(&self.plan.optimiser.state())?;
            return skip(&mut self.plan.clip);
        }
        Ok(StepReport { loss: loss.value, gradient_norm: outcome.norm(), learning_rate, skipped: false })
    }

    /// Loss and gradient of every group, on all threads.
    fn accumulate_blocks(&mut self) {
        let (objective, input) = (&self.plan.objective, self.plan.input(self.step));
        let (workers, partition) = (&self.workers, self.partition);
        self.groups.par_iter_mut().enumerate().for_each(|(index, group)| {
            let thread = rayon::current_thread_index().unwrap_or(0);
            // Uncontended: a thread works on one group at a time.
            let mut worker = workers[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let mut accumulate = Accumulate::Replace;
            group.loss = partition.blocks(index).try_fold(BatchLoss::default(), |mut loss, block| {
                loss += objective.run(&mut worker, &input, block, accumulate, &mut group.gradient)?;
                accumulate = Accumulate::Add;
                Ok(loss)
            });
        });
    }

    /// Sums the groups in their order into the first and keeps the parameters; the batch loss and the gradient's squared norm, or
    /// the first error in that order, so that it too does not depend on threads.
    fn reduce(&mut self) -> Result<(BatchLoss, f64), DataError> {
        let mut loss = BatchLoss::default();
        for group in &self.groups {
            loss += group.loss.clone()?;
        }
        let penalty = self.plan.l2_penalty;
        // Weights are divided by their sum, here and not in every sample: without them nothing is done.
        let scale = if self.plan.objective.divides_by_weights() { loss.weight.recip() } else { 1.0 };
        loss.value *= scale;
        let (first, others) = self.groups.split_first_mut().expect("a batch has at least one group");
        let (previous, parameters) = (&mut *self.previous, &*self.plan.parameters);
        let arrays = Reduction { gradient: &mut first.gradient, previous, parameters };
        let norms = reduce(arrays, others, scale, penalty);
        loss.value += penalty * norms.parameters;
        Ok((loss, norms.gradient))
    }
}

impl<T: Real, O: Objective<T>> Trainer<T> for Training<T, O> {
    fn advance(&mut self, to_step: u64, members: &mut [Advanced]) -> Result<(), StepError> {
        assert!(self.step < to_step, "{} steps are done, and {to_step} are asked for", self.step);
        let [advanced] = members else { panic!("one training, not {}", members.len()) };
        *advanced = Advanced::default();
        match self.step() {
            Ok(report) => advanced.add(report),
            Err(StepError::Optimiser(fault)) => advanced.fault = Some(fault),
            Err(other) => return Err(other),
        }
        Ok(())
    }
    fn step_count(&self) -> u64 {
        self.step
    }
    fn skipped_steps(&self, _member: usize) -> u64 {
        self.plan.clip.skipped()
    }
    fn batch(&self) -> usize {
        self.plan.batch
    }
    fn parameter_count(&self) -> usize {
        self.plan.parameters.len()
    }
    fn parameters(&mut self, _member: usize) -> Result<Cow<'_, [T]>, StepError> {
        Ok(Cow::Borrowed(&self.plan.parameters))
    }
    fn state(&mut self, _member: usize) -> Result<TrainingState<'_, T>, StepError> {
        let TrainingPlan { parameters, optimiser, clip, .. } = &self.plan;
        Ok(TrainingState { parameters: Cow::Borrowed(parameters), optimiser: optimiser.state(), clip: clip.state() })
    }
    fn restore(&mut self, step: u64, members: &[TrainingState<'_, T>]) -> Result<(), StepError> {
        let [state] = members else { panic!("one training, not {}", members.len()) };
        self.plan.optimiser.load_state(&state.optimiser)?;
        self.plan.clip.load_state(&state.clip)?;
        self.plan.parameters.copy_from_slice(&state.parameters);
        self.step = step;
        Ok(())
    }
    fn threads_left_idle(&self, threads: usize) -> Option<usize> {
        Training::threads_left_idle(self, threads)
    }
}

impl<T> AsRef<[T]> for Group<T> {
    fn as_ref(&self) -> &[T] {
        &self.gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ModelKind, TrainingData, presets};
    use crate::experiment::{build_system, build_training};
    use crate::optimiser::{NamedState, Optimiser, Schedule, StateTensor};

    /// Writes NaN to every parameter, and a number of choice to its own state.
    struct Breaking {
        next: f32,
        state: [f32; 1],
    }

    impl Optimiser<f32> for Breaking {
        fn parameter_count(&self) -> usize {
            usize::MAX
        }
        fn update(&mut self, parameters: &mut [f32], _gradient: &[f32], _rate: f64) -> Result<(), OptimiserError> {
            parameters.fill(f32::NAN);
            self.state[0] = self.next;
            Ok(())
        }
        fn steps(&self) -> u64 {
            0
        }
        fn state(&self) -> NamedState<'_, f32> {
            vec![("moment".to_owned(), StateTensor::values(&self.state))]
        }
        fn load_state(&mut self, _state: &[(String, StateTensor<'_, f32>)]) -> Result<(), OptimiserError> {
            Ok(())
        }
    }

    /// A small Lagrangian network on a few motions, of which the first half of 200 steps is a warm start.
    fn on_motions(kind: ModelKind) -> Training<f32> {
        let mut config = presets::trajectories();
        let model = config.models.get_mut(presets::LNN).expect("in the preset");
        (model.kind, model.hidden, model.training.batch, model.training.steps) = (kind, vec![16, 16], 40, 200);
        let (count, t_end, dt, segment, substeps) = (40, 0.5, 0.05, 3, 2);
        model.training.data = TrainingData::Trajectories {
            count,
            t_end,
            dt,
            segment,
            substeps,
            noise: 0.0,
            chunk: None,
            time_reversal: false,
            reflection: false,
            warm_start: 0.5,
        };
        model.training.schedule = Schedule::Constant { rate: 3e-2 };
        let system = build_system(&config.system).expect("usable");
        build_training::<f32>(&config, presets::LNN, system).expect("usable")
    }

    fn advance(training: &mut Training<f32>, steps: usize) -> Vec<StepReport> {
        (0..steps).map(|_| training.step().expect("an ordinary step")).collect()
    }

    #[test]
    fn segments_are_learned_by_every_kind_of_model_for_any_number_of_threads_and_across_a_resumption() {
        for model in presets::models().models.values() {
            let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let whole = pool(1).install(|| {
                let mut training = on_motions(model.kind);
                let reports = advance(&mut training, 200);
                let losses: Vec<f64> = reports.iter().map(|report| report.loss).collect();
                let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
                assert!(reports.iter().all(|report| !report.skipped), "{losses:?}");
                let (first, last) = (mean(&losses[..10]), mean(&losses[190..]));
                // Of a Hamiltonian in the coordinates as they are there is little to learn.
                assert!(last < 0.9 * first || model.kind == ModelKind::Hnn, "{:?}: {losses:?}", model.kind);
                training.parameters().to_vec()
            });
            // Stopped within the warm start, and after it; each time a fresh training goes on with another pool.
            for stop in [70, 130] {
                let resumed = pool(2).install(|| {
                    let mut before = on_motions(model.kind);
                    advance(&mut before, stop);
                    let mut training = on_motions(model.kind);
                    let state = before.state(0).expect("at hand");
                    training.restore(stop as u64, &[state]).expect("the same optimiser and clipping");
                    advance(&mut training, 200 - stop);
                    training.parameters().to_vec()
                });
                assert_eq!(whole, resumed, "{:?} from {stop}", model.kind);
            }
        }
    }

    #[test]
    fn an_overflow_keeps_the_parameters_and_ends_a_training_whose_optimiser_is_lost() {
        let mut config = presets::fast();
        let model = config.models.get_mut(presets::LNN).expect("in every preset");
        (model.hidden, model.training.batch) = (vec![4], 8);
        let system = build_system(&config.system).expect("usable");
        let mut training = build_training::<f32>(&config, presets::LNN, system).expect("usable");
        let before = training.parameters().to_vec();
        training.plan.optimiser = Box::new(Breaking { next: 1.0, state: [0.0] });
        assert!(training.step().expect("the optimiser is sound").skipped);
        assert_eq!((training.parameters(), training.skipped_steps()), (&*before, 1));
        training.plan.optimiser = Box::new(Breaking { next: f32::INFINITY, state: [0.0] });
        let lost = OptimiserError::StateOverflow { name: "moment".to_owned(), index: 0 };
        assert_eq!(training.step(), Err(lost.into()));
        assert_eq!(training.parameters(), before);
    }

    /// The loss of a weighted batch is Σ w ℓ / Σ w, whatever the blocks, and its gradient is scaled alike: Adam's first
    /// step does not see the scale, so the gradient norm is looked at.
    #[test]
    fn weights_are_divided_by_their_sum() {
        use crate::config::preset;
        use crate::loss::LossWeight;

        let report = |weight: LossWeight, velocity: f64| {
            let mut config = preset("relativistic", "fast").expect("listed");
            let range = |low: f64| crate::config::Interval { low, high: low.next_up() };
            config.sampling_curriculum = None;
            // States that differ in nothing but the last bits, so that all weights are the same.
            config.sampling = Some(crate::config::SamplingConfig { position: range(1.0), velocity: range(velocity) });
            config.models.retain(|name, _| name == presets::LNN);
            let model = config.models.get_mut(presets::LNN).expect("kept");
            (model.hidden, model.training.batch, model.training.weight) = (vec![8], 90, weight);
            let system = build_system(&config.system).expect("usable");
            let mut training = build_training::<f64>(&config, presets::LNN, system).expect("usable");
            training.step().expect("finite")
        };
        let (uniform, weighted) = (report(LossWeight::Uniform, 0.6), report(LossWeight::Lorentz, 0.6));
        let close = |a: f64, b: f64| (a - b).abs() <= 1e3 * f64::EPSILON * b.abs();
        assert!(close(weighted.loss, uniform.loss), "{weighted:?} {uniform:?}");
        assert!(close(weighted.gradient_norm, uniform.gradient_norm), "{weighted:?} {uniform:?}");
    }

    #[test]
    fn a_velocity_without_a_weight_ends_the_training_and_is_named() {
        use crate::config::preset;
        use crate::loss::{LossWeight, VelocityOutOfRange};
        use crate::target::DataError;

        let mut config = preset("spring", "fast").expect("listed");
        let model = config.models.get_mut(presets::LNN).expect("in every preset");
        (model.hidden, model.training.weight) = (vec![4], LossWeight::Lorentz);
        // The spring's velocities stay below 1 with k = 1, and do not with k = 4.
        config.system = config.system.with("k", 4.0);
        let system = build_system(&config.system).expect("usable");
        let mut training = build_training::<f32>(&config, presets::LNN, system).expect("usable");
        match training.step() {
            Err(StepError::Data(DataError::Weight(VelocityOutOfRange { row, q_dot }))) => {
                assert!(row < 512 && q_dot.len() == 1 && q_dot[0].abs() >= 1.0, "{row} {q_dot:?}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(training.step_count(), 0);
    }
}
