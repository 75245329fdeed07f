//! The objective: random networks at random states, their gradients and accelerations.

use std::ops::Range;

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::{Activation, MlpShape};
use lnn_physics::System;
use lnn_physics::sampling::StateSampler;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::divergence::{divergence_from_standard_normal, quantile};
use super::error::SearchError;
use crate::loss::Loss;
use crate::model::{LagrangianNetwork, LagrangianWorkspace, ModelError, States};
use crate::target::acceleration_into;

/// The sampler's domain: its states are those of no training, held-out set or rollout.
const DOMAIN: u64 = 16;

/// Sizes of an ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnsembleSizes {
    /// Random networks R.
    pub networks: usize,
    /// States B of a network, whose mean loss is differentiated.
    ///
    /// One by preference: near a singular mass matrix the gradient grows as the square of its inverse, and a mean over
    /// such tails is that of its worst state. It tells of B more than of the network.
    pub states: usize,
    /// Entries of a layer's gradient taken from each network, at most.
    pub entries: usize,
    /// Bins K of the divergence.
    pub bins: usize,
    /// Whether accelerations are compared in units of the spread of the true ones, instead of the system's.
    pub standardised: bool,
}

/// R networks of one shape with weights σ_l·N(0, 1) and zero biases, each with B states of a system.
///
/// What a search makes standard normal, pooled over networks and states:
///
/// - of each layer, the gradient `∂/∂W_l (1/B) Σ |q̈ − q̈*|₁` of the paper's loss, in the system's units. Its cotangent
///   is λ = ±1/B whatever the error, so its size tells of the network and not of how wrong it still is;
/// - the predicted accelerations q̈, in units of the spread of the true ones q̈*: (x₃ − x₁) / 1.349 with the quartiles
///   x₁ and x₃. In the double pendulum's own units, rad/s², no σ brings them near N(0, 1), since the size of
///   q̈ = H⁺r is that of the velocities and does not depend on the scale of L; their share would drown the gradients'.
///
/// The normal numbers and the states are drawn once, so that the objective is a deterministic, continuous function of
/// the deviations (common random numbers).
#[derive(Debug)]
pub struct Ensemble {
    model: LagrangianNetwork,
    sizes: EnsembleSizes,
    /// `[R, weights]`, in single precision: a wide network's take more memory than all else.
    normals: Vec<f32>,
    /// Coordinates, velocities and true accelerations, `[R, B, d]` each.
    q: Vec<f64>,
    q_dot: Vec<f64>,
    q_ddot: Vec<f64>,
    acceleration_unit: f64,
    /// Places in the flat parameters of the gradient's entries that are looked at, layer after layer.
    places: Vec<Vec<usize>>,
}

/// How far gradients and accelerations are from N(0, 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergences {
    /// Of the gradient by each layer's weights, first to output layer.
    pub gradients: Vec<f64>,
    /// Of the predicted accelerations.
    pub acceleration: f64,
}

impl Divergences {
    /// The objective: the sum of all.
    pub fn total(&self) -> f64 {
        self.gradients.iter().sum::<f64>() + self.acceleration
    }
}

/// One thread's buffers.
struct Worker {
    parameters: Vec<f64>,
    gradient: Vec<f64>,
    lambda: Vec<f64>,
    workspace: LagrangianWorkspace<f64>,
}

impl Ensemble {
    /// Networks of `hidden_layers` layers of `width` for `system`, drawn with `seed`.
    ///
    /// The networks are the paper's: L = net(q, q̇) with softplus, no residual mass, nothing scaled.
    ///
    /// # Errors
    /// A system with conditional inputs, with more coordinates than the solve takes, or whose accelerations are not
    /// finite or all the same.
    ///
    /// # Panics
    /// If a size is 0 or there are fewer gradient entries or accelerations than bins.
    pub fn draw(
        system: &dyn System,
        width: usize,
        hidden_layers: usize,
        sizes: EnsembleSizes,
        seed: u64,
    ) -> Result<Self, SearchError> {
        let d = system.degrees_of_freedom();
        if !system.conditionals().is_empty() {
            return Err(SearchError::ConditionalInputs { system: system.name() });
        }
        let coordinates = (0..d).map(|index| Feature::Position { index, scale: 1.0, centre: 0.0 });
        let velocities = (0..d).map(|index| Feature::Velocity { index, scale: 1.0 });
        let features = FeatureMap::new(d, 0, coordinates.chain(velocities).collect()).map_err(ModelError::from)?;
        let dimensions = [&[2 * d][..], &vec![width; hidden_layers], &[1]].concat();
        let shape = MlpShape::new(&dimensions, Activation::Softplus).map_err(ModelError::from)?;
        let places: Vec<Vec<usize>> =
            shape.layers().iter().map(|layer| spread(layer.weight.clone(), sizes.entries)).collect();
        let model = LagrangianNetwork::new(shape, features, 0.0, None)?;

        let numbers = sizes.networks * sizes.states * d;
        let (mut q, mut q_dot) = (Vec::with_capacity(numbers), Vec::with_capacity(numbers));
        let mut q_ddot = vec![0.0; numbers];
        let mut normals = Vec::with_capacity(sizes.networks * model.shape().parameter_count());
        let mut states = vec![0.0; sizes.states * 2 * d];
        let sampler = StateSampler::new(seed, DOMAIN);
        for network in 0..sizes.networks {
            sampler.fill(network as u64, system.training_distribution(), &mut states);
            for state in states.chunks_exact(2 * d) {
                q.extend_from_slice(&state[..d]);
                q_dot.extend_from_slice(&state[d..]);
                let at = q.len() - d;
                acceleration_into::<f64>(system, state, &mut q_ddot[at..at + d])?;
            }
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(network as u64);
            for layer in model.shape().layers() {
                normals.extend(layer.weight.clone().map(|_| random.sample::<f32, _>(StandardNormal)));
            }
        }
        let acceleration_unit = if sizes.standardised { spread_of(&q_ddot) } else { 1.0 };
        if !(acceleration_unit.is_finite() && acceleration_unit > 0.0) {
            return Err(SearchError::NoSpread { system: system.name() });
        }
        Ok(Self { model, sizes, normals, q, q_dot, q_ddot, acceleration_unit, places })
    }

    /// Number of layers, and so of deviations.
    pub fn layers(&self) -> usize {
        self.places.len()
    }

    /// The divergences with the weights' standard deviations σ, first to output layer.
    ///
    /// Only the output layer's own gradient depends on its σ, as 1/σ: the motion does not change with the scale of L.
    ///
    /// # Panics
    /// Unless there is one deviation a layer.
    pub fn divergences(&self, deviations: &[f64]) -> Divergences {
        assert_eq!(deviations.len(), self.layers(), "one standard deviation a layer");
        let d = self.model.features().degrees_of_freedom();
        let (taken, accelerations) = (self.places.iter().map(Vec::len).sum::<usize>(), self.sizes.states * d);
        let stride = taken + accelerations;
        let mut found = vec![0.0; self.sizes.networks * stride];
        found.par_chunks_exact_mut(stride).enumerate().for_each_init(
            || self.worker(),
            |worker, (network, found)| self.evaluate(network, deviations, worker, found),
        );
        let mut start = 0;
        let mut divergence = |length: usize| {
            let rows = found.chunks_exact(stride);
            let mut sample: Vec<f64> = rows.flat_map(|row| row[start..start + length].iter().copied()).collect();
            start += length;
            divergence_from_standard_normal(&mut sample, self.sizes.bins)
        };
        let gradients = self.places.iter().map(|places| divergence(places.len())).collect();
        Divergences { gradients, acceleration: divergence(accelerations) }
    }

    fn worker(&self) -> Worker {
        let parameters = self.model.shape().parameter_count();
        Worker {
            parameters: vec![0.0; parameters],
            gradient: vec![0.0; parameters],
            lambda: vec![0.0; self.sizes.states * self.model.features().degrees_of_freedom()],
            workspace: self.model.workspace(self.sizes.states, true),
        }
    }

    /// One network: the entries of its gradient, layer after layer, then its accelerations.
    fn evaluate(&self, network: usize, deviations: &[f64], worker: &mut Worker, found: &mut [f64]) {
        let Worker { parameters, gradient, lambda, workspace } = worker;
        let shape = self.model.shape();
        let weights = self.normals.len() / self.sizes.networks;
        let mut normals = self.normals[network * weights..][..weights].iter();
        for (layer, deviation) in shape.layers().iter().zip(deviations) {
            for (parameter, &normal) in parameters[layer.weight.clone()].iter_mut().zip(&mut normals) {
                *parameter = deviation * f64::from(normal);
            }
        }
        let numbers = lambda.len();
        let rows = network * numbers..(network + 1) * numbers;
        let states = States { q: &self.q[rows.clone()], q_dot: &self.q_dot[rows.clone()], conditionals: &[] };
        let mlp = shape.bind(parameters).expect("the buffer has the shape's length");
        self.model.accelerate(mlp.into(), states, workspace);
        Loss::L1.evaluate(workspace.acceleration(), &self.q_ddot[rows], self.sizes.states, lambda);
        let (gradients, accelerations) = found.split_at_mut(found.len() - numbers);
        for (found, acceleration) in accelerations.iter_mut().zip(workspace.acceleration()) {
            *found = acceleration / self.acceleration_unit;
        }
        self.model.gradient(mlp.into(), lambda, workspace, Accumulate::Replace, gradient);
        for (entry, &place) in gradients.iter_mut().zip(self.places.iter().flatten()) {
            *entry = gradient[place];
        }
    }
}

/// The standard deviation of the normal distribution with the quartiles of `values`, `(x₃ − x₁) / 1.349`.
fn spread_of(values: &[f64]) -> f64 {
    /// Distance of the quartiles of N(0, 1).
    const QUARTILES: f64 = 1.348_979_500_392_163_4;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    (quantile(&sorted, 0.75) - quantile(&sorted, 0.25)) / QUARTILES
}

/// At most `limit` places of a range, evenly spread: over the rows and the columns of a weight matrix.
///
/// Steps of about the golden section of the length, coprime to it: no place comes twice and no column is favoured, as
/// an even stride would favour some of four inputs.
fn spread(range: Range<usize>, limit: usize) -> Vec<usize> {
    let length = range.len();
    if length <= limit {
        return range.collect();
    }
    let golden = (length as f64 * 0.618) as usize;
    let step = (golden..length).find(|&step| greatest_common_divisor(step, length) == 1).unwrap_or(1);
    (0..limit).map(|index| range.start + index * step % length).collect()
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use lnn_physics::systems::DoublePendulum;

    use super::*;

    const SIZES: EnsembleSizes = EnsembleSizes { networks: 24, states: 3, entries: 20, bins: 4, standardised: true };

    fn pendulum() -> DoublePendulum {
        DoublePendulum::new(1.0, 1.0, 1.0, 1.0, 9.8).expect("positive")
    }

    fn small(seed: u64) -> Ensemble {
        Ensemble::draw(&pendulum(), 6, 2, SIZES, seed).expect("a small network")
    }

    /// The gradient's entries of one network, all layers.
    fn gradient(ensemble: &Ensemble, network: usize, deviations: &[f64]) -> Vec<f64> {
        let taken: usize = ensemble.places.iter().map(Vec::len).sum();
        let mut found = vec![0.0; taken + SIZES.states * 2];
        ensemble.evaluate(network, deviations, &mut ensemble.worker(), &mut found);
        found.truncate(taken);
        found
    }

    #[test]
    fn the_gradient_is_that_of_the_mean_loss() {
        let (ensemble, deviations) = (small(1), [0.8, 0.5, 2.0]);
        let loss = |network: usize, parameters: &[f64]| {
            let numbers = SIZES.states * 2;
            let rows = network * numbers..(network + 1) * numbers;
            let states =
                States { q: &ensemble.q[rows.clone()], q_dot: &ensemble.q_dot[rows.clone()], conditionals: &[] };
            let mut workspace = ensemble.model.workspace(SIZES.states, false);
            let mlp = ensemble.model.shape().bind(parameters).expect("own parameters");
            ensemble.model.accelerate(mlp.into(), states, &mut workspace);
            let errors = workspace.acceleration().iter().zip(&ensemble.q_ddot[rows]);
            errors.map(|(a, b)| (a - b).abs()).sum::<f64>() / SIZES.states as f64
        };
        for network in [0, 7] {
            let mut worker = ensemble.worker();
            let mut found = vec![0.0; ensemble.places.iter().map(Vec::len).sum::<usize>() + SIZES.states * 2];
            ensemble.evaluate(network, &deviations, &mut worker, &mut found);
            let mut parameters = worker.parameters;
            for (&place, &entry) in ensemble.places.iter().flatten().zip(&found) {
                let (kept, step) = (parameters[place], 1e-6 * parameters[place].abs().max(1e-2));
                parameters[place] = kept + step;
                let above = loss(network, &parameters);
                parameters[place] = kept - step;
                let below = loss(network, &parameters);
                parameters[place] = kept;
                let difference = (above - below) / (2.0 * step);
                // Cancellation: the loss's rounding over the step; curvature: the step's square.
                let tolerance = 1e-12 * above / step + 1e-4 * entry.abs();
                assert!((entry - difference).abs() <= tolerance, "{place}: {entry} against {difference}");
            }
        }
    }

    #[test]
    fn the_scale_of_the_lagrangian_moves_the_output_layers_gradient_alone() {
        let ensemble = small(2);
        let (one, other) = ([0.9, 0.4, 1.0], [0.9, 0.4, 8.0]);
        let output = ensemble.places[2].len();
        for network in 0..SIZES.networks {
            let (a, b) = (gradient(&ensemble, network, &one), gradient(&ensemble, network, &other));
            let inner = a.len() - output;
            for (index, (a, b)) in a.iter().zip(&b).enumerate() {
                // A power of two scales without rounding, except where a tolerance of the solve is absolute.
                let expected = if index < inner { *b } else { 8.0 * b };
                assert!((a - expected).abs() <= 1e-9 * a.abs(), "network {network}, entry {index}: {a}, {b}");
            }
        }
        let (a, b) = (ensemble.divergences(&one), ensemble.divergences(&other));
        assert!((a.acceleration - b.acceleration).abs() <= 1e-9 * a.acceleration);
        assert!((a.gradients[2] - b.gradients[2]).abs() > 0.1, "{a:?} {b:?}");
    }

    #[test]
    fn the_objective_depends_on_the_seed_and_not_on_the_threads() {
        let deviations = [1.0, 0.5, 2.0];
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| small(5).divergences(&deviations))
        };
        let one = on(1);
        assert_eq!(one, on(3));
        assert_ne!(one, small(6).divergences(&deviations));
        let sum: f64 = one.gradients.iter().sum();
        assert_eq!(one.total(), sum + one.acceleration);
    }

    #[test]
    fn accelerations_like_the_true_ones_are_standard_normal_in_their_units() {
        let ensemble = small(3);
        let mut truth: Vec<f64> = ensemble.q_ddot.iter().map(|x| x / ensemble.acceleration_unit).collect();
        let standard = divergence_from_standard_normal(&mut truth, SIZES.bins);
        let raw = divergence_from_standard_normal(&mut ensemble.q_ddot.clone(), SIZES.bins);
        // 144 numbers in 4 bins: (K − 1) / 2N is 0.01, and the truth's median is not exactly 0.
        assert!(standard < 0.1 && raw > 10.0, "{standard} {raw}");
    }

    #[test]
    fn entries_are_spread_over_all_columns_and_never_repeat() {
        for (length, limit) in [(64, 16), (512, 64), (257, 256), (16, 16), (5, 64)] {
            let mut places = spread(100..100 + length, limit);
            let columns: Vec<usize> =
                (0..4).map(|column| places.iter().filter(|&&place| place % 4 == column).count()).collect();
            if length % 4 == 0 {
                assert!(columns.iter().all(|&count| 4 * count == places.len()), "{length}: {columns:?}");
            }
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), length.min(limit));
            assert!(places[0] >= 100 && places[places.len() - 1] < 100 + length);
        }
    }
}
