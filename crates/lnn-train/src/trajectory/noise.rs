//! Errors of observation, added to exact states.

use lnn_physics::sampling::{Distribution, Normal, StateSampler};

use super::{Trajectories, TrajectoryError};

impl Trajectories {
    /// The same motions observed with independent normal errors; `deviations` `[2d]` are the standard deviations of
    /// the components of (q, q̇), in their units. Trajectory k takes stream k of the sampler.
    ///
    /// # Errors
    /// [`TrajectoryError::Noise`] for a deviation that is negative or not finite.
    ///
    /// # Panics
    /// If there are not 2d deviations.
    pub fn with_noise(mut self, deviations: &[f64], sampler: StateSampler) -> Result<Self, TrajectoryError> {
        let width = 2 * self.degrees_of_freedom();
        assert_eq!(deviations.len(), width, "a standard deviation for each component of (q, q̇)");
        if let Some(column) = deviations.iter().position(|&x| !(x >= 0.0 && x.is_finite())) {
            return Err(TrajectoryError::Noise { column, given: deviations[column] });
        }
        let normal = vec![Distribution::Normal(Normal::constant(0.0, 1.0)); width];
        let lengths: Vec<usize> = self.motions().map(|motion| motion.states.len()).collect();
        let mut states = self.states_mut();
        let mut errors = Vec::new();
        for (stream, length) in lengths.into_iter().enumerate() {
            let (motion, rest) = states.split_at_mut(length);
            errors.resize(length, 0.0);
            sampler.fill(stream as u64, &normal, &mut errors);
            for (state, errors) in motion.chunks_exact_mut(width).zip(errors.chunks_exact(width)) {
                for ((x, error), deviation) in state.iter_mut().zip(errors).zip(deviations) {
                    *x += deviation * error;
                }
            }
            states = rest;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 300 motions of 50 rows, all 0.
    fn still() -> Trajectories {
        let mut trajectories = Trajectories::new(1, 0).expect("one coordinate");
        let times: Vec<f64> = (0..50).map(f64::from).collect();
        for _ in 0..300 {
            trajectories.push(&times, &[0.0; 100], &[]).expect("usable");
        }
        trajectories
    }

    #[test]
    fn errors_have_the_deviations_asked_for_and_are_independent() {
        let noisy = still().with_noise(&[0.5, 2.0], StateSampler::new(4, 0)).expect("usable");
        let n = noisy.rows() as f64;
        // The estimate of a deviation scatters by 1 / √(2n) of itself; five times that is met once in two million.
        for (found, asked) in noisy.deviations().into_iter().zip([0.5, 2.0]) {
            assert!((found / asked - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "{found} for {asked}");
        }
        // Means, and products of a row's components, of neighbouring rows and of neighbouring motions.
        let states: Vec<f64> = noisy.motions().flat_map(|motion| motion.states.to_vec()).collect();
        for distance in [0, 1, 2, 100] {
            let product = |(j, x): (usize, &f64)| match distance {
                0 => *x,
                _ => states.get(j + distance).map_or(0.0, |y| x * y),
            };
            let mean = states.iter().enumerate().step_by(2).map(product).sum::<f64>() / n;
            let scatter = [0.5, 1.0, 0.25, 0.25][[0, 1, 2, 100].iter().position(|&d| d == distance).expect("listed")];
            assert!(mean.abs() < 5.0 * scatter / n.sqrt(), "distance {distance}: {mean}");
        }
        assert_eq!(noisy, still().with_noise(&[0.5, 2.0], StateSampler::new(4, 0)).expect("usable"));
        assert_ne!(noisy, still().with_noise(&[0.5, 2.0], StateSampler::new(5, 0)).expect("usable"));
    }

    #[test]
    fn no_noise_changes_no_bit_and_a_negative_one_is_refused() {
        assert_eq!(still().with_noise(&[0.0, 0.0], StateSampler::new(4, 0)), Ok(still()));
        let message = still().with_noise(&[0.0, -1.0], StateSampler::new(4, 0)).expect_err("negative").to_string();
        assert!(message.contains("column 1 has the standard deviation -1"), "{message}");
    }
}
