//! Learned motion at full speed: states forward in time by a model, in place.

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::SymmetricFactors;
use lnn_physics::integrators::{FixedStep, Rk4};
use rayon::prelude::*;

use crate::model::{BlockModel, Model, PackedNetworks, RatesMut, States};

/// States a block: enough for the matrix products, few enough for the caches. Fixed, so that results do not depend
/// on the number of threads.
const BLOCK: usize = 32;

/// A model with its parameters, packed for small blocks.
#[derive(Clone, Debug)]
pub(crate) struct TrainedModel<T> {
    model: Model,
    networks: PackedNetworks<T>,
}

impl<T: Real> TrainedModel<T> {
    /// # Panics
    /// If `parameters` has another length than the model's.
    pub(crate) fn new(model: &Model, parameters: &[T]) -> Self {
        Self { model: model.clone(), networks: PackedNetworks::new(model.bind(parameters)) }
    }
}

/// d/dt (q, q̇) by a model for a block of states, with everything it needs allocated once.
#[derive(Debug)]
pub(crate) struct LearnedField<T> {
    dof: usize,
    block: Box<dyn BlockModel<T>>,
    q: Vec<T>,
    q_dot: Vec<T>,
    velocity: Vec<T>,
    acceleration: Vec<T>,
}

impl<T: Real> LearnedField<T> {
    /// Buffers for blocks of up to `rows` states of `model`.
    pub(crate) fn new(model: &Model, rows: usize) -> Self {
        let dof = model.features().degrees_of_freedom();
        let zeros = || vec![T::ZERO; rows * dof];
        let block = model.block(rows, false);
        Self { dof, block, q: zeros(), q_dot: zeros(), velocity: zeros(), acceleration: zeros() }
    }

    /// Numbers of a state (q, q̇), 2d.
    pub(crate) fn width(&self) -> usize {
        2 * self.dof
    }

    /// Derivatives of states `[rows, 2d]`, each `[q, q̇]`, with conditionals `[rows, c]`.
    pub(crate) fn evaluate(
        &mut self,
        trained: &TrainedModel<T>,
        states: &[T],
        conditionals: &[T],
        states_dot: &mut [T],
    ) {
        let d = self.dof;
        let length = states.len() / 2;
        let (q, q_dot) = (&mut self.q[..length], &mut self.q_dot[..length]);
        let (velocity, acceleration) = (&mut self.velocity[..length], &mut self.acceleration[..length]);
        for (row, state) in states.chunks_exact(2 * d).enumerate() {
            q[row * d..(row + 1) * d].copy_from_slice(&state[..d]);
            q_dot[row * d..(row + 1) * d].copy_from_slice(&state[d..]);
        }
        let block = States { q, q_dot, conditionals };
        let rates = RatesMut { q: &mut *velocity, q_dot: &mut *acceleration };
        self.block.rates(trained.networks.networks(), block, rates);
        for (row, state_dot) in states_dot.chunks_exact_mut(2 * d).enumerate() {
            state_dot[..d].copy_from_slice(&velocity[row * d..(row + 1) * d]);
            state_dot[d..].copy_from_slice(&acceleration[row * d..(row + 1) * d]);
        }
    }

    /// The learned mass matrices of the states evaluated last, if the model has any.
    pub(crate) fn mass_matrices(&self) -> Option<&SymmetricFactors<T>> {
        self.block.mass_matrices()
    }
}

/// Many states of a learned motion, advanced together by the classical Runge–Kutta method.
///
/// States are cut into blocks of 32, and a block goes all its steps on one thread, so threads meet once a call and
/// not once a step; one block runs on the caller's thread. No step allocates; memory grows with the threads, and
/// with the states only by three numbers for each of theirs.
///
/// Results do not depend on the number of threads, nor a state's on the other states, except that a block of one
/// state sums in another order than a fuller one. A state that leaves the finite numbers stays lost; the others go on.
///
/// ```
/// use lnn_train::config::preset;
/// use lnn_train::experiment::build_model;
/// use lnn_train::rollout::Rk4Rollout;
///
/// let config = &preset("dblpend", "fast")?.models["lnn"];
/// let model = build_model(config, 2)?;
/// let parameters: Vec<f32> = config.initialisation.draw(&model, 0);
/// let mut states = [0.1, 0.2, 0.0, 0.0, 2.0, 1.0, 0.5, -0.5];
/// Rk4Rollout::new(&model, &parameters, 2).advance(&mut states, 1e-3, 100);
/// assert!(states.iter().all(|value| value.is_finite()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Rk4Rollout<T> {
    trained: TrainedModel<T>,
    rows: usize,
    /// `[rows, c]`.
    conditionals: Vec<T>,
    steppers: Vec<Rk4<T>>,
    /// One a thread.
    fields: Vec<Mutex<LearnedField<T>>>,
}

impl<T: Real> Rk4Rollout<T> {
    /// A rollout of `rows` states of a model without conditionals, whose weights are packed here once. Make it in
    /// the thread pool that it runs in.
    ///
    /// # Panics
    /// If `parameters` has another length than the model's, or the model has conditionals.
    pub fn new(model: &Model, parameters: &[T], rows: usize) -> Self {
        Self::with_conditionals(model, parameters, rows, &[])
    }

    /// A rollout of `rows` states with their conditionals `[rows, c]`, which stay as they are.
    ///
    /// # Panics
    /// If `parameters` has another length than the model's, or `conditionals` another than rows × c.
    pub fn with_conditionals(model: &Model, parameters: &[T], rows: usize, conditionals: &[T]) -> Self {
        let expected = rows * model.features().conditionals();
        assert_eq!(
            conditionals.len(),
            expected,
            "conditionals: rows × c, {rows} × {}",
            model.features().conditionals()
        );
        let width = 2 * model.features().degrees_of_freedom();
        let block_rows = BLOCK.min(rows);
        let threads = if rows > BLOCK { rayon::current_num_threads() } else { 1 };
        Self {
            trained: TrainedModel::new(model, parameters),
            rows,
            conditionals: conditionals.to_vec(),
            steppers: (0..rows).step_by(BLOCK).map(|first| Rk4::new(BLOCK.min(rows - first) * width)).collect(),
            fields: (0..threads).map(|_| Mutex::new(LearnedField::new(model, block_rows))).collect(),
        }
    }

    /// Advances `states` `[rows, 2d]`, each `[q, q̇]`, by `steps` steps of length `dt`.
    ///
    /// # Panics
    /// If `states` has another length than the rollout was made for.
    pub fn advance(&mut self, states: &mut [T], dt: f64, steps: usize) {
        let features = self.trained.model.features();
        let (width, c) = (2 * features.degrees_of_freedom(), features.conditionals());
        assert_eq!(states.len(), self.rows * width, "states: rows × 2d");
        let (trained, fields, conditionals) = (&self.trained, &self.fields, &self.conditionals);
        let advance = |(block, (stepper, states)): (usize, (&mut Rk4<T>, &mut [T]))| {
            // Uncontended, unless it was made in a smaller pool.
            let thread = rayon::current_thread_index().unwrap_or(0) % fields.len();
            let mut field = fields[thread].lock().unwrap_or_else(PoisonError::into_inner);
            let rows = states.len() / width;
            let conditionals = &conditionals[block * BLOCK * c..][..rows * c];
            let mut derivative = |_t: f64, states: &[T], states_dot: &mut [T]| {
                field.evaluate(trained, states, conditionals, states_dot);
                Ok::<(), Infallible>(())
            };
            for _ in 0..steps {
                let Ok(()) = stepper.step(&mut derivative, 0.0, dt, states) else {
                    unreachable!("an explicit method fails only if its right-hand side does")
                };
            }
        };
        match &mut self.steppers[..] {
            [stepper] => advance((0, (stepper, states))),
            steppers => {
                let states = states.par_chunks_mut(BLOCK * width);
                steppers.par_iter_mut().zip(states).enumerate().for_each(advance);
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
        let parameters = config.initialisation.draw(&model, 4);
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
                let mut block = model.block::<f64>(rows, false);
                let (mut velocities, mut accelerations) = (vec![0.0; rows * 2], vec![0.0; rows * 2]);
                let right_hand_side = |_t: f64, states: &[f64], states_dot: &mut [f64]| {
                    let half = |first: usize| -> Vec<f64> {
                        states.chunks_exact(4).flat_map(|state| [state[first], state[first + 1]]).collect()
                    };
                    let (q, q_dot) = (half(0), half(2));
                    let states = States { q: &q, q_dot: &q_dot, conditionals: &[] };
                    let rates = RatesMut { q: &mut velocities, q_dot: &mut accelerations };
                    block.rates(model.bind(&parameters), states, rates);
                    let rates = velocities.chunks_exact(2).zip(accelerations.chunks_exact(2));
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
    fn conditionals_belong_to_their_states() {
        use lnn_autodiff::features::{Feature, FeatureMap};
        use lnn_autodiff::{Activation, MlpShape};

        let features = vec![
            Feature::Position { index: 0, scale: 1.0, centre: 0.0 },
            Feature::Velocity { index: 0, scale: 1.0 },
            Feature::Conditional { index: 0, scale: 1.0, centre: 0.0 },
        ];
        let features = FeatureMap::new(1, 1, features).expect("usable");
        let shape = MlpShape::new(&[3, 8, 1], Activation::Softplus).expect("usable");
        let network = crate::model::LagrangianNetwork::new(shape, features, 1.0, None).expect("usable");
        let parameters: Vec<f64> = (0..network.shape().parameter_count()).map(|i| (i as f64 * 1.7).sin()).collect();
        let model = Model::Lagrangian(network);
        // The same state under another field each; every one as if alone with its own.
        let rows = BLOCK + 9;
        let conditionals: Vec<f64> = (0..rows).map(|i| 0.1 * i as f64 - 1.0).collect();
        let mut together = [0.3, -0.2].repeat(rows);
        Rk4Rollout::with_conditionals(&model, &parameters, rows, &conditionals).advance(&mut together, 0.01, 10);
        for (row, together) in together.chunks_exact(2).enumerate() {
            let mut alone = [0.3, -0.2];
            Rk4Rollout::with_conditionals(&model, &parameters, 1, &conditionals[row..=row])
                .advance(&mut alone, 0.01, 10);
            for (together, alone) in together.iter().zip(alone) {
                assert!((together - alone).abs() < 1e4 * f64::EPSILON, "{row}: {together} {alone}");
            }
        }
        assert!((together[0] - together[2 * rows - 2]).abs() > 1e-6, "the conditional matters");
    }

    #[test]
    fn no_state_is_no_work() {
        let (model, parameters) = fast("lnn");
        Rk4Rollout::new(&model, &parameters, 0).advance(&mut [], 0.01, 3);
    }

    #[test]
    #[should_panic(expected = "states: rows × 2d")]
    fn states_of_another_length() {
        let (model, parameters) = fast("lnn");
        Rk4Rollout::new(&model, &parameters, 2).advance(&mut [0.0; 4], 0.01, 1);
    }
}
