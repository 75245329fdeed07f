//! Acceleration errors of models over states of the judged lattice that training never sees.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lnn_graph::EvaluationError;
use lnn_graph::fields::FieldDistribution;
use lnn_graph::solve::Method;
use lnn_physics::sampling::StateSampler;

use super::config::KnownField;
use super::learned::LearnedEquation;
use super::model::FieldModel;
use crate::record::Judged;

/// States behind the error of a log line.
pub(crate) const LOGGED_STATES: usize = 8;

/// Held-out states of a field with their true accelerations.
#[derive(Clone, Debug)]
pub struct FieldHeldOut {
    known: Arc<KnownField>,
    /// `[states, 2 n c]`.
    states: Vec<f64>,
    /// `[states, n c]`.
    targets: Vec<f64>,
}

/// What a model does on the held-out states.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldJudged {
    /// Mean over states and sites of Σ_components |φ̈ − φ̈*|; infinite if a state has no finite acceleration.
    pub acceleration_l1: f64,
    /// Σ |φ̈ − φ̈*| / Σ |φ̈*|.
    pub acceleration_relative: f64,
    /// `acceleration_l1` with |rate of φ − φ̇| added, of a model that learns both rates.
    pub vector_field_l1: Option<f64>,
    /// How mass matrices were solved with: by method in words, how many.
    pub solved: BTreeMap<String, usize>,
}

impl From<FieldJudged> for Judged {
    fn from(judged: FieldJudged) -> Self {
        let FieldJudged { acceleration_l1, vector_field_l1, .. } = judged;
        Self { acceleration_l1, vector_field_l1, mass_matrix: None, held_out_error: None }
    }
}

impl FieldHeldOut {
    /// The first `count` states of `sampler` under `distribution`.
    ///
    /// # Panics
    /// If `distribution` is for another number of unknowns than the field has.
    pub fn new(known: Arc<KnownField>, distribution: &FieldDistribution, sampler: StateSampler, count: usize) -> Self {
        let (field, length) = (known.field(), distribution.state_length());
        let mut states = vec![0.0; count * length];
        distribution.fill(&sampler, 0, 0, &mut states);
        let mut targets = vec![0.0; count * length / 2];
        for (state, target) in states.chunks_exact(length).zip(targets.chunks_exact_mut(length / 2)) {
            let (phi, phi_dot) = state.split_at(length / 2);
            field.acceleration_into(phi, phi_dot, target);
        }
        Self { known, states, targets }
    }

    /// Number of states.
    #[must_use]
    pub fn len(&self) -> usize {
        self.states.len() / (2 * self.known.field().unknowns())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Errors over the first `count` states, or all if there are fewer; `None` if `stop` was set.
    ///
    /// The error of a Hamiltonian is that of π̇, since it takes φ̇ for π.
    ///
    /// # Errors
    /// No memory for sparse factors.
    ///
    /// # Panics
    /// If `model` is on another lattice, or has another number of parameters.
    pub fn judge(
        &self,
        model: &FieldModel,
        parameters: &[f64],
        count: usize,
        stop: &AtomicBool,
    ) -> Result<Option<FieldJudged>, EvaluationError> {
        let mut equation = LearnedEquation::new(model, parameters)?;
        let unknowns = self.known.field().unknowns();
        let count = count.min(self.len());
        let mut rates = vec![0.0; 2 * unknowns];
        let (mut sum, mut of_rate, mut scale) = (0.0, 0.0, 0.0);
        let mut solved = BTreeMap::new();
        let states = self.states.chunks_exact(2 * unknowns).zip(self.targets.chunks_exact(unknowns));
        for (state, target) in states.take(count) {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match equation.rates_into(state, &mut rates) {
                Ok(Some(factored)) => *solved.entry(in_words(factored.method).to_owned()).or_insert(0) += 1,
                Ok(None) => {}
                Err(_) => {
                    *solved.entry("not at all".to_owned()).or_insert(0) += 1;
                    sum = f64::INFINITY;
                    continue;
                }
            }
            sum += distance(&rates[unknowns..], target);
            of_rate += distance(&rates[..unknowns], &state[unknowns..]);
            scale += target.iter().map(|value| value.abs()).sum::<f64>();
        }
        let finite = |error: f64| if error.is_finite() { error } else { f64::INFINITY };
        let sites = (count * self.known.field().topology().sites()) as f64;
        Ok(Some(FieldJudged {
            acceleration_l1: finite(sum / sites),
            acceleration_relative: finite(sum / scale),
            vector_field_l1: model.is_first_order().then(|| finite((sum + of_rate) / sites)),
            solved,
        }))
    }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
}

fn in_words(method: Method) -> &'static str {
    match method {
        Method::Definite => "definite factorisation",
        Method::Pivoted => "pivoted factorisation",
        Method::Dense => "dense factorisation",
        Method::Pseudoinverse => "pseudoinverse",
    }
}
