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
    /// `[steps, rows]`.
    dt: Vec<T>,
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
            dt: vec![T::ZERO; most_steps * capacity],
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

    /// Rolls a block of initial states forward by steps of lengths `dt` `[steps, rows]`, each row by its own; the result
    /// is [`states`](Self::states).
    ///
    /// # Panics
    /// If there is no row, more rows or steps than the buffers hold, a length does not fit, or the networks are another
    /// model's.
    pub fn forward(&mut self, networks: Networks<'_, T>, initial: States<'_, T>, dt: &[T]) {
        let rows = initial.q.len() / self.dof;
        assert!(rows > 0, "a block has at least one segment");
        let (steps, conditionals) = (dt.len() / rows, rows * self.conditional_inputs);
        assert_eq!(dt.len(), steps * rows, "dt: steps × rows");
        assert_eq!(initial.q.len(), rows * self.dof, "q: rows × d");
        assert_eq!(initial.q_dot.len(), rows * self.dof, "q_dot: rows × d");
        assert_eq!(initial.conditionals.len(), conditionals, "conditionals: rows × c");
        assert!(rows <= self.capacity, "{rows} segments do not fit into buffers for {}", self.capacity);
        assert!(steps <= self.most_steps, "{steps} steps do not fit into buffers for {}", self.most_steps);
        (self.rows, self.steps, self.held) = (rows, steps, None);
        self.dt.clear();
        self.dt.extend_from_slice(dt);
        self.conditionals.clear();
        self.conditionals.extend_from_slice(initial.conditionals);
        let width = self.width();
        let (q, q_dot) = self.states[..width].split_at_mut(width / 2);
        q.copy_from_slice(initial.q);
        q_dot.copy_from_slice(initial.q_dot);
        for step in 0..steps {
            self.stage_rates(networks, step);
            let Self { states, rates, dof, .. } = self;
            let (before, after) = states[step * width..(step + 2) * width].split_at_mut(width);
            after.copy_from_slice(before);
            for (rates, weight) in rates.iter().zip(WEIGHTS) {
                add_steps(after, weight, &dt[step * rows..(step + 1) * rows], &rates[..width], *dof);
            }
        }
    }

    /// k₁ … k₄ of a step from its stored state.
    fn stage_rates(&mut self, networks: Networks<'_, T>, step: usize) {
        let width = self.width();
        self.held = Some(step);
        let Self { dof, stages, states, conditionals, rates, stage, .. } = self;
        let dt = &self.dt[step * self.rows..(step + 1) * self.rows];
        let state = &states[step * width..(step + 1) * width];
        for number in 0..4_usize {
            let stage = &mut stage[..width];
            stage.copy_from_slice(state);
            if let Some(before) = number.checked_sub(1) {
                add_steps(stage, NODES[number], dt, &rates[before][..width], *dof);
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
            self.step_back(networks, step, gradient);
            add(&mut self.state_bar[..width], &states_bar[step * width..(step + 1) * width]);
        }
        &self.state_bar[..width]
    }

    /// From the cotangent of the state after a step to that before it.
    fn step_back(&mut self, networks: Networks<'_, T>, step: usize, gradient: &mut [T]) {
        let width = self.width();
        self.held = None;
        let Self { dof, stages, rates, state_bar, rates_bar, stage_bar, .. } = self;
        let dt = &self.dt[step * self.rows..(step + 1) * self.rows];
        let (state_bar, rates_bar) = (&mut state_bar[..width], &mut rates_bar[..width]);
        let stage_bar = &mut stage_bar[..width];
        // The cotangent of the state after the step; k₄'s place is free on the way back.
        let after = &mut rates[3][..width];
        after.copy_from_slice(state_bar);
        for number in (0..4).rev() {
            rates_bar.fill(T::ZERO);
            add_steps(rates_bar, WEIGHTS[number], dt, after, *dof);
            if number < 3 {
                add_steps(rates_bar, NODES[number + 1], dt, stage_bar, *dof);
            }
            let (q, q_dot) = rates_bar.split_at(width / 2);
            let (q_bar, q_dot_bar) = stage_bar.split_at_mut(width / 2);
            let bar = RatesMut { q: q_bar, q_dot: q_dot_bar };
            stages[number].vjp(networks, Rates { q, q_dot }, Accumulate::Add, gradient, Some(bar));
            add(state_bar, stage_bar);
        }
    }
}

/// `y += x`.
fn add<T: Real>(y: &mut [T], x: &[T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// `y += a dt x` for both halves `[rows, d]` of y and x, with each row's own `dt` `[rows]`.
fn add_steps<T: Real>(y: &mut [T], a: f64, dt: &[T], x: &[T], dof: usize) {
    let a = T::from_f64(a);
    for ((y, x), &dt) in y.chunks_exact_mut(dof).zip(x.chunks_exact(dof)).zip(dt.iter().cycle()) {
        let step = dt * a;
        for (y, &x) in y.iter_mut().zip(x) {
            *y += step * x;
        }
    }
}
