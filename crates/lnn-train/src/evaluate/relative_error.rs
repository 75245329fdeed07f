//! How far rollouts of a chain are from the truth, by the measure of constrained Hamiltonian networks.

use crate::record::{Distribution, Trajectory};
use crate::trajectory::{cartesian_into, geometric_mean_relative_error};

use super::rollout::distribution;

/// Geometric means over time of the relative errors of a model's rollouts, in Cartesian positions and velocities of all
/// bobs of a chain of rods of `lengths`; see [`geometric_mean_relative_error`]. `times` are those of all frames of the
/// complete `truth`. A mean that is not finite counts as failed (Finzi, Wang, Wilson, arXiv:2010.13581).
pub fn relative_errors(times: &[f64], lengths: &[f64], truth: &[Trajectory], model: &[Trajectory]) -> Distribution {
    let (mut errors, mut failed) = (Vec::new(), 0);
    for (truth, model) in truth.iter().zip(model) {
        let error = if model.failure.is_some() {
            f64::NAN
        } else {
            geometric_mean_relative_error(times, &cartesian(lengths, truth), &cartesian(lengths, model))
        };
        if error.is_finite() {
            errors.push(error);
        } else {
            failed += 1;
        }
    }
    distribution(errors, failed)
}

/// `[frames, 4n]`.
fn cartesian(lengths: &[f64], trajectory: &Trajectory) -> Vec<f64> {
    let n = lengths.len();
    let frames = trajectory.states.chunks_exact(2 * n);
    let mut out = vec![0.0; frames.len() * 4 * n];
    for (state, out) in frames.zip(out.chunks_exact_mut(4 * n)) {
        cartesian_into(lengths, state, out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RolloutFailure;

    fn still(angle: f64, frames: usize) -> Trajectory {
        Trajectory { states: [angle, 0.0].repeat(frames), energies: vec![0.0; frames], failure: None }
    }

    #[test]
    fn errors_are_of_positions_and_a_failure_is_counted() {
        let times = [0.0, 1.0];
        let mut lost = still(0.0, 1);
        lost.failure = Some(RolloutFailure { time: 0.0, reason: "lost".to_owned() });
        // A turn by 2α: chord 2 sin α, and the sum of both positions 2 cos α.
        let (truth, model) = ([still(0.0, 2), still(0.0, 2)], [still(0.2, 2), lost]);
        let found = relative_errors(&times, &[2.0], &truth, &model);
        assert_eq!(found.failed, 1);
        assert!((found.mean - (0.1_f64.tan() + 1e-8)).abs() < 16.0 * f64::EPSILON, "{}", found.mean);
        // A whole turn is no error.
        let turned = relative_errors(&times, &[2.0], &truth[..1], &[still(std::f64::consts::TAU, 2)]);
        assert!((turned.max - 1e-8).abs() < 16.0 * f64::EPSILON, "{}", turned.max);
    }
}
