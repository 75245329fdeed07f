//! What is trained on and what is held out: whole trajectories, never rows of one.

use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::error::MeasuredError;
use super::measurements::Measurements;
use crate::fit::Observations;
use crate::trajectory::{Motion, Trajectories};

/// Trajectories for training and others for judging.
///
/// Neighbouring rows of one motion are nearly equal: a split by rows would judge a model by what it has seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Trained on.
    pub training: Part,
    /// Judged by.
    pub held_out: Part,
    /// Whether both are of the only trajectory: its last part in time is held out.
    pub of_one: bool,
}

/// Some of the motions.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The motions.
    pub trajectories: Arc<Trajectories>,
    /// Their accelerations, `[rows, d]`, or nothing.
    pub accelerations: Vec<f64>,
    /// Number of each of them among all.
    pub numbers: Vec<usize>,
}

impl Part {
    /// All rows, states and accelerations apart.
    pub fn observations(&self) -> Observations {
        let d = self.trajectories.degrees_of_freedom();
        let mut all = Observations { q_ddot: self.accelerations.clone(), ..Observations::default() };
        for motion in self.trajectories.motions() {
            for state in motion.states.chunks_exact(2 * d) {
                all.q.extend_from_slice(&state[..d]);
                all.q_dot.extend_from_slice(&state[d..]);
                all.conditionals.extend_from_slice(motion.conditionals);
            }
        }
        all
    }
}

impl Split {
    /// Holds out this `share` of the trajectories, rounded, but at least one and not all, chosen by `seed` alone; of a
    /// single trajectory its last part in time. Both parts keep motions of at least `rows` rows.
    ///
    /// # Errors
    /// [`MeasuredError::TooFewRows`] for a single trajectory that is too short.
    pub fn new(measurements: &Measurements, share: f64, seed: u64, rows: usize) -> Result<Self, MeasuredError> {
        let count = measurements.trajectories.len();
        if count == 1 {
            return Self::in_time(measurements, share, rows);
        }
        let (d, c) = (measurements.degrees_of_freedom(), measurements.labels.conditionals.len());
        let held = ((share * count as f64).round() as usize).clamp(1, count - 1);
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let (held_out, training) = order.split_at(held);
        let part = |chosen: &[usize]| -> Result<Part, MeasuredError> {
            let mut numbers = chosen.to_vec();
            numbers.sort_unstable();
            let mut trajectories = Trajectories::new(d, c)?;
            let mut accelerations = Vec::new();
            for &number in &numbers {
                let Motion { times, states, conditionals } = measurements.trajectories.motion(number);
                trajectories.push(times, states, conditionals)?;
                accelerations.extend_from_slice(measurements.accelerations_of(number));
            }
            Ok(Part { trajectories: Arc::new(trajectories), accelerations, numbers })
        };
        Ok(Self { training: part(training)?, held_out: part(held_out)?, of_one: false })
    }

    fn in_time(measurements: &Measurements, share: f64, rows: usize) -> Result<Self, MeasuredError> {
        let motion = measurements.trajectories.motion(0);
        let held = ((share * motion.rows() as f64).round() as usize).max(rows);
        let Some(first) = motion.rows().checked_sub(held).filter(|&first| first >= rows) else {
            return Err(MeasuredError::TooFewRows { rows: motion.rows(), needed: 2 * rows });
        };
        let d = measurements.degrees_of_freedom();
        let part = |range: std::ops::Range<usize>| -> Result<Part, MeasuredError> {
            let mut trajectories = Trajectories::new(d, motion.conditionals.len())?;
            let states = &motion.states[range.start * 2 * d..range.end * 2 * d];
            trajectories.push(&motion.times[range.clone()], states, motion.conditionals)?;
            let accelerations = match measurements.accelerations_of(0) {
                [] => Vec::new(),
                all => all[range.start * d..range.end * d].to_vec(),
            };
            Ok(Part { trajectories: Arc::new(trajectories), accelerations, numbers: vec![0] })
        };
        Ok(Self { training: part(0..first)?, held_out: part(first..motion.rows())?, of_one: true })
    }
}
