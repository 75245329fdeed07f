//! States in, quantities out, on plain arrays.

use std::sync::Arc;

use lnn_autodiff::Real;
use lnn_physics::System;
use rayon::prelude::*;

use super::Quantity;
use crate::model::{BlockModel, Model, PackedNetworks, RatesMut, States};

/// States of a block: enough for the matrix products, few enough for the caches.
const BLOCK: usize = 64;

/// A model in canonical coordinates without the system that says how momenta follow from velocities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the model is a Hamiltonian network of (q, p), and nothing says how p follows from q̇; name the system that it was \
     trained on, in its file's `system`"
)]
pub struct MissingMomenta;

/// A trained model, ready to say of any state what it has learned.
///
/// A state's quantities do not depend on the states beside it nor on the number of threads.
///
/// ```
/// use lnn_train::config::preset;
/// use lnn_train::experiment::build_model;
/// use lnn_train::model::States;
/// use lnn_train::quantities::StateEvaluator;
///
/// let config = &preset("dblpend", "fast")?.models["lnn"];
/// let model = build_model(config, 2)?;
/// let parameters: Vec<f64> = config.initialisation.draw(&model, 0);
/// let evaluator = StateEvaluator::new(&model, &parameters, None)?;
///
/// let states = States { q: &[0.1, 0.2, 1.0, -1.0], q_dot: &[0.0, 0.0, 0.5, 2.0], conditionals: &[] };
/// let found = evaluator.evaluate(states);
/// assert_eq!(found.acceleration.len(), 2 * 2);
/// assert_eq!(found.mass_matrix.len(), 2 * 4);
/// assert_eq!(found.rank, [2, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StateEvaluator<T> {
    model: Model,
    networks: PackedNetworks<T>,
    /// Of a model in canonical coordinates, what gives it its momenta.
    system: Option<Arc<dyn System>>,
}

/// Quantities of a number of states, row-major; those that the model does not have ([`Quantity::of`]) are empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateQuantities<T> {
    /// The model's rate of q, `[rows, d]`: q̇ itself for a model of second order.
    pub velocity: Vec<T>,
    /// q̈, `[rows, d]`.
    pub acceleration: Vec<T>,
    /// p, `[rows, d]`.
    pub momentum: Vec<T>,
    /// ṗ of a model in canonical coordinates, `[rows, d]`.
    pub momentum_rate: Vec<T>,
    /// Energy, `[rows]`.
    pub energy: Vec<T>,
    /// H, `[rows, d, d]`.
    pub mass_matrix: Vec<T>,
    /// Condition of H, `[rows]`; see [`Quantity::Condition`].
    pub condition: Vec<T>,
    /// Rank of H, `[rows]`.
    pub rank: Vec<usize>,
}

impl<T: Real> StateEvaluator<T> {
    /// The model with its parameters, packed once for all blocks; `system` is needed for a model in canonical coordinates
    /// only.
    ///
    /// # Errors
    /// [`MissingMomenta`] for a model in canonical coordinates without a system that has them.
    ///
    /// # Panics
    /// If `parameters` has another length than the model's.
    pub fn new(model: &Model, parameters: &[T], system: Option<Arc<dyn System>>) -> Result<Self, MissingMomenta> {
        let system = system.filter(|system| model.is_canonical() && system.canonical().is_some());
        if model.is_canonical() && system.is_none() {
            return Err(MissingMomenta);
        }
        Ok(Self { model: model.clone(), networks: PackedNetworks::new(model.bind(parameters)), system })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// One thread's buffers.
    pub fn block(&self) -> StateBlock<T> {
        let d = self.model.features().degrees_of_freedom();
        StateBlock {
            block: self.model.block(BLOCK, false),
            paired: [Vec::new(), Vec::new(), Vec::new()],
            momentum: Vec::new(),
            found: StateQuantities::default(),
            degrees_of_freedom: d,
        }
    }

    /// The quantities of all states, on every thread of the pool.
    ///
    /// # Panics
    /// If the lengths of `states` do not fit each other or the model.
    pub fn evaluate(&self, states: States<'_, T>) -> StateQuantities<T> {
        let features = self.model.features();
        let (d, c) = (features.degrees_of_freedom(), features.conditionals());
        let rows = states.q.len() / d;
        let parts: Vec<StateQuantities<T>> = (0..rows.div_ceil(BLOCK))
            .into_par_iter()
            .map_init(
                || self.block(),
                |block, number| {
                    let (first, last) = (number * BLOCK, rows.min((number + 1) * BLOCK));
                    let part = States {
                        q: &states.q[first * d..last * d],
                        q_dot: &states.q_dot[first * d..last * d],
                        conditionals: &states.conditionals[first * c..last * c],
                    };
                    block.evaluate(self, part).clone()
                },
            )
            .collect();
        let mut all = StateQuantities::default();
        for part in &parts {
            all.append(part);
        }
        all
    }
}

impl<T: Real> StateQuantities<T> {
    fn append(&mut self, part: &Self) {
        for (all, part) in [
            (&mut self.velocity, &part.velocity),
            (&mut self.acceleration, &part.acceleration),
            (&mut self.momentum, &part.momentum),
            (&mut self.momentum_rate, &part.momentum_rate),
            (&mut self.energy, &part.energy),
            (&mut self.mass_matrix, &part.mass_matrix),
            (&mut self.condition, &part.condition),
        ] {
            all.extend_from_slice(part);
        }
        self.rank.extend_from_slice(&part.rank);
    }

    /// Appends the columns of `quantity` of a row to `out`, see [`Quantity::columns`].
    pub(super) fn push_columns(&self, quantity: Quantity, row: usize, degrees_of_freedom: usize, out: &mut Vec<f64>) {
        let d = degrees_of_freedom;
        let mut push = |values: &[T]| out.extend(values.iter().map(|value| value.to_f64()));
        match quantity {
            Quantity::Velocity => push(&self.velocity[row * d..(row + 1) * d]),
            Quantity::Acceleration => push(&self.acceleration[row * d..(row + 1) * d]),
            Quantity::Momentum => push(&self.momentum[row * d..(row + 1) * d]),
            Quantity::MomentumRate => push(&self.momentum_rate[row * d..(row + 1) * d]),
            Quantity::Energy => push(&self.energy[row..=row]),
            Quantity::MassMatrix => {
                let matrix = &self.mass_matrix[row * d * d..(row + 1) * d * d];
                (0..d).for_each(|i| push(&matrix[i * d + i..(i + 1) * d]));
            }
            Quantity::Condition => push(&self.condition[row..=row]),
            Quantity::Rank => out.push(self.rank[row] as f64),
        }
    }
}

/// One thread's buffers for blocks of up to 64 states.
#[derive(Debug)]
pub struct StateBlock<T> {
    block: Box<dyn BlockModel<T>>,
    /// A state alone, twice.
    paired: [Vec<T>; 3],
    /// Momenta that a model in canonical coordinates takes for velocities.
    momentum: Vec<T>,
    found: StateQuantities<T>,
    degrees_of_freedom: usize,
}

impl<T: Real> StateBlock<T> {
    /// Most states of a block.
    pub const CAPACITY: usize = BLOCK;

    /// The quantities of a block of states; they stay until the next. Nothing is allocated after the first full block.
    ///
    /// # Panics
    /// If there are more states than [`CAPACITY`](Self::CAPACITY), or the lengths do not fit each other or the model.
    pub fn evaluate(&mut self, evaluator: &StateEvaluator<T>, states: States<'_, T>) -> &StateQuantities<T> {
        let rows = states.q.len() / self.degrees_of_freedom;
        if rows == 1 {
            // A row alone is multiplied in another order than several, and would differ in its last bits.
            let mut paired = std::mem::take(&mut self.paired);
            for (twice, once) in paired.iter_mut().zip([states.q, states.q_dot, states.conditionals]) {
                twice.clear();
                twice.extend_from_slice(once);
                twice.extend_from_slice(once);
            }
            let [q, q_dot, conditionals] = &paired;
            self.evaluate_rows(evaluator, States { q, q_dot, conditionals }, 2);
            self.paired = paired;
            self.found.truncate(1, self.degrees_of_freedom);
        } else {
            self.evaluate_rows(evaluator, states, rows);
        }
        &self.found
    }

    fn evaluate_rows(&mut self, evaluator: &StateEvaluator<T>, states: States<'_, T>, rows: usize) {
        let d = self.degrees_of_freedom;
        let StateQuantities { velocity, acceleration, momentum, momentum_rate, energy, mass_matrix, condition, rank } =
            &mut self.found;
        let canonical = evaluator.model.is_canonical();
        let second = if canonical {
            acceleration.clear();
            &mut *momentum_rate
        } else {
            momentum_rate.clear();
            &mut *acceleration
        };
        for buffer in [&mut *velocity, &mut *second] {
            buffer.resize(rows * d, T::ZERO);
        }
        energy.resize(rows, T::ZERO);
        momentum.clear();
        let mut states = states;
        if let Some(system) = &evaluator.system {
            momenta(&**system, states, d, &mut self.momentum);
            momentum.extend_from_slice(&self.momentum);
            states.q_dot = &self.momentum;
        }
        let rates = RatesMut { q: velocity, q_dot: second };
        let networks = evaluator.networks.networks();
        if !self.block.rates_and_energy(networks, states, rates, energy) {
            energy.clear();
        }
        momentum.extend_from_slice(self.block.momentum().unwrap_or_default());
        mass_matrix.clear();
        mass_matrix.extend_from_slice(self.block.mass_matrix().unwrap_or_default());
        condition.clear();
        rank.clear();
        if let Some(factors) = self.block.mass_matrices() {
            condition.extend((0..rows).map(|row| condition_of(factors.eigenvalues(row))));
            rank.extend((0..rows).map(|row| factors.rank(row)));
        }
    }
}

impl<T> StateQuantities<T> {
    /// Forgets all rows but the first.
    fn truncate(&mut self, rows: usize, d: usize) {
        for buffer in [&mut self.velocity, &mut self.acceleration, &mut self.momentum, &mut self.momentum_rate] {
            buffer.truncate(rows * d);
        }
        self.mass_matrix.truncate(rows * d * d);
        self.energy.truncate(rows);
        self.condition.truncate(rows);
        self.rank.truncate(rows);
    }
}

/// |λ|max / |λ|min; NaN for a matrix that is not finite.
fn condition_of<T: Real>(eigenvalues: &[T]) -> T {
    let mut ends = (T::from_f64(f64::INFINITY), T::ZERO);
    for &eigenvalue in eigenvalues {
        let magnitude = eigenvalue.abs();
        if magnitude.to_f64().is_nan() {
            return magnitude;
        }
        ends =
            (if magnitude < ends.0 { magnitude } else { ends.0 }, if magnitude > ends.1 { magnitude } else { ends.1 });
    }
    // A matrix of zeros is as singular as any.
    if ends.0 == T::ZERO { T::from_f64(f64::INFINITY) } else { ends.1 / ends.0 }
}

/// The momenta of a block, `[rows, d]`, computed in double precision.
fn momenta<T: Real>(system: &dyn System, states: States<'_, T>, d: usize, momentum: &mut Vec<T>) {
    let c = states.conditionals.len() * d / states.q.len().max(1);
    let double = |values: &[T]| values.iter().map(|value| value.to_f64()).collect::<Vec<f64>>();
    let mut p = vec![0.0; d];
    momentum.clear();
    let Some(canonical) = system.canonical() else { return };
    for (row, (q, q_dot)) in states.q.chunks_exact(d).zip(states.q_dot.chunks_exact(d)).enumerate() {
        let conditionals = double(&states.conditionals[row * c..(row + 1) * c]);
        canonical.momentum_into(&double(q), &double(q_dot), &conditionals, &mut p);
        momentum.extend(p.iter().map(|&p| T::from_f64(p)));
    }
}
