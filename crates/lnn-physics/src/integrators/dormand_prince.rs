//! The pair of Dormand and Prince, order 5(4), with step control and dense output.
//!
//! Dormand, Prince, A family of embedded Runge–Kutta formulae, J. Comput. Appl. Math. 6 (1980)
//! 19–26; dense output and step control as in Hairer, Nørsett, Wanner, *Solving Ordinary
//! Differential Equations I*, 2nd ed., section II.4 (initial step), II.6 (continuous
//! extension of order 4) and IV.2 of volume II (PI control).

use super::FixedStep;
use super::error::{IntegrationError, InvalidInput, StepFailure};
use super::trajectory::Trajectory;

/// Number of stages; the last one is the first of the next step ("first same as last").
const STAGES: usize = 7;
/// Nodes: stage `i` is evaluated at `t + NODES[i]·dt`.
const NODES: [f64; STAGES] = [0.0, 1.0 / 5.0, 3.0 / 10.0, 4.0 / 5.0, 8.0 / 9.0, 1.0, 1.0];
/// Lower triangle of the tableau; its last row holds the weights of the fifth-order solution.
const COUPLING: [&[f64]; STAGES] = [
    &[],
    &[1.0 / 5.0],
    &[3.0 / 40.0, 9.0 / 40.0],
    &[44.0 / 45.0, -56.0 / 15.0, 32.0 / 9.0],
    &[19372.0 / 6561.0, -25360.0 / 2187.0, 64448.0 / 6561.0, -212.0 / 729.0],
    &[9017.0 / 3168.0, -355.0 / 33.0, 46732.0 / 5247.0, 49.0 / 176.0, -5103.0 / 18656.0],
    &[35.0 / 384.0, 0.0, 500.0 / 1113.0, 125.0 / 192.0, -2187.0 / 6784.0, 11.0 / 84.0],
];
/// Weights of the error estimate: fifth-order minus embedded fourth-order solution.
const ERROR: [f64; STAGES] =
    [71.0 / 57600.0, 0.0, -71.0 / 16695.0, 71.0 / 1920.0, -17253.0 / 339_200.0, 22.0 / 525.0, -1.0 / 40.0];
/// Weights of the stages in the last coefficient of the dense output.
const DENSE: [f64; STAGES] = [
    -12_715_105_075.0 / 11_282_082_432.0,
    0.0,
    87_487_479_700.0 / 32_700_410_799.0,
    -10_690_763_975.0 / 1_880_347_072.0,
    701_980_252_875.0 / 199_316_789_632.0,
    -1_453_857_185.0 / 822_651_844.0,
    69_997_945.0 / 29_380_423.0,
];

/// PI control: exponent of the previous error.
const BETA: f64 = 0.04;
/// PI control: exponent of the present error.
const ALPHA: f64 = 0.2 - 0.75 * BETA;
/// The next step is this part of the one that the error estimate would allow.
const SAFETY: f64 = 0.9;
/// Smallest and largest factor between a step and the next.
const FACTOR_RANGE: (f64, f64) = (0.2, 10.0);

/// Accuracy and limits of an adaptive integration.
///
/// A step is accepted when the root mean square over components of `error / (absolute +
/// relative·|y|)` is at most 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DormandPrinceOptions {
    /// Tolerance relative to the size of a component.
    pub relative_tolerance: f64,
    /// Tolerance in the unit of the state.
    pub absolute_tolerance: f64,
    /// First trial step in the unit of time, or `None` to choose it from the first two derivatives.
    pub initial_step: Option<f64>,
    /// Largest step in the unit of time; infinity for no limit.
    pub max_step: f64,
    /// Largest number of accepted and rejected steps in one integration.
    pub max_steps: u64,
}

impl Default for DormandPrinceOptions {
    /// Both tolerances 1e-9, first step chosen, no largest step, ten million steps.
    fn default() -> Self {
        Self {
            relative_tolerance: 1e-9,
            absolute_tolerance: 1e-9,
            initial_step: None,
            max_step: f64::INFINITY,
            max_steps: 10_000_000,
        }
    }
}

impl DormandPrinceOptions {
    pub(super) fn validate(&self) -> Result<(), InvalidInput> {
        super::positive("relative_tolerance", self.relative_tolerance)?;
        super::positive("absolute_tolerance", self.absolute_tolerance)?;
        if let Some(step) = self.initial_step {
            super::positive("initial_step", step)?;
        }
        if self.max_step != f64::INFINITY {
            super::positive("max_step", self.max_step)?;
        }
        if self.max_steps == 0 {
            return Err(InvalidInput::ZeroLimit { name: "max_steps" });
        }
        Ok(())
    }
}

/// Workspace of the Dormand–Prince pair.
///
/// [`solve_at`](super::solve_at) drives it with error control. As a [`FixedStep`] method it takes
/// seven evaluations a step, has order 5, and [`interpolate`](Self::interpolate) gives the states
/// inside the last step.
#[derive(Clone, Debug)]
pub struct DormandPrince {
    dimension: usize,
    /// Stage derivatives `[STAGES, dimension]`.
    slopes: Vec<f64>,
    stage: Vec<f64>,
    /// Result of the last trial step.
    proposal: Vec<f64>,
    /// Coefficients of the dense output `[5, dimension]`.
    dense: Vec<f64>,
}

impl DormandPrince {
    /// Workspace for states of `dimension` components.
    #[must_use]
    pub fn new(dimension: usize) -> Self {
        Self {
            dimension,
            slopes: vec![0.0; STAGES * dimension],
            stage: vec![0.0; dimension],
            proposal: vec![0.0; dimension],
            dense: vec![0.0; 5 * dimension],
        }
    }

    /// State at `t + fraction·dt` inside the last step taken, written to `out` `[dimension]`.
    ///
    /// The interpolant is the continuous extension of order 4: it is once continuously
    /// differentiable from one step to the next and its error in one step is O(dt⁵).
    ///
    /// # Panics
    /// When `out` has another length than the workspace.
    pub fn interpolate(&self, fraction: f64, out: &mut [f64]) {
        let n = self.dimension;
        assert_eq!(out.len(), n, "the output has another length than the workspace");
        let rest = 1.0 - fraction;
        for (i, out) in out.iter_mut().enumerate() {
            let c = |row: usize| self.dense[row * n + i];
            *out = c(0) + fraction * (c(1) + rest * (c(2) + fraction * (c(3) + rest * c(4))));
        }
    }

    /// Stages 1..7 from the first one, which must already stand in `slopes[0..n]`; fills
    /// `proposal`.
    fn try_step<F, E>(&mut self, derivative: &mut F, t: f64, dt: f64, state: &[f64]) -> Result<(), E>
    where
        F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
    {
        let n = self.dimension;
        for (s, row) in COUPLING.iter().enumerate().skip(1) {
            let (known, new) = self.slopes.split_at_mut(s * n);
            for i in 0..n {
                let sum: f64 = row.iter().enumerate().map(|(j, a)| a * known[j * n + i]).sum();
                self.stage[i] = state[i] + dt * sum;
            }
            derivative(t + NODES[s] * dt, &self.stage, &mut new[..n])?;
        }
        // The last stage stands at the fifth-order solution itself.
        self.proposal.copy_from_slice(&self.stage);
        Ok(())
    }

    /// Root mean square of the error estimate in units of the tolerance; NaN when a stage was not
    /// finite.
    fn error_norm(&self, dt: f64, state: &[f64], options: &DormandPrinceOptions) -> f64 {
        let n = self.dimension;
        let mut sum = 0.0;
        for i in 0..n {
            let error: f64 = (0..STAGES).map(|s| ERROR[s] * self.slopes[s * n + i]).sum();
            let size = state[i].abs().max(self.proposal[i].abs());
            let scale = options.absolute_tolerance + options.relative_tolerance * size;
            sum += (dt * error / scale).powi(2);
        }
        (sum / n as f64).sqrt()
    }

    /// Coefficients of the dense output of the step from `state` to `proposal`.
    fn prepare_dense(&mut self, dt: f64, state: &[f64]) {
        let n = self.dimension;
        for i in 0..n {
            let slope = |s: usize| self.slopes[s * n + i];
            let difference = self.proposal[i] - state[i];
            let bend = dt * slope(0) - difference;
            let last: f64 = (0..STAGES).map(|s| DENSE[s] * slope(s)).sum();
            let coefficients = [state[i], difference, bend, difference - dt * slope(STAGES - 1) - bend, dt * last];
            for (row, coefficient) in coefficients.into_iter().enumerate() {
                self.dense[row * n + i] = coefficient;
            }
        }
    }

    /// First step from the sizes of the state and its first two derivatives (Hairer, Nørsett,
    /// Wanner I, II.4).
    fn initial_step<F, E>(
        &mut self,
        derivative: &mut F,
        t: f64,
        span: f64,
        state: &[f64],
        options: &DormandPrinceOptions,
    ) -> f64
    where
        F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
    {
        let n = self.dimension;
        let norm = |v: &dyn Fn(usize) -> f64| {
            let sum: f64 = (0..n)
                .map(|i| {
                    let scale = options.absolute_tolerance + options.relative_tolerance * state[i].abs();
                    (v(i) / scale).powi(2)
                })
                .sum();
            (sum / n as f64).sqrt()
        };
        let (first, second) = self.slopes.split_at_mut(n);
        let size = norm(&|i| state[i]);
        let speed = norm(&|i| first[i]);
        let guess = if size < 1e-5 || speed < 1e-5 { 1e-6 } else { 0.01 * size / speed };
        let guess = guess.min(span).min(options.max_step);
        for i in 0..n {
            self.stage[i] = state[i] + guess * first[i];
        }
        if derivative(t + guess, &self.stage, &mut second[..n]).is_err() {
            // The error control meets the same obstacle and shortens the step, or reports it.
            return guess;
        }
        let curvature = norm(&|i| second[i] - first[i]) / guess;
        let largest = speed.max(curvature);
        let step = if largest <= 1e-15 { (guess * 1e-3).max(1e-6) } else { (0.01 / largest).powf(0.2) };
        // A non-finite derivative at the trial point leaves the cautious guess.
        let step = if step.is_finite() { step } else { guess };
        step.min(100.0 * guess).min(span).min(options.max_step)
    }

    /// Integrates from `times[0]`, where the state is `initial`, and pushes a row for each
    /// requested time.
    ///
    /// The arguments have been validated and the first row is already in `out`.
    pub(super) fn solve<F, E>(
        &mut self,
        options: &DormandPrinceOptions,
        derivative: &mut F,
        initial: &[f64],
        times: &[f64],
        out: &mut Trajectory,
    ) -> Result<(), IntegrationError<E>>
    where
        F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
    {
        let n = self.dimension;
        let (mut t, end) = (times[0], times[times.len() - 1]);
        if t == end {
            return Ok(());
        }
        let mut state = initial.to_vec();
        let mut row = vec![0.0; n];
        derivative(t, &state, &mut self.slopes[..n]).map_err(|source| IntegrationError::Derivative {
            time: t,
            step: 0,
            source,
        })?;
        if let Some(component) = self.slopes[..n].iter().position(|v| !v.is_finite()) {
            return Err(IntegrationError::NonFinite { time: t, step: 0, component });
        }
        let mut dt = match options.initial_step {
            Some(step) => step.min(options.max_step),
            None => self.initial_step(derivative, t, end - t, &state, options),
        };
        let mut previous_error: f64 = 1e-4;
        let mut after_rejection = false;
        // What the last trial step ran into, apart from a large error.
        let mut obstacle: Option<IntegrationError<E>> = None;
        while out.len() < times.len() {
            let step = out.statistics.steps;
            if step + out.statistics.rejected >= options.max_steps {
                let limit = options.max_steps;
                return Err(IntegrationError::TooManySteps { time: t, end, limit });
            }
            // The last step may be stretched a little rather than leave a sliver behind it.
            // Compared as lengths: as times, a step far below one ulp of t would count as the last
            // for ever.
            let last = end - t <= (1.01 * dt).min(options.max_step);
            if last {
                dt = end - t;
            }
            if t + 0.1 * dt == t && !last {
                return Err(obstacle.unwrap_or(IntegrationError::StepUnderflow { time: t, step, dt }));
            }
            if let Err(source) = self.try_step(derivative, t, dt, &state) {
                // A trial step may overshoot the domain where a shorter one stays inside.
                obstacle = Some(IntegrationError::Derivative { time: t, step, source });
                out.statistics.rejected += 1;
                after_rejection = true;
                dt *= FACTOR_RANGE.0;
                continue;
            }
            let error = self.error_norm(dt, &state, options);
            if !error.is_finite() {
                let component = self
                    .proposal
                    .iter()
                    .zip(&self.slopes[(STAGES - 1) * n..])
                    .position(|(value, slope)| !(value.is_finite() && slope.is_finite()))
                    .unwrap_or(0);
                obstacle = Some(IntegrationError::NonFinite { time: t, step, component });
                out.statistics.rejected += 1;
                after_rejection = true;
                dt *= FACTOR_RANGE.0;
                continue;
            }
            let scaled = error.powf(ALPHA);
            if error > 1.0 {
                obstacle = None;
                out.statistics.rejected += 1;
                after_rejection = true;
                dt *= (SAFETY / scaled).max(FACTOR_RANGE.0);
                continue;
            }
            self.prepare_dense(dt, &state);
            let next_time = if last { end } else { t + dt };
            while out.len() < times.len() && times[out.len()] <= next_time {
                let time = times[out.len()];
                if time == next_time {
                    out.push(time, &self.proposal);
                } else {
                    self.interpolate((time - t) / dt, &mut row);
                    out.push(time, &row);
                }
            }
            out.statistics.steps += 1;
            state.copy_from_slice(&self.proposal);
            self.slopes.copy_within((STAGES - 1) * n.., 0);
            t = next_time;
            let mut factor = SAFETY * previous_error.powf(BETA) / scaled;
            factor = factor.clamp(FACTOR_RANGE.0, FACTOR_RANGE.1);
            if after_rejection {
                factor = factor.min(1.0);
            }
            previous_error = error.max(1e-4);
            after_rejection = false;
            obstacle = None;
            dt = (dt * factor).min(options.max_step);
        }
        Ok(())
    }
}

impl FixedStep for DormandPrince {
    fn step<F, E>(&mut self, derivative: &mut F, t: f64, dt: f64, state: &mut [f64]) -> Result<(), StepFailure<E>>
    where
        F: FnMut(f64, &[f64], &mut [f64]) -> Result<(), E>,
    {
        let n = self.dimension;
        assert_eq!(state.len(), n, "the state has another length than the workspace");
        derivative(t, state, &mut self.slopes[..n]).map_err(StepFailure::Derivative)?;
        self.try_step(derivative, t, dt, state).map_err(StepFailure::Derivative)?;
        self.prepare_dense(dt, state);
        state.copy_from_slice(&self.proposal);
        Ok(())
    }
}
