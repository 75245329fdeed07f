//! Weights of the samples in a batch's loss.

use serde::{Deserialize, Serialize};

/// How much each sample counts, as a function of its velocity; a batch's weights are divided by their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LossWeight {
    /// Every sample the same.
    #[default]
    Uniform,
    /// w = 1 + 1/√(1 − |q̇|²): more near the speed of light, where accelerations are small and energies large
    /// (Cranmer et al. 2020, the published notebook of the relativistic particle).
    Lorentz,
}

/// A velocity at which a weight is not defined.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "row {row} of the data has q_dot = {q_dot:?}, but the Lorentz weight 1 + 1/√(1 − |q_dot|²) needs |q_dot| < 1; narrow \
     the velocities of sampling, or use the weight Uniform"
)]
pub struct VelocityOutOfRange {
    /// Row of the batch or set, from 0.
    pub row: usize,
    /// Velocity, `[d]`.
    pub q_dot: Vec<f64>,
}

impl LossWeight {
    /// The weight, at least 1, of the velocity `q_dot` `[d]` in row `row`.
    ///
    /// # Errors
    /// A velocity at which it is not defined.
    pub fn of(self, row: usize, q_dot: &[f64]) -> Result<f64, VelocityOutOfRange> {
        match self {
            Self::Uniform => Ok(1.0),
            Self::Lorentz => {
                // In one dimension this product keeps the digits that 1 − q̇² loses near the speed of light.
                let rest = match q_dot {
                    [v] => (1.0 - v) * (1.0 + v),
                    _ => 1.0 - q_dot.iter().map(|v| v * v).sum::<f64>(),
                };
                if rest > 0.0 {
                    Ok(1.0 + rest.sqrt().recip())
                } else {
                    Err(VelocityOutOfRange { row, q_dot: q_dot.to_vec() })
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_is_one_plus_the_lorentz_factor_below_the_speed_of_light() {
        assert_eq!(LossWeight::Uniform.of(0, &[7.0]), Ok(1.0));
        assert_eq!(LossWeight::Lorentz.of(0, &[0.0]), Ok(2.0));
        // γ = 1/0.8 and 1/√(1 − 0.36 − 0.28).
        for (q_dot, gamma) in [(vec![-0.6], 1.25), (vec![0.6, 0.28_f64.sqrt()], 1.0 / 0.6)] {
            let weight = LossWeight::Lorentz.of(0, &q_dot).expect("slow enough");
            assert!((weight - 1.0 - gamma).abs() < 8.0 * f64::EPSILON, "{weight}");
        }
        // 1 − v² = 2⁻⁵²(1 − 2⁻⁵⁴) is exact in the product.
        let near = LossWeight::Lorentz.of(0, &[1.0 - f64::EPSILON / 2.0]).expect("below 1");
        assert!((near / 2.0_f64.powi(26) - 1.0).abs() < 1e-7, "{near}");
        for q_dot in [vec![1.0], vec![-1.2], vec![f64::NAN], vec![0.8, 0.6]] {
            let error = LossWeight::Lorentz.of(3, &q_dot).expect_err("no weight");
            assert!(error.row == 3 && error.to_string().contains("row 3 of the data has q_dot = ["), "{error}");
        }
    }
}
