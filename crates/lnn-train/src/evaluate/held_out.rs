//! Acceleration error and mass-matrix spectrum over states that training never sees.

use std::sync::atomic::{AtomicBool, Ordering};

use lnn_autodiff::pseudoinverse::SymmetricFactors;
use lnn_physics::sampling::{Distribution, StateSampler};
use lnn_physics::{Canonical, System};
use rayon::prelude::*;

use crate::fit::Observations;
use crate::loss::{LossWeight, VelocityOutOfRange};
use crate::model::{BlockModel, Model, RatesMut, States};
use crate::record::{Judged, MassMatrixSpectrum};
use crate::target::{NonFiniteTarget, acceleration_into, momentum_into};

/// Rows a block; fixed, so that sums do not depend on the number of threads.
const BLOCK: usize = 64;

/// States behind the acceleration error and the spectrum of a log line.
pub const LOGGED_STATES: usize = 1024;

/// Held-out states with their true accelerations.
#[derive(Clone, Debug)]
pub struct HeldOut {
    dof: usize,
    q: Vec<f64>,
    q_dot: Vec<f64>,
    /// `[states, c]`.
    conditionals: Vec<f64>,
    target: Vec<f64>,
    /// Weights `[states]`, if the training has any.
    weights: Option<Vec<f64>>,
    /// Momenta and their rates, `[states, d]` each, for models in canonical coordinates.
    momenta: Option<[Vec<f64>; 2]>,
}

/// What a model does on the held-out states.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOutResult {
    /// Mean over the states of Σⱼ |q̈ⱼ − q̈*ⱼ|; infinite if an acceleration is not finite, NaN for a model in canonical
    /// coordinates, which has none.
    pub acceleration_l1: f64,
    /// The same in units of the mean of Σⱼ |q̈*ⱼ|; infinite too where nothing accelerates.
    pub acceleration_relative: f64,
    /// [`acceleration_l1`](Self::acceleration_l1) as the mean by the weights of the training, if it has any.
    pub weighted_acceleration_l1: Option<f64>,
    /// Mean over the states of Σⱼ |dqⱼ/dt − q̇ⱼ| + |q̈ⱼ − q̈*ⱼ|, of a model that learns both rates; in canonical coordinates
    /// with ṗ in place of q̈.
    pub vector_field_l1: Option<f64>,
    /// The same as the mean by the weights.
    pub weighted_vector_field_l1: Option<f64>,
    /// Spectrum of the learned mass matrix; `None` for a model without one.
    pub mass_matrix: Option<MassMatrixSpectrum>,
}

impl From<HeldOutResult> for Judged {
    fn from(result: HeldOutResult) -> Self {
        let HeldOutResult { acceleration_l1, vector_field_l1, mass_matrix, .. } = result;
        Self { acceleration_l1, vector_field_l1, mass_matrix, held_out_error: None }
    }
}

/// One block's share.
#[derive(Default)]
struct Share {
    error: f64,
    /// Of dq/dt.
    velocity_error: f64,
    /// The same two with each state's weight, and the weights.
    weighted: [f64; 2],
    weight: f64,
    /// Σ |q̈*|.
    size: f64,
    smallest: f64,
    largest: f64,
    indefinite: usize,
    rank_deficient: usize,
    /// States of full rank by the number of their negative eigenvalues, `[up to d + 1]`.
    negative: Vec<usize>,
    conditions: Vec<f64>,
}

impl HeldOut {
    /// `count` states drawn from `ranges`, distributions `[2d + c]` of (q, q̇, conditionals), by `sampler`, with the
    /// system's accelerations.
    ///
    /// # Errors
    /// An acceleration that is not finite.
    ///
    /// # Panics
    /// If `ranges` has another length.
    pub fn new(
        system: &dyn System,
        ranges: &[Distribution],
        sampler: StateSampler,
        count: usize,
    ) -> Result<Self, NonFiniteTarget> {
        let width = 2 * system.degrees_of_freedom() + system.conditionals().len();
        assert_eq!(ranges.len(), width, "one distribution for each of q, q̇ and the conditionals");
        let mut states = vec![0.0; count * width];
        sampler.fill(0, ranges, &mut states);
        Self::of_states(system, &states)
    }

    /// The given states (q, q̇, conditionals) `[count, 2d + c]`, with the system's accelerations.
    ///
    /// # Errors
    /// An acceleration that is not finite.
    ///
    /// # Panics
    /// If `states` does not hold whole states.
    pub fn of_states(system: &dyn System, states: &[f64]) -> Result<Self, NonFiniteTarget> {
        let (d, c) = (system.degrees_of_freedom(), system.conditionals().len());
        let width = 2 * d + c;
        assert!(states.len().is_multiple_of(width), "{} numbers of states of {width} components", states.len());
        let count = states.len() / width;
        let (mut q, mut q_dot) = (Vec::with_capacity(count * d), Vec::with_capacity(count * d));
        let mut conditionals = Vec::with_capacity(count * c);
        let mut target = vec![0.0; count * d];
        for (state, target) in states.chunks_exact(width).zip(target.chunks_exact_mut(d)) {
            q.extend_from_slice(&state[..d]);
            q_dot.extend_from_slice(&state[d..2 * d]);
            conditionals.extend_from_slice(&state[2 * d..]);
            acceleration_into::<f64>(system, state, target)?;
        }
        Ok(Self { dof: d, q, q_dot, conditionals, target, weights: None, momenta: None })
    }

    /// Observed states; without accelerations only the mass matrices can be judged, and errors are infinite.
    ///
    /// # Panics
    /// If the lengths do not fit `dof`.
    pub fn of_observations(dof: usize, observations: Observations) -> Self {
        let Observations { q, q_dot, conditionals, q_ddot } = observations;
        let target = if q_ddot.is_empty() { vec![f64::NAN; q.len()] } else { q_ddot };
        assert_eq!((q_dot.len(), target.len(), q.len() % dof), (q.len(), q.len(), 0), "rows of {dof} coordinates");
        Self { dof, q, q_dot, conditionals, target, weights: None, momenta: None }
    }

    /// The same states, judged by their weights too.
    ///
    /// # Errors
    /// A velocity that has no weight.
    pub fn with_weight(self, weight: LossWeight) -> Result<Self, VelocityOutOfRange> {
        let weights = self.q_dot.chunks_exact(self.dof).enumerate().map(|(row, q_dot)| weight.of(row, q_dot));
        let weights = Some(weights.collect::<Result<_, _>>()?);
        Ok(Self { weights, ..self })
    }

    /// The same states, for models in canonical coordinates too.
    ///
    /// # Errors
    /// A momentum, or its rate, that is not finite.
    pub fn with_momenta(self, canonical: &dyn Canonical) -> Result<Self, NonFiniteTarget> {
        let (d, c) = (self.dof, self.conditionals.len() / self.len().max(1));
        let mut momenta = [(); 2].map(|()| vec![0.0; self.q.len()]);
        let [p, p_dot] = momenta.each_mut().map(|half| half.chunks_exact_mut(d));
        for (row, (p, p_dot)) in p.zip(p_dot).enumerate() {
            let (coordinates, conditionals) = (row * d..(row + 1) * d, row * c..(row + 1) * c);
            let (q, q_dot) = (&self.q[coordinates.clone()], &self.q_dot[coordinates]);
            let state = [q, q_dot, &self.conditionals[conditionals]].concat();
            momentum_into::<f64>(canonical, &state, p, p_dot)?;
        }
        Ok(Self { momenta: Some(momenta), ..self })
    }

    /// Number of states.
    pub fn len(&self) -> usize {
        self.q.len() / self.dof
    }
    /// Whether there is no state.
    pub fn is_empty(&self) -> bool {
        self.q.is_empty()
    }

    /// Judges a model on the first `count` states, or on all if there are fewer.
    ///
    /// # Panics
    /// If the model is in canonical coordinates and the states are not [`with_momenta`](Self::with_momenta).
    pub fn judge(&self, model: &Model, parameters: &[f64], count: usize) -> HeldOutResult {
        self.judge_unless(&AtomicBool::new(false), model, parameters, count).expect("nobody else sees the flag")
    }

    /// As [`judge`](Self::judge); `None` once `stop` is set.
    pub fn judge_unless(
        &self,
        stop: &AtomicBool,
        model: &Model,
        parameters: &[f64],
        count: usize,
    ) -> Option<HeldOutResult> {
        let count = count.min(self.len());
        let shares: Option<Vec<Share>> = (0..count.div_ceil(BLOCK))
            .into_par_iter()
            .map_init(
                || (model.block(BLOCK, false), [(); 2].map(|()| vec![0.0; BLOCK * self.dof])),
                |(buffers, rates), block| {
                    let rows = block * BLOCK..((block + 1) * BLOCK).min(count);
                    let go_on = !stop.load(Ordering::Relaxed);
                    go_on.then(|| self.judge_block(model, parameters, rows, &mut **buffers, rates))
                },
            )
            .collect();
        let shares = shares?;
        let sum = |part: fn(&Share) -> f64| shares.iter().map(part).sum::<f64>();
        let finite = |value: f64| if value.is_finite() { value } else { f64::INFINITY };
        let (error, weight) = (sum(|share| share.error), sum(|share| share.weight));
        let (field, weighted, canonical) = (!model.is_second_order(), self.weights.is_some(), model.is_canonical());
        Some(HeldOutResult {
            acceleration_l1: if canonical { f64::NAN } else { finite(error / count as f64) },
            acceleration_relative: if canonical { f64::NAN } else { finite(error / sum(|share| share.size)) },
            weighted_acceleration_l1: (weighted && !canonical).then(|| finite(sum(|share| share.weighted[1]) / weight)),
            vector_field_l1: field.then(|| finite((error + sum(|share| share.velocity_error)) / count as f64)),
            weighted_vector_field_l1: (weighted && field)
                .then(|| finite(sum(|share| share.weighted[0] + share.weighted[1]) / weight)),
            mass_matrix: model.has_mass_matrix().then(|| spectrum(shares)),
        })
    }

    fn judge_block(
        &self,
        model: &Model,
        parameters: &[f64],
        rows: std::ops::Range<usize>,
        block: &mut dyn BlockModel<f64>,
        rates: &mut [Vec<f64>; 2],
    ) -> Share {
        let d = self.dof;
        let range = rows.start * d..rows.end * d;
        let [velocity, out] = rates.each_mut().map(|rates| &mut rates[..range.len()]);
        let c = self.conditionals.len() / self.len().max(1);
        let conditionals = &self.conditionals[rows.start * c..rows.end * c];
        let q_dot = &self.q_dot[range.clone()];
        let momenta = model.is_canonical().then(|| {
            let halves = self.momenta.as_ref().expect("a model in canonical coordinates is judged by momenta");
            halves.each_ref().map(|half| &half[range.clone()])
        });
        let [second, target] = momenta.unwrap_or([q_dot, &self.target[range.clone()]]);
        let states = States { q: &self.q[range], q_dot: second, conditionals };
        block.rates(model.bind(parameters), states, RatesMut { q: velocity, q_dot: &mut *out });
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>();
        let mut share = Share::new(distance(out, target));
        share.size = target.iter().map(|component| component.abs()).sum();
        share.velocity_error = distance(velocity, q_dot);
        if let Some(weights) = &self.weights {
            for (row, &weight) in weights[rows.clone()].iter().enumerate() {
                let row = row * d..(row + 1) * d;
                share.weighted[0] += weight * distance(&velocity[row.clone()], &q_dot[row.clone()]);
                share.weighted[1] += weight * distance(&out[row.clone()], &target[row]);
                share.weight += weight;
            }
        }
        if let Some(factors) = block.mass_matrices() {
            for row in 0..rows.len() {
                share.add(factors, row);
            }
        }
        share
    }
}

impl Share {
    fn new(error: f64) -> Self {
        let (smallest, largest) = (f64::INFINITY, f64::NEG_INFINITY);
        Self { error, smallest, largest, ..Self::default() }
    }

    /// Counts the mass matrix `row`. `f64::min` and `f64::max` pass over NaN, so a matrix that is not finite is
    /// told apart before them.
    fn add(&mut self, factors: &SymmetricFactors<f64>, row: usize) {
        self.rank_deficient += usize::from(!factors.is_full_rank(row));
        let eigenvalues = factors.eigenvalues(row);
        if eigenvalues.iter().any(|value| !value.is_finite()) {
            self.indefinite += 1;
            self.conditions.push(f64::INFINITY);
            return;
        }
        let smallest = eigenvalues.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = eigenvalues.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let magnitudes = eigenvalues.iter().map(|value| value.abs());
        let (most, least) = (magnitudes.clone().fold(0.0, f64::max), magnitudes.fold(f64::INFINITY, f64::min));
        // The zero matrix too, which a quotient would make NaN.
        let condition = if least == 0.0 { f64::INFINITY } else { most / least };
        self.smallest = self.smallest.min(smallest);
        self.largest = self.largest.max(largest);
        self.indefinite += usize::from(smallest <= 0.0);
        if factors.is_full_rank(row) {
            let negative = eigenvalues.iter().filter(|&&value| value < 0.0).count();
            self.negative.resize(self.negative.len().max(negative + 1), 0);
            self.negative[negative] += 1;
        }
        self.conditions.push(condition);
    }
}

fn spectrum(shares: Vec<Share>) -> MassMatrixSpectrum {
    let mut conditions: Vec<f64> = shares.iter().flat_map(|share| share.conditions.iter().copied()).collect();
    conditions.sort_unstable_by(f64::total_cmp);
    let numbers = shares.iter().map(|share| share.negative.len()).max().unwrap_or(0);
    let with_negative = |n: usize| shares.iter().filter_map(|share| share.negative.get(n)).sum::<usize>();
    let most = (0..numbers).map(with_negative).max().unwrap_or(0);
    MassMatrixSpectrum {
        other_sign: conditions.len() - most,
        states: conditions.len(),
        eigenvalue_min: shares.iter().map(|share| share.smallest).fold(f64::INFINITY, f64::min),
        eigenvalue_max: shares.iter().map(|share| share.largest).fold(f64::NEG_INFINITY, f64::max),
        condition_median: conditions.get(conditions.len() / 2).copied().unwrap_or(f64::NAN),
        condition_max: conditions.last().copied().unwrap_or(f64::NAN),
        indefinite: shares.iter().map(|share| share.indefinite).sum(),
        rank_deficient: shares.iter().map(|share| share.rank_deficient).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lnn_autodiff::pseudoinverse::Tolerance;

    /// The spectrum of 2 × 2 matrices, each a block of its own.
    fn judged(matrices: &[[f64; 4]]) -> MassMatrixSpectrum {
        let share = |matrix: &[f64; 4]| {
            let mut factors = SymmetricFactors::new(2, 1);
            factors.factor(matrix, Tolerance { relative: 1e-6, absolute: 0.0 });
            let mut share = Share::new(0.0);
            share.add(&factors, 0);
            share
        };
        spectrum(matrices.iter().map(share).collect())
    }

    #[test]
    fn a_matrix_that_is_not_finite_counts_as_the_worst_one() {
        let healthy = judged(&[[1.0, 0.0, 0.0, 4.0], [2.0, 0.0, 0.0, 3.0]]);
        assert_eq!((healthy.eigenvalue_min, healthy.eigenvalue_max), (1.0, 4.0));
        assert_eq!((healthy.condition_median, healthy.condition_max), (4.0, 4.0));
        assert_eq!((healthy.indefinite, healthy.rank_deficient), (0, 0));

        for bad in [f64::NAN, f64::INFINITY] {
            let found = judged(&[[1.0, 0.0, 0.0, 4.0], [2.0, bad, bad, 3.0], [bad, 0.0, 0.0, 1.0]]);
            assert_eq!((found.eigenvalue_min, found.eigenvalue_max), (1.0, 4.0), "of the finite one");
            assert_eq!((found.condition_median, found.condition_max), (f64::INFINITY, f64::INFINITY));
            assert_eq!((found.indefinite, found.rank_deficient), (2, 2));
        }
    }

    /// What counts is a change between states: a matrix that is negative everywhere has the motions of its opposite.
    #[test]
    fn another_number_of_negative_eigenvalues_is_another_sign() {
        let (positive, negative, saddle) = ([1.0, 0.0, 0.0, 4.0], [-1.0, 0.0, 0.0, -4.0], [1.0, 0.0, 0.0, -4.0]);
        let signs = |matrices: &[[f64; 4]]| {
            let found = judged(matrices);
            (found.other_sign, found.states, found.sign_is_lost())
        };
        assert_eq!(signs(&[positive; 3]), (0, 3, false));
        assert_eq!(signs(&[negative; 3]), (0, 3, false));
        assert_eq!(judged(&[negative; 3]).indefinite, 3);
        assert_eq!(signs(&[saddle, saddle, positive, negative]), (2, 4, true));
        assert_eq!(signs(&[positive, [0.0; 4], [f64::NAN, 0.0, 0.0, 1.0]]), (2, 3, true));
        // A state at the edge of the data is no lost sign.
        let mut many = [positive; 100];
        many[7] = saddle;
        assert_eq!(signs(&many), (1, 100, false));
        many[8] = saddle;
        assert_eq!(signs(&many), (2, 100, true));
    }

    #[test]
    fn lost_rank_and_lost_sign_are_counted_apart() {
        let found = judged(&[[1.0, 0.0, 0.0, -2.0], [1.0, 0.0, 0.0, 1e-9], [0.0; 4]]);
        assert_eq!((found.indefinite, found.rank_deficient), (2, 2));
        assert_eq!((found.eigenvalue_min, found.eigenvalue_max), (-2.0, 1.0));
        assert_eq!(found.condition_max, f64::INFINITY);
    }

    /// Where p = q̇ and ṗ = q̈, a canonical model's errors are those of the other with the same parameters; with weights
    /// too, which are means.
    #[test]
    fn models_in_canonical_coordinates_are_judged_by_both_rates() {
        use crate::config::{ModelConfig, ModelKind, preset};
        use crate::experiment::build_model;

        let config = preset("henon-heiles", "models").expect("listed");
        let system = config.system.build().expect("usable");
        let canonical = system.canonical().expect("it has momenta");
        let held_out = HeldOut::new(&*system, system.training_distribution(), StateSampler::new(1, 1), 150);
        let held_out = held_out.and_then(|held_out| held_out.with_momenta(canonical)).expect("finite");
        let judge = |held_out: &HeldOut, kind| {
            let recipe = ModelConfig { kind, hidden: vec![8], ..config.models["hnn"].clone() };
            let model = build_model(&recipe, 2).expect("usable");
            held_out.judge(&model, &recipe.initialisation.draw(&model, 2), 150)
        };
        let (as_given, momenta) =
            (judge(&held_out, ModelKind::Hnn), judge(&held_out, ModelKind::HnnCanonical { potential_scale: None }));
        assert_eq!(as_given.vector_field_l1, momenta.vector_field_l1);
        assert!(as_given.vector_field_l1.is_some_and(|error| error > as_given.acceleration_l1));
        assert!(momenta.acceleration_l1.is_nan() && as_given.acceleration_l1.is_finite());
        assert_eq!((as_given.weighted_acceleration_l1, as_given.weighted_vector_field_l1), (None, None));

        // All velocities are below 1: the weights are at least 2 and differ.
        let weighted = held_out.clone().with_weight(LossWeight::Lorentz).expect("slow enough");
        let again = judge(&weighted, ModelKind::Hnn);
        assert_eq!(
            (again.acceleration_l1, again.vector_field_l1),
            (as_given.acceleration_l1, as_given.vector_field_l1)
        );
        let (one, other) = (again.weighted_acceleration_l1.expect("weighted"), again.acceleration_l1);
        assert!(one != other && (0.5..2.0).contains(&(one / other)), "{one} {other}");
        let uniform = held_out.with_weight(LossWeight::Uniform).expect("any");
        let mean = judge(&uniform, ModelKind::Hnn);
        let close = |a: f64, b: f64| (a - b).abs() <= 300.0 * f64::EPSILON * b;
        assert!(close(mean.weighted_acceleration_l1.expect("weighted"), mean.acceleration_l1));
        assert!(close(mean.weighted_vector_field_l1.expect("weighted"), mean.vector_field_l1.expect("first order")));
    }
}
