//! How far a model says that observed motions have gone, by the trapezium rule over its rates at the observed states.

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;

use crate::model::{BlockModel, Model, Networks, Rates, RatesMut, States};

/// The rule by which rates at observed states are summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// ½ (f(x_j) + f(x_{j+1})) over each interval, with an error of second order in it.
    #[default]
    Trapezium,
    /// f(x_j) over each interval, one explicit step of Euler's: f becomes the mean rate up to the next state.
    Start,
}

impl Rule {
    /// Weights of the rates at the start and the end of an interval.
    fn weights<T: Real>(self) -> [T; 2] {
        match self {
            Self::Trapezium => [T::from_f64(0.5); 2],
            Self::Start => [T::ONE, T::ZERO],
        }
    }
}

/// A block of segments whose way is summed up from rates at the observed states themselves:
///
/// ```text
/// x(t_k) − x(t_0) ≈ Σ_{j<k} ½ (t_{j+1} − t_j) (f(x_j) + f(x_{j+1}))
/// ```
///
/// or by another [`Rule`]. Unlike a rollout it evaluates no state that was not observed, so that a model with absurd rates cannot run away; the
/// price is the rule's error, of second order in the interval.
#[derive(Debug)]
pub(super) struct TrapeziumBlock<T> {
    block: Box<dyn BlockModel<T>>,
    dof: usize,
    rule: Rule,
    /// rows × d of the last block.
    half: usize,
    /// Rates of q and of q̇, then their cotangents: `[observations][rows, d]` each.
    rates: [Vec<T>; 2],
    /// Cotangent of all ways from some observation on, `[2][rows, d]`.
    later_bar: Vec<T>,
}

impl<T: Real> TrapeziumBlock<T> {
    /// Buffers for up to `rows` segments of `observations` states.
    pub(super) fn new(model: &Model, rows: usize, observations: usize, rule: Rule) -> Self {
        let dof = model.features().degrees_of_freedom();
        Self {
            block: model.block(rows * observations, true),
            dof,
            rule,
            half: 0,
            rates: [(); 2].map(|()| vec![T::ZERO; rows * observations * dof]),
            later_bar: vec![T::ZERO; 2 * rows * dof],
        }
    }

    /// Writes the ways x(t_k) − x(t_0) to `moved` `[observations − 1][2][rows, d]`, from all observed states
    /// `[observations][rows, d]` and the `intervals` `[observations − 1][rows]` between them.
    pub(super) fn forward(
        &mut self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        intervals: &[T],
        moved: &mut [T],
    ) {
        let length = states.q.len();
        let half = length - moved.len() / 2;
        self.half = half;
        let [at_start, at_end] = self.rule.weights::<T>();
        let [q, q_dot] = self.rates.each_mut().map(|rates| &mut rates[..length]);
        self.block.rates(networks, states, RatesMut { q: &mut *q, q_dot: &mut *q_dot });
        for (interval, dt) in intervals.chunks_exact(half / self.dof).enumerate() {
            for (part, rates) in [&*q, &*q_dot].into_iter().enumerate() {
                for i in 0..half {
                    let place = (interval * 2 + part) * half + i;
                    let mean = at_start * rates[interval * half + i] + at_end * rates[(interval + 1) * half + i];
                    let before = if interval == 0 { T::ZERO } else { moved[place - 2 * half] };
                    moved[place] = before + dt[i / self.dof] * mean;
                }
            }
        }
    }

    /// Writes or adds the parameter gradient of a function of the last [`forward`](Self::forward)'s ways, from its
    /// cotangents `moved_bar` of them all.
    pub(super) fn vjp(
        &mut self,
        networks: Networks<'_, T>,
        intervals: &[T],
        moved_bar: &[T],
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        let half = self.half;
        let [at_start, at_end] = self.rule.weights::<T>();
        let [q, q_dot] = self.rates.each_mut().map(|rates| &mut rates[..half + moved_bar.len() / 2]);
        q.fill(T::ZERO);
        q_dot.fill(T::ZERO);
        let later_bar = &mut self.later_bar[..2 * half];
        later_bar.fill(T::ZERO);
        for (interval, dt) in intervals.chunks_exact(half / self.dof).enumerate().rev() {
            // An interval is part of the ways to all later observations.
            for (later, &bar) in later_bar.iter_mut().zip(&moved_bar[interval * 2 * half..]) {
                *later += bar;
            }
            for (part, rates) in [&mut *q, &mut *q_dot].into_iter().enumerate() {
                for i in 0..half {
                    let bar = dt[i / self.dof] * later_bar[part * half + i];
                    rates[interval * half + i] += at_start * bar;
                    rates[(interval + 1) * half + i] += at_end * bar;
                }
            }
        }
        self.block.vjp(networks, Rates { q, q_dot }, accumulate, gradient, None);
    }
}
