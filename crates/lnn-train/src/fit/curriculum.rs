//! A curriculum of velocities: slow ones first.

use lnn_physics::sampling::{Distribution, InvalidDistribution};

/// Spread of the bounded velocities, bound · tanh(spread · N), by the step: from one number to another along a
/// straight line, then constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curriculum {
    from: f64,
    to: f64,
    steps: f64,
}

impl Curriculum {
    /// The spread goes from `from` to `to` over the first `steps` steps.
    ///
    /// # Errors
    /// A spread that is not a positive finite number.
    pub fn new(from: f64, to: f64, steps: f64) -> Result<Self, InvalidDistribution> {
        for spread in [from, to] {
            Distribution::bounded_normal(1.0, spread)?;
        }
        Ok(Self { from, to, steps })
    }

    /// The spread at `step`.
    pub fn spread(&self, step: u64) -> f64 {
        let done = step as f64 / self.steps;
        if done < 1.0 { self.from + (self.to - self.from) * done } else { self.to }
    }

    /// Gives the bounded ones among the velocities the spread of `step`; the others stay as they are.
    pub(super) fn apply(&self, step: u64, velocities: &mut [Distribution]) {
        let spread = self.spread(step);
        for velocity in velocities {
            if let Distribution::BoundedNormal(bounded) = velocity {
                *bounded = bounded.with_spread(spread).expect("between two positive spreads lies a positive one");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_velocities_follow_the_line_and_then_stay() {
        let curriculum = Curriculum::new(0.5, 2.0, 100.0).expect("positive");
        let own = [
            Distribution::bounded_normal(0.9, 3.0).expect("positive"),
            Distribution::uniform(-1.0, 1.0).expect("an interval"),
        ];
        for (step, spread) in [(0, 0.5), (50, 1.25), (100, 2.0), (u64::MAX, 2.0)] {
            let mut velocities = own;
            curriculum.apply(step, &mut velocities);
            let want = [Distribution::bounded_normal(0.9, spread).expect("positive"), own[1]];
            assert_eq!(velocities, want, "{step}");
        }
        for (from, to) in [(0.0, 1.0), (1.0, f64::NAN), (1.0, -1.0)] {
            assert!(Curriculum::new(from, to, 10.0).is_err());
        }
    }
}
