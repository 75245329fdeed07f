//! The systems under test, states of their own distributions, and how much round-off is amplified.

use std::collections::BTreeMap;
use std::sync::Arc;

use lnn_physics::sampling::{Distribution, StateSampler};
use lnn_physics::systems::{MAX_LINKS, SYSTEMS, SystemKind};
use lnn_physics::{Dynamics, System};

/// One system with a name for messages.
pub(crate) struct Case {
    pub(crate) label: String,
    pub(crate) system: Arc<dyn System>,
}

/// One state of a motion, with its conditionals.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) q: Vec<f64>,
    pub(crate) q_dot: Vec<f64>,
    pub(crate) c: Vec<f64>,
}

/// Each system at its defaults and with three sets of other parameters, and chains of 1 to 6 links.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (number, kind) in SYSTEMS.iter().enumerate() {
        cases.push(case(kind, BTreeMap::new()));
        for draw in 0..3 {
            cases.push(case(kind, scaled(kind, BTreeMap::new(), 10 * number as u64 + draw)));
        }
    }
    let chain = lnn_physics::systems::kind("pendulum").unwrap();
    for links in 1..=MAX_LINKS {
        let links = BTreeMap::from([("links".to_owned(), links as f64)]);
        cases.push(case(chain, scaled(chain, links.clone(), 1000)));
        cases.push(case(chain, links));
    }
    cases
}

fn case(kind: &SystemKind, parameters: BTreeMap<String, f64>) -> Case {
    Case { label: format!("{} {parameters:?}", kind.name), system: kind.build(&parameters).unwrap() }
}

/// `parameters` and the others at 0.5 to 2 times their defaults, where the system accepts that (a
/// chain has a whole number of links, and no more masses than links).
fn scaled(kind: &SystemKind, mut parameters: BTreeMap<String, f64>, draw: u64) -> BTreeMap<String, f64> {
    let mut factors = vec![0.0; kind.parameters.len()];
    StateSampler::new(4, 40).fill(draw, &[Distribution::uniform(0.5, 2.0).unwrap()], &mut factors);
    for (parameter, factor) in kind.parameters.iter().zip(factors) {
        if parameters.contains_key(parameter.name) {
            continue;
        }
        parameters.insert(parameter.name.to_owned(), parameter.default * factor);
        if kind.build(&parameters).is_err() {
            parameters.remove(parameter.name);
        }
    }
    parameters
}

/// `count` states of a distribution of the system.
pub(crate) fn states(system: &dyn System, distribution: &[Distribution], count: usize) -> Vec<State> {
    let mut all = vec![0.0; count * distribution.len()];
    StateSampler::new(4, 41).fill(0, distribution, &mut all);
    all.chunks_exact(distribution.len()).map(|numbers| State::of(system, numbers)).collect()
}

/// `count` training states of the system.
pub(crate) fn training_states(system: &dyn System, count: usize) -> Vec<State> {
    states(system, system.training_distribution(), count)
}

impl State {
    fn of(system: &dyn System, numbers: &[f64]) -> Self {
        let d = system.degrees_of_freedom();
        let part = |from: usize, to: usize| numbers[from..to].to_vec();
        Self { q: part(0, d), q_dot: part(d, 2 * d), c: part(2 * d, numbers.len()) }
    }

    /// `[q, q̇]`.
    pub(crate) fn joined(&self) -> Vec<f64> {
        [self.q.clone(), self.q_dot.clone()].concat()
    }

    /// The derivatives of the system's Lagrangian here.
    pub(crate) fn dynamics(&self, system: &dyn System) -> Dynamics {
        system.dynamics(&self.q, &self.q_dot, &self.c).unwrap()
    }

    /// Largest component over i of Σⱼ |xⱼ ∂fᵢ/∂xⱼ|, x = (q, q̇): what one relative round-off in each of
    /// the state's numbers does to f, which is also the size of the terms that f sums.
    pub(crate) fn sensitivity(&self, system: &dyn System, f: impl Fn(&Dynamics) -> Vec<f64>) -> f64 {
        const CHANGE: f64 = 1e-6;
        let d = self.q.len();
        let here = f(&self.dynamics(system));
        let mut sum = vec![0.0; here.len()];
        for j in 0..2 * d {
            let mut moved = self.clone();
            let component = if j < d { &mut moved.q[j] } else { &mut moved.q_dot[j - d] };
            *component *= 1.0 + CHANGE;
            let there = f(&moved.dynamics(system));
            for i in 0..here.len() {
                sum[i] += (there[i] - here[i]).abs() / CHANGE;
            }
        }
        size(&sum)
    }
}

/// Largest magnitude.
pub(crate) fn size(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |largest: f64, v| largest.max(v.abs()))
}

/// Smallest magnitude of an eigenvalue of H.
pub(crate) fn smallest_mass(dynamics: &Dynamics) -> f64 {
    dynamics.mass_eigenvalues.iter().fold(f64::INFINITY, |least, v| least.min(v.abs()))
}

/// Largest difference of two vectors of one length.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0.0, |largest, (a, b)| (a - b).abs().max(largest))
}

/// Where `error(state, 0)` is within `tolerance(state)` at all states, and `error(state, change)` is
/// not at most of them: the comparison holds, and it sees a relative `change`.
pub(crate) fn holds_and_sees(
    label: &str,
    states: &[State],
    change: f64,
    error: impl Fn(&State, f64) -> f64,
    tolerance: impl Fn(&State) -> f64,
) {
    let mut seen = 0;
    for state in states {
        let (found, allowed) = (error(state, 0.0), tolerance(state));
        assert!(found <= allowed, "{label}: {found:e} is more than {allowed:e} at {state:?}");
        seen += usize::from(error(state, change) > allowed);
    }
    assert!(2 * seen > states.len(), "{label}: a change by {change:e} is seen at {seen} of {} states", states.len());
}
