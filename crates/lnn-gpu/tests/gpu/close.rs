//! The comparison of what a device gave with what was expected.

/// The first number that is not close to what was expected.
#[derive(Debug, PartialEq)]
pub(crate) struct Far {
    pub(crate) at: usize,
    pub(crate) got: f32,
    pub(crate) want: f64,
    pub(crate) tolerance: f64,
}

/// Whether a difference is larger than its tolerance, or no number.
pub(crate) fn beyond(difference: f64, tolerance: f64) -> bool {
    difference.is_nan() || difference > tolerance
}

/// Whether each number differs from its expectation by no more than `factor` ε times its scale, which is the sum of
/// the magnitudes that went into it; a NaN never is.
pub(crate) fn close(got: &[f32], want: &[f64], scale: &[f64], factor: f64) -> Result<(), Far> {
    assert_eq!((got.len(), want.len()), (want.len(), scale.len()), "lengths");
    for at in 0..got.len() {
        let tolerance = factor * f64::from(f32::EPSILON) * scale[at] + f64::from(f32::MIN_POSITIVE);
        let difference = (f64::from(got[at]) - want[at]).abs();
        if beyond(difference, tolerance) {
            return Err(Far { at, got: got[at], want: want[at], tolerance });
        }
    }
    Ok(())
}

#[test]
fn a_perturbed_number_and_a_nan_are_far() {
    let want = [1.0, -2.0, 1e-20];
    let scale = [1.0, 2.0, 1e-20];
    assert_eq!(close(&[1.0, -2.0, 1e-20], &want, &scale, 4.0), Ok(()));
    assert_eq!(close(&[1.0 + 8.0 * f32::EPSILON, -2.0, 1e-20], &want, &scale, 4.0).unwrap_err().at, 0);
    assert_eq!(close(&[1.0, f32::NAN, 1e-20], &want, &scale, 4.0).unwrap_err().at, 1);
    assert_eq!(close(&[1.0, -2.0, 0.0], &want, &scale, 4.0).unwrap_err().at, 2);
}
