//! What a training learns from, as written in files.

use serde::{Deserialize, Serialize};

use super::model::TrainingConfig;
use crate::optimiser::{ClippingConfig, SettingProblem, check_setting};

/// What a training learns from.
///
/// In RON: `States`, `Trajectories()`, `Trajectories(count: 500, noise: 0.01)`; every field may be left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum TrainingData {
    /// Fresh states at every step, with the system's accelerations.
    #[default]
    States,
    /// Observed motions that start from random states; no acceleration is given. Each batch is of segments of these
    /// motions, which the model is rolled out along.
    Trajectories {
        /// Number of motions, simulated once with tolerance 1e-12.
        #[serde(default = "count")]
        count: usize,
        /// Time from the first to the last observation of a motion, at least `dt`.
        #[serde(default = "t_end")]
        t_end: f64,
        /// Time between two observations.
        #[serde(default = "dt")]
        dt: f64,
        /// Observations of a segment, at least 2: its start and the states that are compared.
        #[serde(default = "segment")]
        segment: usize,
        /// Runge–Kutta steps of the model from one observation to the next.
        #[serde(default = "substeps")]
        substeps: usize,
        /// Standard deviation of normal errors of observation, as a fraction of that of each component of (q, q̇) over
        /// all observations.
        #[serde(default)]
        noise: f64,
        /// Observations of the one random chunk that is kept of each motion, at least `segment`; absent, motions are
        /// whole. See [`chunks`](crate::trajectory::chunks).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chunk: Option<usize>,
        /// Whether each motion is learned backward in time too, as (q, −q̇) in the reverse order: twice the data for a
        /// system whose Lagrangian is even in q̇. One without friction and velocity-dependent forces is.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        time_reversal: bool,
        /// Whether each motion is learned mirrored too, as (−q, −q̇): twice the data for a system that is its own mirror
        /// image, as a pendulum is whose angles are measured from the vertical.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reflection: bool,
        /// Share of the training's steps, at its beginning, in which the model's rates at the observed states are summed
        /// up by the trapezium rule instead of rolled out, which is cheaper and cannot run away. Below 1. With 0.1 instead
        /// of 0.5, three of eight trainings of a Lagrangian network were lost at the change.
        #[serde(default = "warm_start")]
        warm_start: f64,
    },
    /// As `Trajectories`, but each state's successor is all that is compared: x(t + dt) = x(t) + dt · rates(x(t)), one
    /// explicit step of Euler's. A plain network becomes a map to the next state; its output is a mean over the step, and
    /// no rate of change. In RON: `NextState()`.
    NextState {
        /// Number of motions, simulated once with tolerance 1e-12.
        #[serde(default = "count")]
        count: usize,
        /// Time from the first to the last observation of a motion, at least `dt`.
        #[serde(default = "t_end")]
        t_end: f64,
        /// Time from a state to the next.
        #[serde(default = "dt")]
        dt: f64,
    },
}

fn count() -> usize {
    2000
}
fn t_end() -> f64 {
    2.0
}
fn dt() -> f64 {
    0.05
}
fn segment() -> usize {
    2
}
fn substeps() -> usize {
    2
}
fn warm_start() -> f64 {
    0.5
}

/// Most numbers in all observed states together.
const MOST_NUMBERS: f64 = 1e9;
/// Most Runge–Kutta steps of a segment, whose states are all kept.
const MOST_STEPS: usize = 10_000;

impl TrainingData {
    /// Motions with every setting at its default.
    #[must_use]
    pub fn trajectories() -> Self {
        let (count, t_end, dt, segment, substeps) = (count(), t_end(), dt(), segment(), substeps());
        Self::Trajectories {
            count,
            t_end,
            dt,
            segment,
            substeps,
            noise: 0.0,
            chunk: None,
            time_reversal: false,
            reflection: false,
            warm_start: warm_start(),
        }
    }

    /// Motions of which each state's successor is learned, with every setting at its default.
    #[must_use]
    pub fn next_state() -> Self {
        Self::NextState { count: count(), t_end: t_end(), dt: dt() }
    }

    /// The same motions as `Trajectories`, in segments of a state and its successor where these are learned.
    pub(crate) fn in_segments(&self) -> Self {
        match *self {
            Self::NextState { count, t_end, dt } => Self::Trajectories {
                count,
                t_end,
                dt,
                segment: 2,
                substeps: 1,
                noise: 0.0,
                chunk: None,
                time_reversal: false,
                reflection: false,
                warm_start: 0.0,
            },
            other => other,
        }
    }

    /// Times of the observations of a motion, from 0; none for fresh states.
    pub fn times(&self) -> Vec<f64> {
        match *self {
            Self::States => Vec::new(),
            Self::Trajectories { t_end, dt, .. } | Self::NextState { t_end, dt, .. } => {
                (0..rows(t_end, dt) as usize).map(|row| row as f64 * dt).collect()
            }
        }
    }

    /// Steps of the warm start in a training of `steps`, all of them where nothing is rolled out; 0 for fresh states.
    pub fn warm_start_steps(&self, steps: u64) -> u64 {
        match *self {
            Self::States => 0,
            Self::NextState { .. } => steps,
            Self::Trajectories { warm_start, .. } => (warm_start * steps as f64).round() as u64,
        }
    }

    /// Every setting out of range for a system with `dof` degrees of freedom.
    #[must_use]
    pub fn validate(&self, dof: usize) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        let Self::Trajectories { count, t_end, dt, segment, substeps, noise, chunk, warm_start, .. } =
            self.in_segments()
        else {
            return problems;
        };
        let mut check = |holds, field, given: &dyn std::fmt::Display, expected| {
            check_setting(&mut problems, holds, field, given, expected);
        };
        let above_zero = |x: f64| x.is_finite() && x > 0.0;
        check(count >= 1, "count", &count, "a whole number, 1 or above");
        check(above_zero(t_end), "t_end", &t_end, "a finite number above 0");
        check(above_zero(dt), "dt", &dt, "a finite number above 0");
        check(segment >= 2, "segment", &segment, "2 or above: the start of a segment and a later observation");
        check(substeps >= 1, "substeps", &substeps, "a whole number, 1 or above");
        let steps = segment.saturating_sub(1).saturating_mul(substeps);
        check(steps <= MOST_STEPS, "substeps", &substeps, "at most 10 000 / (segment − 1)");
        check(noise.is_finite() && noise >= 0.0, "noise", &noise, "a finite number, 0 or above");
        if let Some(chunk) = chunk {
            check(
                chunk >= segment.max(2),
                "chunk",
                &chunk,
                "at least `segment`, so that a chunk holds a whole segment",
            );
        }
        check((0.0..1.0).contains(&warm_start), "warm_start", &warm_start, "at least 0 and below 1");
        if above_zero(t_end) && above_zero(dt) {
            let rows = rows(t_end, dt);
            let fits = rows >= chunk.unwrap_or(0).max(segment).max(2) as f64;
            check(
                fits,
                "t_end",
                &t_end,
                "at least (segment − 1) × dt, so that a motion holds a whole segment, and (chunk − 1) × dt for a whole chunk",
            );
            let numbers = rows * count as f64 * 2.0 * dof as f64;
            check(numbers <= MOST_NUMBERS, "count", &count, "such that all states together have at most 1e9 numbers");
        }
        problems
    }
}

impl TrainingConfig {
    /// Changes what is learned from. From fresh states to motions, the clipping becomes redescending with the same
    /// settings: the gradients of segments have extremes that would otherwise undo what was learned.
    pub fn train_on(&mut self, data: TrainingData) {
        if let (
            TrainingData::States,
            TrainingData::Trajectories { .. },
            ClippingConfig::RunningNorm { factor, averaging },
        ) = (self.data, data, self.clipping)
        {
            self.clipping = ClippingConfig::Redescending { factor, averaging };
        }
        self.data = data;
    }
}

/// Observations 0, dt, 2 dt, … up to `t_end`, which a quotient just below a whole number is meant to reach.
fn rows(t_end: f64, dt: f64) -> f64 {
    (t_end / dt * (1.0 + 4.0 * f64::EPSILON)).floor() + 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_observation_is_at_the_end() {
        for (t_end, dt, rows) in [(2.0, 0.05, 41), (0.3, 0.1, 4), (0.35, 0.1, 4), (2.97, 0.03, 100), (1.0, 1.0, 2)] {
            let data = TrainingData::Trajectories {
                count: 1,
                t_end,
                dt,
                segment: 2,
                substeps: 1,
                noise: 0.0,
                chunk: None,
                time_reversal: false,
                reflection: false,
                warm_start: 0.0,
            };
            let times = data.times();
            assert_eq!(times.len(), rows, "{t_end} by {dt}");
            assert_eq!((times[0], times[1]), (0.0, dt));
            assert!(times[rows - 1] <= t_end * (1.0 + 8.0 * f64::EPSILON));
        }
        assert!(TrainingData::States.times().is_empty());
    }
}
