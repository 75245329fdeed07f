//! Checks of the systems' parameters, and distributions that scale with them.

use crate::sampling::Distribution;

use super::error::SystemError;

/// Accepts positive finite numbers.
pub(super) fn positive(
    system: &'static str,
    field: &'static str,
    given: f64,
    unit: &'static str,
) -> Result<f64, SystemError> {
    if given.is_finite() && given > 0.0 {
        return Ok(given);
    }
    Err(SystemError::InvalidParameter { system, field, given, unit, expected: "a positive finite number" })
}

/// Accepts zero and positive finite numbers.
pub(super) fn non_negative(
    system: &'static str,
    field: &'static str,
    given: f64,
    unit: &'static str,
) -> Result<f64, SystemError> {
    if given.is_finite() && given >= 0.0 {
        return Ok(given);
    }
    Err(SystemError::InvalidParameter { system, field, given, unit, expected: "zero or a positive finite number" })
}

/// Accepts finite numbers of either sign.
pub(super) fn finite(
    system: &'static str,
    field: &'static str,
    given: f64,
    unit: &'static str,
) -> Result<f64, SystemError> {
    if given.is_finite() {
        return Ok(given);
    }
    Err(SystemError::InvalidParameter { system, field, given, unit, expected: "a finite number" })
}

/// Uniform on [low, high), ends that were computed from parameters.
pub(super) fn uniform(system: &'static str, low: f64, high: f64) -> Result<Distribution, SystemError> {
    Distribution::uniform(low, high).map_err(|source| SystemError::Range { system, source })
}

/// Uniform on [−bound, bound).
pub(super) fn symmetric(system: &'static str, bound: f64) -> Result<Distribution, SystemError> {
    uniform(system, -bound, bound)
}
