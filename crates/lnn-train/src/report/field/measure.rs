//! Errors of a motion, frame by frame.

use crate::field::{FieldMotion, FieldTrajectory};
use crate::larger;

/// Numbers of one frame: 2 n c.
pub(super) fn width(motion: &FieldMotion) -> usize {
    2 * sites(motion) * motion.components
}

/// Sites of the lattice.
pub(super) fn sites(motion: &FieldMotion) -> usize {
    motion.shape[0] * motion.shape[1]
}

/// Whether the lattice is a line.
pub(super) fn is_line(motion: &FieldMotion) -> bool {
    motion.shape[0] == 1 || motion.shape[1] == 1
}

/// Component `component` of φ at every site of frame `frame` of `states`; nothing beyond the frames there are.
pub(super) fn field<'a>(
    motion: &FieldMotion,
    states: &'a [f64],
    frame: usize,
    component: usize,
) -> impl Iterator<Item = f64> + use<'a> {
    let (width, components) = (width(motion), motion.components);
    let state = states.get(frame * width..frame * width + width / 2).unwrap_or(&[]);
    state.iter().skip(component).step_by(components).copied()
}

/// The same component of φ̇.
pub(super) fn rate<'a>(
    motion: &FieldMotion,
    states: &'a [f64],
    frame: usize,
    component: usize,
) -> impl Iterator<Item = f64> + use<'a> {
    let (width, components) = (width(motion), motion.components);
    let state = states.get(frame * width + width / 2..(frame + 1) * width).unwrap_or(&[]);
    state.iter().skip(component).step_by(components).copied()
}

/// Largest |φ − φ*| over the sites and components of each frame that the model and the truth have.
pub(super) fn field_errors(motion: &FieldMotion, trajectory: &FieldTrajectory) -> Vec<f64> {
    let width = width(motion);
    let frame = |(model, truth): (&[f64], &[f64])| {
        let differences = model[..width / 2].iter().zip(&truth[..width / 2]).map(|(a, b)| (a - b).abs());
        differences.fold(0.0, larger)
    };
    trajectory.states.chunks(width).zip(motion.truth.chunks(width)).map(frame).collect()
}

/// Error of the exact discrete energy of each frame, in percent of its value at the start.
pub(super) fn energy_errors(motion: &FieldMotion, trajectory: &FieldTrajectory) -> Vec<f64> {
    trajectory.energy.iter().map(|energy| 100.0 * ((energy - motion.energy) / motion.energy).abs()).collect()
}

/// Change of the learned energy since the first frame, in percent of the exact energy at the start.
pub(super) fn learned_drifts(motion: &FieldMotion, trajectory: &FieldTrajectory) -> Vec<f64> {
    let first = trajectory.learned_energy.first().copied().unwrap_or(f64::NAN);
    trajectory.learned_energy.iter().map(|energy| 100.0 * ((energy - first) / motion.energy).abs()).collect()
}

/// Largest finite magnitude; 0 without any.
pub(super) fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.map(f64::abs).filter(|value| value.is_finite()).fold(0.0, f64::max)
}
