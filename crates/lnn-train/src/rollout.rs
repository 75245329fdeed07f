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

#[cfg(test)]
mod tests {
    use lnn_physics::integrators::solve_batch_at;

    use super::*;
    use crate::config::preset;
    use crate::experiment::build_model;

    fn fast(name: &str) -> (Model, Vec<f64>) {
        let config = preset("dblpend", "fast").expect("a preset").models[name].clone();
        let model = build_model(&config, 2).expect("usable");
        let parameters = config.initialisation.draw(model.shape(), 4);
        (model, parameters)
    }

    fn states(rows: usize) -> Vec<f64> {
        (0..4 * rows).map(|i| (i as f64 * 0.73).sin() * 2.0).collect()
    }

    #[test]
    fn it_is_the_lockstep_integration_of_the_model() {
        for name in ["lnn", "baseline"] {
            let (model, parameters) = fast(name);
            for rows in [1, 2, 3, BLOCK - 1, 2 * BLOCK + 5] {
                let (initial, (dt, steps)) = (states(rows), (0.01, 20));
                let mut workspace = model.workspace::<f64>(rows, false);
                let mut accelerations = vec![0.0; rows * 2];
                let right_hand_side = |_t: f64, states: &[f64], states_dot: &mut [f64]| {
                    let half = |first: usize| -> Vec<f64> {
                        states.chunks_exact(4).flat_map(|state| [state[first], state[first + 1]]).collect()
                    };
                    let (q, q_dot) = (half(0), half(2));
                    let block = States { q: &q, q_dot: &q_dot, conditionals: &[] };
                    model.accelerations(&parameters, block, &mut workspace, &mut accelerations);
                    let rates = q_dot.chunks_exact(2).zip(accelerations.chunks_exact(2));
                    for (state_dot, (q_dot, q_ddot)) in states_dot.chunks_exact_mut(4).zip(rates) {
                        state_dot[..2].copy_from_slice(q_dot);
                        state_dot[2..].copy_from_slice(q_ddot);
                    }
                    Ok::<(), Infallible>(())
                };
                let times = [0.0, dt * steps as f64];
                let Ok(want) = solve_batch_at(dt, right_hand_side, &initial, 4, &times) else { panic!("finite") };
                let mut got = initial.clone();
                Rk4Rollout::new(&model, &parameters, rows).advance(&mut got, dt, steps);
                for (row, got) in got.chunks_exact(4).enumerate() {
                    for (got, want) in got.iter().zip(want.state(1, row)) {
                        // Sums in another order, of thousands of terms, over 80 evaluations of a tame field.
                        assert!((got - want).abs() <= 1e6 * f64::EPSILON, "{name}, {rows} rows: {got} {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn threads_and_calls_change_no_bit() {
        let (model, parameters) = fast("lnn");
        let single: Vec<f32> = parameters.iter().map(|&x| x as f32).collect();
        let initial: Vec<f32> = states(100).into_iter().map(|x| x as f32).collect();
        let run = |threads: usize, calls: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            let mut states = initial.clone();
            let mut rollout = Rk4Rollout::new(&model, &single, 100);
            pool.install(|| (0..calls).for_each(|_| rollout.advance(&mut states, 0.01, 12 / calls)));
            states
        };
        let want = run(1, 1);
        assert_ne!(want, initial);
        for (threads, calls) in [(1, 3), (2, 1), (4, 2)] {
            assert_eq!(run(threads, calls), want, "{threads} threads, {calls} calls");
        }
    }

    #[test]
    fn a_lost_state_leaves_the_others_alone() {
        let (model, parameters) = fast("lnn");
        let run = |mut states: Vec<f64>| {
            Rk4Rollout::new(&model, &parameters, 3).advance(&mut states, 0.01, 5);
            states
        };
        let healthy = run(states(3));
        let mut broken = states(3);
        broken[4] = f64::NAN;
        let broken = run(broken);
        assert!(broken[4..8].iter().all(|x| x.is_nan()), "{broken:?}");
        assert_eq!((&broken[..4], &broken[8..]), (&healthy[..4], &healthy[8..]));
    }

    #[test]
    #[should_panic(expected = "states: rows × 2d")]
    fn states_of_another_length() {
        let (model, parameters) = fast("lnn");
        Rk4Rollout::new(&model, &parameters, 2).advance(&mut [0.0; 4], 0.01, 1);
    }
}
