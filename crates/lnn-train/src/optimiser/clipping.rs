//! Gradient clipping by a running mean of the norm; steps without a usable gradient are skipped and counted.

use lnn_autodiff::{Real, vectorised};
use serde::{Deserialize, Serialize};

use super::state::{check_state, load_words};
use super::{NamedState, OptimiserError, SettingProblem, StateTensor, check_setting};

/// Choice and settings of gradient clipping.
///
/// In RON: `Off`, `RunningNorm()`, `RunningNorm(factor: 3.0, averaging: 0.99)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ClippingConfig {
    /// Never clip; a gradient that is not finite is still skipped.
    Off,
    /// Clip at a multiple of the running mean of the clipped norm.
    RunningNorm {
        /// Limit over running mean, at least 1.
        #[serde(default = "factor")]
        factor: f64,
        /// Weight of the past in the running mean, in [0, 1).
        #[serde(default = "averaging")]
        averaging: f64,
    },
    /// Where [`RunningNorm`](Self::RunningNorm) shortens a gradient to its limit, shorten it to limit² / norm: the
    /// further it is off, the less it counts. For gradients whose rare extremes point nowhere useful, as those of
    /// segments that meet a nearly singular mass matrix.
    Redescending {
        /// Limit over running mean, at least 1.
        #[serde(default = "factor")]
        factor: f64,
        /// Weight of the past in the running mean, in [0, 1).
        #[serde(default = "averaging")]
        averaging: f64,
    },
}

fn factor() -> f64 {
    3.0
}
fn averaging() -> f64 {
    0.99
}

impl Default for ClippingConfig {
    /// Three times the running mean, averaged over about 100 steps.
    fn default() -> Self {
        Self::RunningNorm { factor: factor(), averaging: averaging() }
    }
}

impl ClippingConfig {
    /// Every setting out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        if let Self::RunningNorm { factor, averaging } | Self::Redescending { factor, averaging } = *self {
            check_setting(
                &mut problems,
                factor >= 1.0 && factor.is_finite(),
                "factor",
                factor,
                "finite and at least 1",
            );
            check_setting(
                &mut problems,
                (0.0..1.0).contains(&averaging),
                "averaging",
                averaging,
                "at least 0 and below 1",
            );
        }
        problems
    }
}

/// What became of a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ClipOutcome {
    /// Left as it was.
    Applied {
        /// Its Euclidean norm.
        norm: f64,
    },
    /// Scaled down to the limit.
    Clipped {
        /// Its Euclidean norm before.
        norm: f64,
        /// Its Euclidean norm now.
        limit: f64,
    },
    /// Not usable: the caller must leave the parameters and the optimiser alone. The gradient is unchanged.
    Skipped,
}

impl ClipOutcome {
    /// Norm before clipping; NaN for a skipped gradient.
    #[must_use]
    pub fn norm(&self) -> f64 {
        match *self {
            Self::Applied { norm } | Self::Clipped { norm, .. } => norm,
            Self::Skipped => f64::NAN,
        }
    }
}

/// Clips a gradient at `factor` times the running mean of the clipped norms before it.
///
/// With a the averaging and n the norm after clipping, μ ← a μ + (1 − a) n over the gradients that count,
/// and the mean is μ / (1 − aᵏ) after k of them: the first gradients weigh alike instead of being drowned
/// by the zero at the start. The first gradient is not clipped. A zero gradient is applied but not counted,
/// since a mean of zero would clip everything after it to zero.
///
/// A gradient is skipped when its squared norm is not finite in `T`: an infinite or NaN entry, or one so
/// large that its square overflows and would poison the optimiser's averages.
#[derive(Clone, Debug, PartialEq)]
pub struct RunningNormClip {
    config: ClippingConfig,
    weighted_sum: f64,
    counted: u64,
    clipped: u64,
    skipped: u64,
}

const STATE: &str = "clipping.state";

impl RunningNormClip {
    /// No gradient seen yet.
    ///
    /// # Errors
    /// [`OptimiserError::Settings`] if a setting is out of range.
    pub fn new(config: ClippingConfig) -> Result<Self, OptimiserError> {
        let problems = config.validate();
        if !problems.is_empty() {
            return Err(OptimiserError::Settings { problems });
        }
        Ok(Self { config, weighted_sum: 0.0, counted: 0, clipped: 0, skipped: 0 })
    }

    /// Clip `gradient` in place, or say that the step must be skipped.
    pub fn apply<T: Real>(&mut self, gradient: &mut [T]) -> ClipOutcome {
        let squared_norm = squared_norm(gradient);
        self.apply_with_norm(gradient, squared_norm)
    }

    /// As [`apply`](Self::apply), for a caller that knows the gradient's squared norm already.
    pub fn apply_with_norm<T: Real>(&mut self, gradient: &mut [T], squared_norm: f64) -> ClipOutcome {
        if !T::from_f64(squared_norm).is_finite() {
            self.skipped += 1;
            return ClipOutcome::Skipped;
        }
        let norm = squared_norm.sqrt();
        let (factor, averaging) = match self.config {
            ClippingConfig::Off => return ClipOutcome::Applied { norm },
            ClippingConfig::RunningNorm { factor, averaging } | ClippingConfig::Redescending { factor, averaging } => {
                (factor, averaging)
            }
        };
        if norm == 0.0 {
            return ClipOutcome::Applied { norm };
        }
        let limit = if self.counted == 0 {
            f64::INFINITY
        } else {
            factor * self.weighted_sum / (1.0 - averaging.powf(self.counted as f64))
        };
        self.weighted_sum = averaging * self.weighted_sum + (1.0 - averaging) * norm.min(limit);
        self.counted += 1;
        if norm <= limit {
            return ClipOutcome::Applied { norm };
        }
        self.clipped += 1;
        let length = match self.config {
            ClippingConfig::Redescending { .. } => limit * (limit / norm),
            ClippingConfig::RunningNorm { .. } | ClippingConfig::Off => limit,
        };
        let scale = T::from_f64(length / norm);
        for entry in gradient {
            *entry *= scale;
        }
        ClipOutcome::Clipped { norm, limit: length }
    }

    /// Gradients clipped so far.
    #[must_use]
    pub fn clipped(&self) -> u64 {
        self.clipped
    }

    /// Gradients skipped so far.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Count a step that the caller skips for a reason of its own, such as a loss that is not finite.
    pub fn count_skipped(&mut self) {
        self.skipped += 1;
    }

    /// The running sum's bit pattern and the three counters, as one tensor of integers.
    #[must_use]
    pub fn state<T: Real>(&self) -> NamedState<'static, T> {
        let words = vec![self.weighted_sum.to_bits(), self.counted, self.clipped, self.skipped];
        vec![(STATE.to_owned(), StateTensor::words(words))]
    }

    /// Take over a state that [`RunningNormClip::state`] has given.
    ///
    /// # Errors
    /// An [`OptimiserError`] that names what is missing, unknown, of another length or impossible; the
    /// state is unchanged then.
    pub fn load_state<T: Real>(&mut self, state: &[(String, StateTensor<'_, T>)]) -> Result<(), OptimiserError> {
        check_state(&self.state(), state)?;
        let [bits, counted, clipped, skipped] = load_words(state, STATE)?;
        let weighted_sum = f64::from_bits(bits);
        if !weighted_sum.is_finite() || weighted_sum < 0.0 {
            return Err(OptimiserError::StateValue { name: STATE.to_owned(), index: 0 });
        }
        *self = Self { config: self.config, weighted_sum, counted, clipped, skipped };
        Ok(())
    }
}

/// Σ gᵢ² in double precision, in a fixed order.
pub(crate) fn squared_norm<T: Real>(values: &[T]) -> f64 {
    vectorised(
        values,
        #[inline(always)]
        |values| {
            const LANES: usize = 16;
            let mut sums = [0.0; LANES];
            let (blocks, rest) = values.as_chunks::<LANES>();
            for block in blocks {
                for lane in 0..LANES {
                    let value = block[lane].to_f64();
                    sums[lane] += value * value;
                }
            }
            let rest: f64 = rest.iter().map(|value| value.to_f64() * value.to_f64()).sum();
            sums.iter().sum::<f64>() + rest
        },
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn clip() -> RunningNormClip {
        RunningNormClip::new(ClippingConfig::default()).unwrap()
    }

    #[test]
    fn the_first_gradient_passes_and_sets_the_limit() {
        let mut clip = clip();
        assert_eq!(clip.apply(&mut [3.0, 4.0]), ClipOutcome::Applied { norm: 5.0 });
        let mut large = [0.0, 200.0];
        let ClipOutcome::Clipped { norm, limit } = clip.apply(&mut large) else {
            panic!("not clipped");
        };
        assert_eq!(norm, 200.0);
        // 1 − 0.99 loses two digits, and so does the sum it divides.
        assert!((limit - 15.0).abs() < 15.0 * 200.0 * f64::EPSILON, "{limit}");
        assert!((large[1] - limit).abs() <= 2.0 * f64::EPSILON * limit);
        // The mean took the clipped norm: (0.99 · 5 + 15) / 1.99, not (0.99 · 5 + 200) / 1.99.
        let ClipOutcome::Clipped { limit, .. } = clip.apply(&mut [1e3]) else {
            panic!("not clipped");
        };
        assert!((limit - 3.0 * 19.95 / 1.99).abs() < 200.0 * f64::EPSILON * limit, "{limit}");
        assert_eq!((clip.clipped(), clip.skipped()), (2, 0));
    }

    #[test]
    fn a_redescending_gradient_is_the_shorter_the_longer_it_was() {
        let config = ClippingConfig::Redescending { factor: 3.0, averaging: 0.99 };
        let mut clip = RunningNormClip::new(config).unwrap();
        clip.apply(&mut [3.0, 4.0]);
        let mut large = [0.0, 150.0];
        let ClipOutcome::Clipped { norm, limit } = clip.apply(&mut large) else { panic!("not clipped") };
        assert_eq!(norm, 150.0);
        // The limit 15 is a tenth of the norm, and a tenth of the limit is left.
        assert!((limit - 1.5).abs() < 1.5 * 400.0 * f64::EPSILON, "{limit}");
        assert!((large[1] - limit).abs() <= 2.0 * f64::EPSILON * limit);
        // Within the limit nothing changes, and the mean grows as that of the other kind does.
        let mut small = [20.0];
        assert_eq!(clip.apply(&mut small), ClipOutcome::Applied { norm: 20.0 });
        assert_eq!(small, [20.0]);
        let negligible = RunningNormClip::apply(&mut clip, &mut [1e12]);
        assert!(matches!(negligible, ClipOutcome::Clipped { limit, .. } if limit < 1e-8), "{negligible:?}");
    }

    #[test]
    fn unusable_gradients_are_skipped_counted_and_leave_the_mean_alone() {
        let mut clip = clip();
        clip.apply(&mut [1.0_f32]);
        let before = clip.clone();
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e20] {
            assert_eq!(clip.apply(&mut [0.5, bad]), ClipOutcome::Skipped);
        }
        assert_eq!(clip.skipped(), 4);
        clip.skipped = 0;
        assert_eq!(clip, before);
        let mut off = RunningNormClip::new(ClippingConfig::Off).unwrap();
        assert_eq!(off.apply(&mut [f64::NAN]), ClipOutcome::Skipped);
        assert_eq!(off.apply(&mut [1e9]), ClipOutcome::Applied { norm: 1e9 });
    }

    #[test]
    fn zero_gradients_do_not_stop_training() {
        let mut clip = clip();
        assert_eq!(clip.apply(&mut [0.0]), ClipOutcome::Applied { norm: 0.0 });
        assert_eq!(clip.apply(&mut [7.0]), ClipOutcome::Applied { norm: 7.0 });
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let config = ClippingConfig::RunningNorm { factor: 0.5, averaging: 1.0 };
        let fields: Vec<_> = config.validate().iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["factor", "averaging"]);
        assert!(RunningNormClip::new(config).is_err());
        assert_eq!(ron::from_str::<ClippingConfig>("RunningNorm()").unwrap(), ClippingConfig::default());
        assert!(ron::from_str::<ClippingConfig>("RunningNorm(facto: 3.0)").is_err());
    }

    #[test]
    fn damaged_state_is_refused() {
        let mut clip = clip();
        let state = |bits: u64| vec![(STATE.to_owned(), StateTensor::<f32>::words(vec![bits, 1, 2, 3]))];
        assert!(clip.load_state(&state(f64::NAN.to_bits())).is_err());
        assert!(clip.load_state(&state((-1.0_f64).to_bits())).is_err());
        assert!(clip.load_state(&state(1.0_f64.to_bits())).is_ok());
        assert_eq!(clip.skipped(), 3);
    }

    proptest! {
        #[test]
        fn clipped_norms_never_exceed_the_limit_and_state_continues_bit_for_bit(
            norms in prop::collection::vec(1e-6_f64..1e6, 2..40), size in 1usize..40,
        ) {
            let mut clip = clip();
            let mut resumed = RunningNormClip::new(ClippingConfig::default()).unwrap();
            for norm in norms {
                resumed.load_state(&clip.state::<f64>()).unwrap();
                let mut gradient = vec![norm / (size as f64).sqrt(); size];
                let mut twin = gradient.clone();
                let outcome = clip.apply(&mut gradient);
                let after = squared_norm(&gradient).sqrt();
                match outcome {
                    ClipOutcome::Applied { norm } => prop_assert_eq!(norm, after),
                    ClipOutcome::Clipped { norm, limit } => {
                        prop_assert!(limit < norm);
                        prop_assert!((after - limit).abs() <= (size + 4) as f64 * f64::EPSILON * limit);
                    }
                    ClipOutcome::Skipped => prop_assert!(false, "a finite gradient was skipped"),
                }
                prop_assert_eq!(resumed.apply(&mut twin), outcome);
                prop_assert_eq!(&twin, &gradient);
                prop_assert_eq!(&resumed, &clip);
            }
        }
    }
}
