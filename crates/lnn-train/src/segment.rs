//! Short stretches of a learned motion by Runge–Kutta steps, and the way back through them.

use lnn_autodiff::Real;
use lnn_autodiff::jet::Accumulate;

use crate::model::{BlockModel, Model, Networks, Rates, RatesMut, States};

/// A block of segments: states forward by classical Runge–Kutta steps of a model, and the gradient of any function of
/// all states on the way, as the chain rule gives it for these very steps (discretise, then differentiate).
///
/// The states of the steps are kept, not what happens inside them: on the way back each step's four stages are
/// computed again, so memory grows with the steps by 2d numbers a segment.
///
/// States are stored `[steps + 1][2][rows, d]`: before every step and after the last one, q before q̇.
#[derive(Debug)]
pub struct SegmentBlock<T> {
    dof: usize,
    conditional_inputs: usize,
    capacity: usize,
    most_steps: usize,
    rows: usize,
    steps: usize,
    dt: T,
    /// The step whose stages the blocks hold.
    held: Option<usize>,
    /// A block a stage, so that the way back finds each stage as it was left.
    stages: [Box<dyn BlockModel<T>>; 4],
    states: Vec<T>,
    conditionals: Vec<T>,
    /// k₁ … k₄, `[2][rows, d]` each.
    rates: [Vec<T>; 4],
    /// A stage's state.
    stage: Vec<T>,
    /// Cotangents of the state, of a stage's rates and of its state.
    state_bar: Vec<T>,
    rates_bar: Vec<T>,
    stage_bar: Vec<T>,
}

/// How far along the step a stage looks, and its weight in the step.
const NODES: [f64; 4] = [0.0, 0.5, 0.5, 1.0];
const WEIGHTS: [f64; 4] = [1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0];

impl<T: Real> SegmentBlock<T> {
    /// Buffers for up to `capacity` segments of up to `most_steps` steps; `training` adds what the gradient needs.
    pub fn new(model: &Model, capacity: usize, most_steps: usize, training: bool) -> Self {
        let dof = model.features().degrees_of_freedom();
        let state = || vec![T::ZERO; 2 * capacity * dof];
        Self {
            dof,
            conditional_inputs: model.features().conditionals(),
            capacity,
            most_steps,
            rows: 0,
            steps: 0,
            dt: T::ZERO,
            held: None,
            stages: [(); 4].map(|()| model.block(capacity, training)),
            states: vec![T::ZERO; (most_steps + 1) * 2 * capacity * dof],
            conditionals: vec![T::ZERO; capacity * model.features().conditionals()],
            rates: [(); 4].map(|()| state()),
            stage: state(),
            state_bar: state(),
            rates_bar: state(),
            stage_bar: state(),
        }
    }

    /// Numbers of one time: both halves of all rows.
    fn width(&self) -> usize {
        2 * self.rows * self.dof
    }

    /// Rolls a block of initial states forward by `steps` steps of length `dt`; the result is [`states`](Self::states).
    ///
    /// # Panics
    /// If there are more rows or steps than the buffers hold, a length does not fit, or the networks are another
    /// model's.
    pub fn forward(&mut self, networks: Networks<'_, T>, initial: States<'_, T>, dt: T, steps: usize) {
        let rows = initial.q.len() / self.dof;
        let conditionals = rows * self.conditional_inputs;
        assert_eq!(initial.q.len(), rows * self.dof, "q: rows × d");
        assert_eq!(initial.q_dot.len(), rows * self.dof, "q_dot: rows × d");
        assert_eq!(initial.conditionals.len(), conditionals, "conditionals: rows × c");
        assert!(rows <= self.capacity, "{rows} segments do not fit into buffers for {}", self.capacity);
        assert!(steps <= self.most_steps, "{steps} steps do not fit into buffers for {}", self.most_steps);
        (self.rows, self.steps, self.dt, self.held) = (rows, steps, dt, None);
        self.conditionals.clear();
        self.conditionals.extend_from_slice(initial.conditionals);
        let width = self.width();
        let (q, q_dot) = self.states[..width].split_at_mut(width / 2);
        q.copy_from_slice(initial.q);
        q_dot.copy_from_slice(initial.q_dot);
        for step in 0..steps {
            self.stage_rates(networks, step);
            let (before, after) = self.states[step * width..(step + 2) * width].split_at_mut(width);
            after.copy_from_slice(before);
            for (rates, weight) in self.rates.iter().zip(WEIGHTS) {
                add(after, dt * T::from_f64(weight), &rates[..width]);
            }
        }
    }

    /// k₁ … k₄ of a step from its stored state.
    fn stage_rates(&mut self, networks: Networks<'_, T>, step: usize) {
        let (width, dt) = (self.width(), self.dt);
        self.held = Some(step);
        let Self { stages, states, conditionals, rates, stage, .. } = self;
        let state = &states[step * width..(step + 1) * width];
        for number in 0..4_usize {
            let stage = &mut stage[..width];
            stage.copy_from_slice(state);
            if let Some(before) = number.checked_sub(1) {
                add(stage, dt * T::from_f64(NODES[number]), &rates[before][..width]);
            }
            let (q, q_dot) = stage.split_at(width / 2);
            let (q_rate, q_dot_rate) = rates[number][..width].split_at_mut(width / 2);
            let rates = RatesMut { q: q_rate, q_dot: q_dot_rate };
            stages[number].rates(networks, States { q, q_dot, conditionals }, rates);
        }
    }

    /// All states of the last [`forward`](Self::forward), `[steps + 1][2][rows, d]`.
    pub fn states(&self) -> &[T] {
        &self.states[..(self.steps + 1) * self.width()]
    }

    /// Writes or adds the parameter gradient of a function of the [`states`](Self::states) to `gradient`, from its
    /// cotangents `states_bar` of them all; returns that of the initial states, `[2][rows, d]`.
    ///
    /// The networks are those of the last [`forward`](Self::forward).
    ///
    /// # Panics
    /// If the buffers were not made for training, or a length does not fit.
    pub fn vjp(
        &mut self,
        networks: Networks<'_, T>,
        states_bar: &[T],
        accumulate: Accumulate,
        gradient: &mut [T],
    ) -> &[T] {
        let width = self.width();
        assert_eq!(states_bar.len(), (self.steps + 1) * width, "a cotangent for every state");
        if accumulate == Accumulate::Replace {
            gradient.fill(T::ZERO);
        }
        self.state_bar[..width].copy_from_slice(&states_bar[self.steps * width..]);
        for step in (0..self.steps).rev() {
            // The last step's stages are still as the way forward left them.
            if self.held != Some(step) {
                self.stage_rates(networks, step);
            }
            self.step_back(networks, gradient);
            add(&mut self.state_bar[..width], T::ONE, &states_bar[step * width..(step + 1) * width]);
        }
        &self.state_bar[..width]
    }

    /// From the cotangent of the state after a step to that before it.
    fn step_back(&mut self, networks: Networks<'_, T>, gradient: &mut [T]) {
        let (width, dt) = (self.width(), self.dt);
        self.held = None;
        let Self { stages, rates, state_bar, rates_bar, stage_bar, .. } = self;
        let (state_bar, rates_bar) = (&mut state_bar[..width], &mut rates_bar[..width]);
        let stage_bar = &mut stage_bar[..width];
        // The cotangent of the state after the step; k₄'s place is free on the way back.
        let after = &mut rates[3][..width];
        after.copy_from_slice(state_bar);
        for number in (0..4).rev() {
            let weight = dt * T::from_f64(WEIGHTS[number]);
            for (bar, &after) in rates_bar.iter_mut().zip(&*after) {
                *bar = weight * after;
            }
            if number < 3 {
                add(rates_bar, dt * T::from_f64(NODES[number + 1]), stage_bar);
            }
            let (q, q_dot) = rates_bar.split_at(width / 2);
            let (q_bar, q_dot_bar) = stage_bar.split_at_mut(width / 2);
            let bar = RatesMut { q: q_bar, q_dot: q_dot_bar };
            stages[number].vjp(networks, Rates { q, q_dot }, Accumulate::Add, gradient, Some(bar));
            add(state_bar, T::ONE, stage_bar);
        }
    }
}

/// `y += a x`.
fn add<T: Real>(y: &mut [T], a: T, x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}
