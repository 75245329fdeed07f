//! How far a rollout strays from the energy that the true motion conserves.

use thiserror::Error;

use crate::system::System;

/// An energy error that cannot be stated.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum InvariantError {
    /// No energy was given.
    #[error("no energy was given; an energy error needs at least one frame")]
    Empty,
    /// An energy is NaN or infinite.
    #[error("the energy of frame {index} is {given}; drop the frames after a rollout failed")]
    NonFinite {
        /// Index of the first such frame.
        index: usize,
        /// Its energy.
        given: f64,
    },
    /// The conserved energy is NaN or infinite.
    #[error("the conserved energy is {given}; it must be finite")]
    NonFiniteConserved {
        /// Value that was given.
        given: f64,
    },
    /// The reference energy gives no scale.
    #[error(
        "the reference energy is {given}; a positive finite one is needed to state an error in percent \
         (a pendulum without gravity has no reference energy: choose one)"
    )]
    NoReference {
        /// Value that was given.
        given: f64,
    },
}

/// Energy error of one rollout in percent of the reference energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyDrift {
    /// |E(T) − E| / E_ref at the last frame, in percent: the published measure.
    pub last_percent: f64,
    /// The largest |E(t) − E| / E_ref over all frames, in percent.
    pub max_percent: f64,
}

/// Energy error of the frames `energies` against the `conserved` energy of the true motion.
///
/// error(t) = 100 |E(t) − E| / E_ref; the paper takes E_ref as the largest potential energy, 29.4 J
/// for its double pendulum (Cranmer et al. 2020, section 5). All energies in the same unit.
///
/// # Errors
/// [`InvariantError`]: no frame, a value that is not finite, or a reference that is not positive.
///
/// ```
/// use lnn_physics::invariants::energy_drift;
/// let drift = energy_drift(&[10.0, 11.0, 9.5], 10.0, 50.0)?;
/// assert_eq!((drift.last_percent, drift.max_percent), (1.0, 2.0));
/// # Ok::<(), lnn_physics::invariants::InvariantError>(())
/// ```
pub fn energy_drift(energies: &[f64], conserved: f64, reference: f64) -> Result<EnergyDrift, InvariantError> {
    if !(reference.is_finite() && reference > 0.0) {
        return Err(InvariantError::NoReference { given: reference });
    }
    if !conserved.is_finite() {
        return Err(InvariantError::NonFiniteConserved { given: conserved });
    }
    let mut last_percent = None;
    let mut max_percent: f64 = 0.0;
    for (index, &energy) in energies.iter().enumerate() {
        if !energy.is_finite() {
            let given = energy;
            return Err(InvariantError::NonFinite { index, given });
        }
        let percent = 100.0 * (energy - conserved).abs() / reference;
        max_percent = max_percent.max(percent);
        last_percent = Some(percent);
    }
    Ok(EnergyDrift { last_percent: last_percent.ok_or(InvariantError::Empty)?, max_percent })
}

/// True energies of the states `[frames, 2d]` of a motion with `conditionals` `[c]`, written to
/// `energies` `[frames]` in the system's unit.
///
/// # Panics
/// When the lengths do not fit each other.
pub fn energies_into(system: &dyn System, states: &[f64], conditionals: &[f64], energies: &mut [f64]) {
    let width = 2 * system.degrees_of_freedom();
    assert_eq!(states.len(), energies.len() * width, "one energy for each state [q, q̇] of {width} numbers");
    for (state, energy) in states.chunks_exact(width).zip(energies) {
        *energy = system.state_energy(state, conditionals);
    }
}

/// Energy error of a rollout `states` `[frames, 2d]` of `system` with `conditionals` `[c]`, whose
/// first frame is the start that the truth shares.
///
/// # Errors
/// As [`energy_drift`].
///
/// # Panics
/// When `states` does not hold whole states, or `conditionals` has another length.
pub fn rollout_energy_drift(
    system: &dyn System,
    states: &[f64],
    conditionals: &[f64],
) -> Result<EnergyDrift, InvariantError> {
    let mut energies = vec![0.0; states.len() / (2 * system.degrees_of_freedom())];
    energies_into(system, states, conditionals, &mut energies);
    let conserved = *energies.first().ok_or(InvariantError::Empty)?;
    energy_drift(&energies, conserved, system.reference_energy())
}
