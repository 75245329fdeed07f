//! How far rollouts of a chain are from the truth, by the measure of constrained Hamiltonian networks.

use crate::record::{RelativeErrors, Trajectory};
use crate::trajectory::{cartesian_into, geometric_mean_relative_error};

use super::rollout::distribution;

/// Geometric means over time of the relative errors of a model's rollouts, in Cartesian positions and velocities of all
/// bobs of a chain of rods of `lengths`; see [`geometric_mean_relative_error`]. `times` are those of all frames of the
/// complete `truth`. A mean that is not finite counts as failed (Finzi, Wang, Wilson, arXiv:2010.13581).
pub fn relative_errors(times: &[f64], lengths: &[f64], truth: &[Trajectory], model: &[Trajectory]) -> RelativeErrors {
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
    let logarithms = errors.iter().map(|error| error.ln()).sum::<f64>();
    // Where a rollout is lost, the mean over the others would say nothing.
    let geometric_mean = if failed > 0 { f64::INFINITY } else { (logarithms / errors.len() as f64).exp() };
    RelativeErrors { geometric_mean, rollouts: distribution(errors, failed) }
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
        assert_eq!((found.rollouts.failed, found.geometric_mean), (1, f64::INFINITY));
        let mean = found.rollouts.mean;
        assert!((mean - (0.1_f64.tan() + 1e-8)).abs() < 16.0 * f64::EPSILON, "{mean}");
        // A whole turn is no error.
        let turned = relative_errors(&times, &[2.0], &truth[..1], &[still(std::f64::consts::TAU, 2)]);
        assert!((turned.rollouts.max - 1e-8).abs() < 16.0 * f64::EPSILON, "{turned:?}");
        // Over two rollouts with errors e and 1e-8: √(1e-8 e).
        let both = relative_errors(&times, &[2.0], &truth, &[still(0.2, 2), still(0.0, 2)]);
        let want = (mean * 1e-8).sqrt();
        assert!((both.geometric_mean / want - 1.0).abs() < 1e-12, "{both:?}");
    }
}
