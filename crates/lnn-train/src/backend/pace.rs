//! How many steps go into one submission.

use std::time::Duration;

/// Time that a submission is meant to take: a person who watches or stops a run waits no longer.
const INTERVAL: Duration = Duration::from_millis(100);

/// The number of steps of the next submission, by the time that the last one took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    steps: u64,
    most: u64,
}

impl Pace {
    /// One step first, and never more than `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { steps: 1, most: most as u64 }
    }

    /// Steps of the next submission, of those that are left.
    pub(super) fn steps(&self, left: u64) -> usize {
        self.steps.min(left) as usize
    }

    /// The last submission had so many steps and took so long.
    pub(super) fn measured(&mut self, steps: usize, time: Duration) {
        let steps = steps as u64;
        let fitting = steps as f64 * INTERVAL.as_secs_f64() / time.as_secs_f64().max(1e-9);
        // A short submission says little of a long one: the number grows step by step, and one that was cut short for a
        // log line lowers it only if it took too long.
        if fitting < steps as f64 || steps >= self.steps {
            self.steps = (fitting as u64).clamp(1, 4 * self.steps).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_grow_to_a_tenth_of_a_second_and_shrink_when_they_take_longer() {
        let mut pace = Pace::new(500);
        // A step takes a millisecond.
        for expected in [1, 4, 16, 64, 100, 100] {
            assert_eq!(pace.steps(u64::MAX), expected);
            pace.measured(expected, Duration::from_millis(expected as u64));
        }
        // Cut short for a log line, with an overhead that says nothing.
        pace.measured(2, Duration::from_millis(50));
        assert_eq!((pace.steps(u64::MAX), pace.steps(3)), (100, 3));
        pace.measured(100, Duration::from_secs(1));
        assert_eq!(pace.steps(u64::MAX), 10);
        pace.measured(10, Duration::from_secs(100));
        assert_eq!(pace.steps(u64::MAX), 1);
        let mut fast = Pace::new(500);
        for _ in 0..10 {
            fast.measured(fast.steps(u64::MAX), Duration::ZERO);
        }
        assert_eq!(fast.steps(u64::MAX), 500);
    }
}
