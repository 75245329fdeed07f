//! Learning-rate schedules: pure functions of the step.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{SettingProblem, check_setting};

/// Learning rate as a function of the step, counted from 0.
///
/// In RON: `WarmupCosine(peak: 3e-2, warmup_steps: 300, total_steps: 30000)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Schedule {
    /// The same rate at every step.
    Constant {
        /// The rate.
        rate: f64,
    },
    /// Linear from `peak / warmup_steps` to `peak` over `warmup_steps`, then half a cosine to
    /// `final_fraction · peak` at `total_steps`, and that rate from there on.
    WarmupCosine {
        /// Largest rate.
        peak: f64,
        /// Steps of linear rise; 0 starts at the peak.
        warmup_steps: u64,
        /// Step at which the final rate is reached.
        total_steps: u64,
        /// Final rate over peak rate, in [0, 1].
        #[serde(default)]
        final_fraction: f64,
    },
    /// Linear from `peak / warmup_steps` to `peak` over `warmup_steps`, then geometric to
    /// `final_fraction · peak` at `total_steps`, and that rate from there on.
    ///
    /// It spends as many steps on each factor of the rate; where the loss follows the rate, as under
    /// SOAP, this ends lower than a cosine of the same length.
    WarmupExponential {
        /// Largest rate.
        peak: f64,
        /// Steps of linear rise; 0 starts at the peak.
        warmup_steps: u64,
        /// Step at which the final rate is reached.
        total_steps: u64,
        /// Final rate over peak rate, in (0, 1].
        final_fraction: f64,
    },
    /// Half a cosine from `peak / start_divisor` up to `peak` at the step `warmup_fraction · total_steps`
    /// rounded down, then half a cosine down to `peak / (start_divisor · final_divisor)` at `total_steps`,
    /// and that rate from there on (the one-cycle policy as optax parametrises it).
    OneCycle {
        /// Largest rate.
        peak: f64,
        /// Step at which the final rate is reached.
        total_steps: u64,
        /// Part of the steps spent rising, in [0, 1].
        #[serde(default = "warmup_fraction")]
        warmup_fraction: f64,
        /// Peak rate over first rate, at least 1.
        #[serde(default = "start_divisor")]
        start_divisor: f64,
        /// First rate over final rate, at least 1.
        #[serde(default = "final_divisor")]
        final_divisor: f64,
    },
    /// `initial · factor^⌊step / every⌋`.
    StepDecay {
        /// First rate.
        initial: f64,
        /// Multiplier at each drop, in (0, 1].
        factor: f64,
        /// Steps between drops, at least 1.
        every: u64,
    },
}

fn warmup_fraction() -> f64 {
    0.3
}
fn start_divisor() -> f64 {
    25.0
}
fn final_divisor() -> f64 {
    1e4
}

/// Half a cosine from `start` at `progress` = 0 to `end` at 1.
fn half_cosine(start: f64, end: f64, progress: f64) -> f64 {
    end + (start - end) * 0.5 * (1.0 + (PI * progress).cos())
}

/// Step at which a one-cycle schedule peaks.
fn peak_step(total_steps: u64, warmup_fraction: f64) -> u64 {
    (warmup_fraction * total_steps as f64) as u64
}

impl Schedule {
    /// The same schedule for a training of `steps`: its end is moved there, and a rise that would last longer is cut.
    #[must_use]
    pub fn ending_at(mut self, steps: u64) -> Self {
        match &mut self {
            Self::Constant { .. } | Self::StepDecay { .. } => {}
            Self::OneCycle { total_steps, .. } => *total_steps = steps,
            Self::WarmupCosine { warmup_steps, total_steps, .. }
            | Self::WarmupExponential { warmup_steps, total_steps, .. } => {
                *total_steps = steps;
                *warmup_steps = steps.saturating_sub(1).min(*warmup_steps);
            }
        }
        self
    }

    /// Learning rate of `step`, where the first step is number 0.
    #[must_use]
    pub fn learning_rate(&self, step: u64) -> f64 {
        match *self {
            Self::Constant { rate } => rate,
            Self::WarmupCosine { peak, warmup_steps, total_steps, final_fraction } => {
                if step < warmup_steps {
                    peak * (step + 1) as f64 / warmup_steps as f64
                } else if step < total_steps {
                    let progress = (step - warmup_steps) as f64 / (total_steps - warmup_steps) as f64;
                    half_cosine(peak, peak * final_fraction, progress)
                } else {
                    peak * final_fraction
                }
            }
            Self::WarmupExponential { peak, warmup_steps, total_steps, final_fraction } => {
                if step < warmup_steps {
                    peak * (step + 1) as f64 / warmup_steps as f64
                } else {
                    let progress = (step - warmup_steps) as f64 / (total_steps - warmup_steps) as f64;
                    peak * final_fraction.powf(progress.min(1.0))
                }
            }
            Self::OneCycle { peak, total_steps, warmup_fraction, start_divisor, final_divisor } => {
                let start = peak / start_divisor;
                let end = start / final_divisor;
                let top = peak_step(total_steps, warmup_fraction);
                if step < top {
                    half_cosine(start, peak, step as f64 / top as f64)
                } else if step < total_steps {
                    half_cosine(peak, end, (step - top) as f64 / (total_steps - top) as f64)
                } else {
                    end
                }
            }
            Self::StepDecay { initial, factor, every } => initial * factor.powf((step / every) as f64),
        }
    }

    /// Step at which the final rate is reached, for the schedules that have one.
    #[must_use]
    pub fn total_steps(&self) -> Option<u64> {
        match *self {
            Self::WarmupCosine { total_steps, .. }
            | Self::WarmupExponential { total_steps, .. }
            | Self::OneCycle { total_steps, .. } => Some(total_steps),
            Self::Constant { .. } | Self::StepDecay { .. } => None,
        }
    }

    /// Every setting out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        let mut check = |holds, field, given: &dyn std::fmt::Display, expected| {
            check_setting(&mut problems, holds, field, given, expected);
        };
        let positive = |value: f64| value > 0.0 && value.is_finite();
        match *self {
            Self::Constant { rate } => check(positive(rate), "rate", &rate, "finite and above 0"),
            Self::WarmupCosine { peak, warmup_steps, total_steps, final_fraction } => {
                check(positive(peak), "peak", &peak, "finite and above 0");
                check(warmup_steps < total_steps, "warmup_steps", &warmup_steps, "below total_steps");
                check((0.0..=1.0).contains(&final_fraction), "final_fraction", &final_fraction, "between 0 and 1");
            }
            Self::WarmupExponential { peak, warmup_steps, total_steps, final_fraction } => {
                check(positive(peak), "peak", &peak, "finite and above 0");
                check(warmup_steps < total_steps, "warmup_steps", &warmup_steps, "below total_steps");
                let fraction_holds = final_fraction > 0.0 && final_fraction <= 1.0;
                check(fraction_holds, "final_fraction", &final_fraction, "above 0 and at most 1");
            }
            Self::OneCycle { peak, total_steps, warmup_fraction, start_divisor, final_divisor } => {
                check(positive(peak), "peak", &peak, "finite and above 0");
                check(total_steps >= 1, "total_steps", &total_steps, "at least 1");
                check((0.0..=1.0).contains(&warmup_fraction), "warmup_fraction", &warmup_fraction, "between 0 and 1");
                for (field, value) in [("start_divisor", start_divisor), ("final_divisor", final_divisor)] {
                    check(value >= 1.0 && value.is_finite(), field, &value, "finite and at least 1");
                }
            }
            Self::StepDecay { initial, factor, every } => {
                check(positive(initial), "initial", &initial, "finite and above 0");
                check(factor > 0.0 && factor <= 1.0, "factor", &factor, "above 0 and at most 1");
                check(every >= 1, "every", &every, "at least 1");
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSINE: Schedule =
        Schedule::WarmupCosine { peak: 3e-2, warmup_steps: 300, total_steps: 30_000, final_fraction: 0.0 };
    const CYCLE: Schedule = Schedule::OneCycle {
        peak: 1e-3,
        total_steps: 1000,
        warmup_fraction: 0.3,
        start_divisor: 25.0,
        final_divisor: 1e4,
    };

    fn close(value: f64, expected: f64, scale: f64) {
        assert!((value - expected).abs() <= 8.0 * f64::EPSILON * scale, "{value:e} is not {expected:e}");
    }

    #[test]
    fn a_schedule_can_end_elsewhere_even_before_its_rise_does() {
        let shorter = COSINE.ending_at(1000);
        assert_eq!((shorter.learning_rate(299), shorter.learning_rate(1000)), (COSINE.learning_rate(299), 0.0));
        let within = COSINE.ending_at(20);
        close(within.learning_rate(18), 3e-2, 3e-2);
        assert_eq!((within.validate(), within.learning_rate(20)), (Vec::new(), 0.0));
        assert_eq!(CYCLE.ending_at(500).learning_rate(150), CYCLE.learning_rate(300));
        let constant = Schedule::Constant { rate: 0.1 };
        assert_eq!(constant.ending_at(7), constant);
    }

    #[test]
    fn warm_up_cosine_has_its_key_values() {
        close(COSINE.learning_rate(0), 1e-4, 1e-4);
        close(COSINE.learning_rate(149), 1.5e-2, 3e-2);
        close(COSINE.learning_rate(299), 3e-2, 3e-2);
        close(COSINE.learning_rate(300), 3e-2, 3e-2);
        close(COSINE.learning_rate(15_150), 1.5e-2, 3e-2);
        assert!(COSINE.learning_rate(29_999) > 0.0);
        assert_eq!(COSINE.learning_rate(30_000), 0.0);
        assert_eq!(COSINE.learning_rate(u64::MAX), 0.0);
        let no_warm_up = Schedule::WarmupCosine { peak: 1.0, warmup_steps: 0, total_steps: 4, final_fraction: 0.5 };
        close(no_warm_up.learning_rate(0), 1.0, 1.0);
        close(no_warm_up.learning_rate(2), 0.75, 1.0);
        close(no_warm_up.learning_rate(9), 0.5, 1.0);
    }

    #[test]
    fn warm_up_exponential_has_its_key_values() {
        let schedule =
            Schedule::WarmupExponential { peak: 1e-2, warmup_steps: 10, total_steps: 110, final_fraction: 1e-4 };
        close(schedule.learning_rate(0), 1e-3, 1e-3);
        close(schedule.learning_rate(10), 1e-2, 1e-2);
        // Half of the way is the geometric mean of both ends; powf is good to a few ulp.
        close(schedule.learning_rate(60), 1e-4, 1e-4);
        close(schedule.learning_rate(110), 1e-6, 1e-6);
        close(schedule.learning_rate(u64::MAX), 1e-6, 1e-6);
        let ratio = |step: u64| schedule.learning_rate(step + 1) / schedule.learning_rate(step);
        assert!((10..109).all(|step| (ratio(step) / ratio(10) - 1.0).abs() < 64.0 * f64::EPSILON));
        let bad =
            |final_fraction| Schedule::WarmupExponential { peak: 1.0, warmup_steps: 0, total_steps: 5, final_fraction };
        assert_eq!(bad(0.0).validate()[0].field, "final_fraction", "a geometric decay never reaches 0");
        assert!(bad(1.0).validate().is_empty());
    }

    #[test]
    fn one_cycle_has_its_key_values() {
        close(CYCLE.learning_rate(0), 4e-5, 1e-3);
        close(CYCLE.learning_rate(150), 0.5 * (4e-5 + 1e-3), 1e-3);
        close(CYCLE.learning_rate(300), 1e-3, 1e-3);
        close(CYCLE.learning_rate(650), 0.5 * (4e-9 + 1e-3), 1e-3);
        close(CYCLE.learning_rate(1000), 4e-9, 4e-9);
        let peak = (0..1000).max_by(|&a, &b| CYCLE.learning_rate(a).total_cmp(&CYCLE.learning_rate(b))).unwrap();
        assert_eq!(peak, 300);
    }

    #[test]
    fn step_decay_drops_at_each_multiple() {
        let schedule = Schedule::StepDecay { initial: 1e-3, factor: 0.5, every: 10 };
        for (step, expected) in [(0, 1e-3), (9, 1e-3), (10, 5e-4), (29, 2.5e-4), (30, 1.25e-4)] {
            close(schedule.learning_rate(step), expected, expected);
        }
    }

    #[test]
    fn smooth_schedules_do_not_jump() {
        // The steepest slope: warm-up's is peak / 300, a half cosine's is π/2 · peak / its length.
        for (schedule, steps, slope) in [(COSINE, 30_010, 3e-2 / 300.0), (CYCLE, 1010, PI / 2.0 * 1e-3 / 300.0)] {
            for step in 0..steps {
                let change = (schedule.learning_rate(step + 1) - schedule.learning_rate(step)).abs();
                assert!(change <= slope * (1.0 + 1e3 * f64::EPSILON), "step {step}: {change:e} > {slope:e}");
            }
        }
    }

    #[test]
    fn extreme_one_cycles_stay_finite() {
        for warmup_fraction in [0.0, 1.0] {
            let schedule = Schedule::OneCycle {
                peak: 1.0,
                total_steps: 3,
                warmup_fraction,
                start_divisor: 2.0,
                final_divisor: 2.0,
            };
            assert!(schedule.validate().is_empty());
            assert!((0..6).all(|step| schedule.learning_rate(step).is_finite()));
            close(schedule.learning_rate(3), 0.25, 1.0);
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let fields =
            |schedule: Schedule| -> Vec<_> { schedule.validate().iter().map(|problem| problem.field).collect() };
        assert_eq!(fields(Schedule::Constant { rate: f64::NAN }), ["rate"]);
        let cosine = Schedule::WarmupCosine { peak: 3e-2, warmup_steps: 300, total_steps: 300, final_fraction: 0.0 };
        assert_eq!(fields(cosine), ["warmup_steps"], "a warm-up as long as the run");
        let cycle = Schedule::OneCycle {
            peak: 1e-3,
            total_steps: 0,
            warmup_fraction: 0.3,
            start_divisor: 25.0,
            final_divisor: 1e4,
        };
        assert_eq!(fields(cycle), ["total_steps"]);
        let decay = Schedule::StepDecay { initial: 0.0, factor: 1.5, every: 0 };
        assert_eq!(fields(decay), ["initial", "factor", "every"]);
        assert!(fields(COSINE).is_empty() && fields(CYCLE).is_empty());
    }

    #[test]
    fn text_round_trip_and_defaults() {
        let text = "OneCycle(peak: 1e-3, total_steps: 1000)";
        assert_eq!(ron::from_str::<Schedule>(text).unwrap(), CYCLE);
        let text = ron::to_string(&COSINE).unwrap();
        assert_eq!(ron::from_str::<Schedule>(&text).unwrap(), COSINE);
        let error = ron::from_str::<Schedule>("Constant(rate: 1.0, peek: 2.0)").unwrap_err();
        assert!(error.to_string().contains("peek"), "{error}");
    }
}
