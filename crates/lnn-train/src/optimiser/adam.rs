//! Adam with optional decoupled weight decay.

use lnn_autodiff::{Real, vectorised};
use rayon::prelude::*;

use super::state::{check_state, load_values, load_words};
use super::{NamedState, Optimiser, OptimiserError, SettingProblem, StateTensor, check_lengths, check_setting};

/// Settings of [`Adam`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamSettings {
    /// β₁, the averaging of the gradient, in [0, 1).
    pub beta1: f64,
    /// β₂, the averaging of the squared gradient, in [0, 1).
    pub beta2: f64,
    /// ε, added to the root of the second moment; in the gradient's units.
    pub epsilon: f64,
    /// Decoupled weight decay w: each update also multiplies the parameters by 1 − η w.
    pub weight_decay: f64,
}

impl Default for AdamSettings {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl AdamSettings {
    /// Every setting out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<SettingProblem> {
        let mut problems = Vec::new();
        for (field, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            check_setting(&mut problems, (0.0..1.0).contains(&value), field, value, "at least 0 and below 1");
        }
        check_setting(
            &mut problems,
            (1e-30..1.0).contains(&self.epsilon),
            "epsilon",
            self.epsilon,
            "at least 1e-30 (so that single precision holds it) and below 1",
        );
        check_setting(
            &mut problems,
            self.weight_decay >= 0.0 && self.weight_decay.is_finite(),
            "weight_decay",
            self.weight_decay,
            "finite and at least 0",
        );
        problems
    }
}

/// The constants of one update, shared by Adam and by SOAP in its eigenbasis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moments<T> {
    beta1: T,
    beta2: T,
    fresh1: T,
    fresh2: T,
    correction1: T,
    correction2: T,
    epsilon: T,
    smallest_normal: T,
}

impl<T: Real> Moments<T> {
    /// Constants of update number `step`, counted from 1.
    pub(super) fn new(beta1: f64, beta2: f64, epsilon: f64, step: u64) -> Self {
        let correction = |beta: f64| T::from_f64(1.0 / (1.0 - beta.powf(step as f64)));
        Self {
            beta1: T::from_f64(beta1),
            beta2: T::from_f64(beta2),
            fresh1: T::from_f64(1.0 - beta1),
            fresh2: T::from_f64(1.0 - beta2),
            correction1: correction(beta1),
            correction2: correction(beta2),
            epsilon: T::from_f64(epsilon),
            smallest_normal: smallest_normal(),
        }
    }

    /// Update both moments with `gradient` and return the direction m̂ / (√v̂ + ε).
    #[inline(always)]
    pub(super) fn direction(&self, first: &mut T, second: &mut T, gradient: T) -> T {
        *first = flush(self.beta1 * *first + self.fresh1 * gradient, self.smallest_normal);
        *second = flush(self.beta2 * *second + self.fresh2 * gradient * gradient, self.smallest_normal);
        *first * self.correction1 / ((*second * self.correction2).sqrt() + self.epsilon)
    }

    /// [`direction`](Self::direction) of every entry, in place of the gradient.
    pub(super) fn directions(&self, gradient: &mut [T], first: &mut [T], second: &mut [T]) {
        vectorised(
            (*self, gradient, first, second),
            #[inline(always)]
            |(moments, gradient, first, second)| {
                for ((entry, first), second) in gradient.iter_mut().zip(first).zip(second) {
                    *entry = moments.direction(first, second, *entry);
                }
            },
        );
    }
}

/// The smallest positive normal number of `T`.
pub(super) fn smallest_normal<T: Real>() -> T {
    faer::traits::math_utils::min_positive()
}

/// Zero in place of a subnormal number.
///
/// An average of a gradient that has become zero for good would otherwise stay subnormal for ever, since
/// 0.95 times the smallest number rounds back to it, and subnormal arithmetic is slow.
#[inline(always)]
pub(super) fn flush<T: Real>(value: T, smallest_normal: T) -> T {
    if value.abs() < smallest_normal { T::ZERO } else { value }
}

/// Adam (Kingma and Ba 2015, Algorithm 1) with the decoupled weight decay of Loshchilov and Hutter 2019.
///
/// With g the gradient, t the update counted from 1 and η the learning rate, elementwise
///
/// ```text
/// m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
/// θ ← (1 − η w) θ − η [m / (1 − β₁ᵗ)] / [√(v / (1 − β₂ᵗ)) + ε]
/// ```
#[derive(Clone, Debug)]
pub struct Adam<T: Real> {
    settings: AdamSettings,
    first_moment: Vec<T>,
    second_moment: Vec<T>,
    steps: u64,
}

impl<T: Real> Adam<T> {
    /// Zero moments for `parameter_count` parameters.
    ///
    /// # Errors
    /// [`OptimiserError::Settings`] if a setting is out of range.
    pub fn new(settings: AdamSettings, parameter_count: usize) -> Result<Self, OptimiserError> {
        let problems = settings.validate();
        if !problems.is_empty() {
            return Err(OptimiserError::Settings { problems });
        }
        Ok(Self {
            settings,
            first_moment: vec![T::ZERO; parameter_count],
            second_moment: vec![T::ZERO; parameter_count],
            steps: 0,
        })
    }
}

/// What one step does to every parameter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update<T> {
    pub(super) moments: Moments<T>,
    /// 1 − η w.
    pub(super) keep: T,
    /// η.
    pub(super) rate: T,
}

impl<T: Real> Update<T> {
    /// Moments, then parameters; slices of equal length.
    pub(super) fn run(&self, parameters: &mut [T], gradient: &[T], first: &mut [T], second: &mut [T]) {
        vectorised(
            (*self, parameters, gradient, first, second),
            #[inline(always)]
            |(update, parameters, gradient, first, second)| {
                for (((parameter, &gradient), first), second) in
                    parameters.iter_mut().zip(gradient).zip(first).zip(second)
                {
                    let direction = update.moments.direction(first, second, gradient);
                    *parameter = update.keep * *parameter - update.rate * direction;
                }
            },
        );
    }
}

const FIRST: &str = "adam.first_moment";
const SECOND: &str = "adam.second_moment";
const STEPS: &str = "adam.steps";

impl<T: Real> Optimiser<T> for Adam<T> {
    fn parameter_count(&self) -> usize {
        self.first_moment.len()
    }

    fn update(&mut self, parameters: &mut [T], gradient: &[T], learning_rate: f64) -> Result<(), OptimiserError> {
        check_lengths(self.parameter_count(), parameters, gradient);
        /// Parameters a task: below two of these a second thread costs more than it saves.
        const CHUNK: usize = 1 << 14;
        self.steps += 1;
        let AdamSettings { beta1, beta2, epsilon, weight_decay } = self.settings;
        let update = Update {
            moments: Moments::new(beta1, beta2, epsilon, self.steps),
            keep: T::from_f64(1.0 - learning_rate * weight_decay),
            rate: T::from_f64(learning_rate),
        };
        let chunks = parameters.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        let moments = self.first_moment.par_chunks_mut(CHUNK).zip(self.second_moment.par_chunks_mut(CHUNK));
        chunks.zip(moments).for_each(|((parameters, gradient), (first, second))| {
            update.run(parameters, gradient, first, second);
        });
        Ok(())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn state(&self) -> NamedState<'_, T> {
        vec![
            (FIRST.to_owned(), StateTensor::values(&self.first_moment)),
            (SECOND.to_owned(), StateTensor::values(&self.second_moment)),
            (STEPS.to_owned(), StateTensor::words(vec![self.steps])),
        ]
    }

    fn load_state(&mut self, state: &[(String, StateTensor<'_, T>)]) -> Result<(), OptimiserError> {
        check_state(&self.state(), state)?;
        let [steps] = load_words(state, STEPS)?;
        load_values(state, FIRST, &mut self.first_moment)?;
        load_values(state, SECOND, &mut self.second_moment)?;
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_match_the_hand_computed_example() {
        let mut adam = Adam::<f64>::new(AdamSettings::default(), 1).unwrap();
        let mut theta = [1.0];
        // t = 1: m̂ = 2, v̂ = 4, so the step is 0.1 · 2 / (2 + 1e-8).
        adam.step(&mut theta, &[2.0], 0.1).unwrap();
        let first = 1.0 - 0.1 * 2.0 / (2.0 + 1e-8);
        assert!((theta[0] - first).abs() <= 8.0 * f64::EPSILON);
        // t = 2: m = 0.9·0.2 + 0.1·(−1) = 0.08, v = 0.999·0.004 + 0.001 = 0.004996,
        // m̂ = 0.08 / 0.19, v̂ = 0.004996 / 0.001999. Forming 1 − 0.999² loses three digits.
        adam.step(&mut theta, &[-1.0], 0.1).unwrap();
        let second = first - 0.1 * (0.08 / 0.19) / ((0.004_996_f64 / 0.001_999).sqrt() + 1e-8);
        assert!((theta[0] - second).abs() <= 1e3 * f64::EPSILON, "{} {second}", theta[0]);
        assert_eq!(adam.steps(), 2);
    }

    #[test]
    fn a_constant_gradient_moves_by_the_learning_rate_every_step() {
        // Bias correction makes m̂ = g and v̂ = g² exactly, whatever β₁ and β₂.
        let mut adam = Adam::<f64>::new(AdamSettings::default(), 2).unwrap();
        let mut theta = [0.0, 0.0];
        for _ in 0..500 {
            adam.step(&mut theta, &[3.0, -0.25], 0.01).unwrap();
        }
        // 1 − 0.999^t has a relative rounding of ε / (0.001 t), so the sum's is about 10³ ε ln 500.
        let tolerance = 5.0 * 1e4 * f64::EPSILON;
        assert!((theta[0] + 5.0 * 3.0 / (3.0 + 1e-8)).abs() < tolerance, "{theta:?}");
        assert!((theta[1] - 5.0 * 0.25 / (0.25 + 1e-8)).abs() < tolerance, "{theta:?}");
    }

    #[test]
    fn decay_shrinks_parameters_without_touching_the_moments() {
        let settings = AdamSettings { weight_decay: 0.5, ..AdamSettings::default() };
        let mut adam = Adam::<f64>::new(settings, 1).unwrap();
        let mut theta = [4.0];
        for _ in 0..3 {
            adam.step(&mut theta, &[0.0], 0.1).unwrap();
        }
        assert!((theta[0] - 4.0 * 0.95_f64.powi(3)).abs() < 16.0 * f64::EPSILON);
        assert_eq!(adam.first_moment, [0.0]);
    }

    #[test]
    fn averages_of_a_vanished_gradient_end_at_zero() {
        let mut adam = Adam::<f32>::new(AdamSettings::default(), 1).unwrap();
        let mut theta = [0.0];
        adam.step(&mut theta, &[1e-3], 0.1).unwrap();
        for _ in 0..1000 {
            adam.step(&mut theta, &[0.0], 0.1).unwrap();
        }
        assert_eq!(adam.first_moment, [0.0]);
    }

    #[test]
    fn a_gradient_that_overflows_is_refused_and_changes_nothing() {
        let mut adam = Adam::<f32>::new(AdamSettings::default(), 2).unwrap();
        let mut theta = [1.0, 2.0];
        for bad in [f32::NAN, f32::INFINITY, 1e25] {
            let error = adam.step(&mut theta, &[0.0, bad], 0.1).unwrap_err();
            assert!(matches!(error, OptimiserError::GradientOverflow { precision: "f32", .. }));
            assert_eq!((theta, adam.steps()), ([1.0, 2.0], 0));
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let settings = AdamSettings { beta1: 1.0, beta2: f64::NAN, epsilon: 0.0, weight_decay: -1.0 };
        let fields: Vec<_> = settings.validate().iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["beta1", "beta2", "epsilon", "weight_decay"]);
        let message = Adam::<f32>::new(settings, 1).unwrap_err().to_string();
        assert!(message.contains("beta1 is 1, must be at least 0 and below 1"), "{message}");
    }
}
