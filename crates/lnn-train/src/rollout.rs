//! Learned motion at full speed: states forward in time by a model, in place.

use std::convert::Infallible;

use lnn_autodiff::Real;
use lnn_autodiff::jet::PackedWeights;
use lnn_physics::integrators::{FixedStep, Rk4};
use rayon::prelude::*;

use crate::model::{Model, ModelWorkspace, States};

/// States a block: enough for the matrix products, few enough for the caches. Fixed, so that results do not depend
/// on the number of threads.
const BLOCK: usize = 32;

/// d/dt (q, q̇) = (q̇, q̈ of the model) for a block of states, with everything it needs allocated once.
#[derive(Clone, Debug)]
pub(crate) struct LearnedField<T> {
    dof: usize,
    workspace: ModelWorkspace<T>,
    q: Vec<T>,
    q_dot: Vec<T>,
    acceleration: Vec<T>,
}

/// A model with its weights packed for small blocks.
#[derive(Clone, Debug)]
pub(crate) struct TrainedModel<T> {
    model: Model,
    parameters: Vec<T>,
    packed: PackedWeights<T>,
}

impl<T: Real> TrainedModel<T> {
    pub(crate) fn new(model: &Model, parameters: &[T]) -> Self {
        let packed = PackedWeights::new(model.shape(), parameters);
        Self { model: model.clone(), parameters: parameters.to_vec(), packed }
    }
}

impl<T: Real> LearnedField<T> {
    /// Buffers for blocks of up to `rows` states of `model`.
    pub(crate) fn new(model: &Model, rows: usize) -> Self {
        let dof = model.features().degrees_of_freedom();
        let zeros = || vec![T::ZERO; rows * dof];
        Self { dof, workspace: model.workspace(rows, false), q: zeros(), q_dot: zeros(), acceleration: zeros() }
    }

    /// Derivatives of states `[rows, 2d]`, each `[q, q̇]`.
    pub(crate) fn evaluate(&mut self, trained: &TrainedModel<T>, states: &[T], states_dot: &mut [T]) {
        let d = self.dof;
        let length = states.len() / 2;
        let (q, q_dot) = (&mut self.q[..length], &mut self.q_dot[..length]);
        let acceleration = &mut self.acceleration[..length];
        for (row, state) in states.chunks_exact(2 * d).enumerate() {
            q[row * d..(row + 1) * d].copy_from_slice(&state[..d]);
            q_dot[row * d..(row + 1) * d].copy_from_slice(&state[d..]);
        }
        let network = match trained.model.shape().bind(&trained.parameters) {
            Ok(network) => network.with_packed(&trained.packed),
            Err(error) => unreachable!("packing has checked the parameters: {error}"),
        };
        let block = States { q, q_dot, conditionals: &[] };
        trained.model.accelerations_of_network(network, block, &mut self.workspace, acceleration);
        for (row, state_dot) in states_dot.chunks_exact_mut(2 * d).enumerate() {
            state_dot[..d].copy_from_slice(&q_dot[row * d..(row + 1) * d]);
            state_dot[d..].copy_from_slice(&acceleration[row * d..(row + 1) * d]);
        }
    }
}

/// Many states of a learned motion, advanced together by the classical Runge–Kutta method.
///
/// States are cut into blocks, and a block goes all its steps on one thread, so threads meet once a call and not
/// once a step; one block runs on the caller's thread. No step allocates. Results do not depend on the number of
/// threads. A state that leaves the numbers becomes NaN and stays it; the others go on.
///
/// ```
/// use lnn_train::config::preset;
/// use lnn_train::experiment::build_model;
/// use lnn_train::rollout::Rk4Rollout;
///
/// let config = &preset("dblpend", "fast")?.models["lnn"];
/// let model = build_model(config, 2)?;
/// let parameters: Vec<f32> = config.initialisation.draw(model.shape(), 0);
/// let mut states = [0.1, 0.2, 0.0, 0.0, 2.0, 1.0, 0.5, -0.5];
/// Rk4Rollout::new(&model, &parameters, 2).advance(&mut states, 1e-3, 100);
/// assert!(states.iter().all(|value| value.is_finite()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rk4Rollout<T> {
    trained: TrainedModel<T>,
    rows: usize,
    blocks: Vec<Block<T>>,
}

#[derive(Clone, Debug)]
struct Block<T> {
    stepper: Rk4<T>,
    field: LearnedField<T>,
}

impl<T: Real> Rk4Rollout<T> {
    /// A rollout of `rows` states of `model` with these parameters, whose weights are packed here once.
    ///
    /// # Panics
    /// If `parameters` has another length than the model's.
    pub fn new(model: &Model, parameters: &[T], rows: usize) -> Self {
        let width = 2 * model.features().degrees_of_freedom();
        let block = |first: usize| {
            let rows = BLOCK.min(rows - first);
            Block { stepper: Rk4::new(rows * width), field: LearnedField::new(model, rows) }
        };
        let blocks = (0..rows).step_by(BLOCK).map(block).collect();
        Self { trained: TrainedModel::new(model, parameters), rows, blocks }
    }

    /// Advances `states` `[rows, 2d]`, each `[q, q̇]`, by `steps` steps of length `dt`.
    ///
    /// # Panics
    /// If `states` has another length than the rollout was made for.
    pub fn advance(&mut self, states: &mut [T], dt: f64, steps: usize) {
        let width = 2 * self.trained.model.features().degrees_of_freedom();
        assert_eq!(states.len(), self.rows * width, "states: rows × 2d");
        let trained = &self.trained;
        let advance = |block: &mut Block<T>, states: &mut [T]| {
            let Block { stepper, field } = block;
            let mut derivative = |_t: f64, states: &[T], states_dot: &mut [T]| {
                field.evaluate(trained, states, states_dot);
                Ok::<(), Infallible>(())
            };
            for _ in 0..steps {
                let Ok(()) = stepper.step(&mut derivative, 0.0, dt, states) else {
                    unreachable!("an explicit method fails only if its right-hand side does")
                };
            }
        };
        match &mut self.blocks[..] {
            [block] => advance(block, states),
            blocks => {
                let states = states.par_chunks_mut(BLOCK * width);
                blocks.par_iter_mut().zip(states).for_each(|(block, states)| advance(block, states));
            }
        }
    }
}
