//! Where motions begin and when they are looked at.

use std::ops::Range;

use super::MotionError;

/// Initial states of many motions and the times of their frames.
#[derive(Clone, Copy, Debug)]
pub struct Starts<'a> {
    /// Degrees of freedom d.
    pub degrees_of_freedom: usize,
    /// Initial states `[motions, 2d]`, each (q, q̇).
    pub states: &'a [f64],
    /// Conditionals `[motions, c]`, which stay as they are along a motion; empty without any.
    pub conditionals: &'a [f64],
    /// Times of the frames, increasing; the first is that of the initial states.
    pub times: &'a [f64],
}

impl<'a> Starts<'a> {
    /// Number of motions.
    pub fn len(&self) -> usize {
        self.states.len() / (2 * self.degrees_of_freedom)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Conditionals of a range of motions.
    pub fn conditionals_of(&self, motions: Range<usize>) -> &'a [f64] {
        let c = self.conditionals.len() / self.len().max(1);
        &self.conditionals[motions.start * c..motions.end * c]
    }

    /// Finite states and conditionals of the model's numbers.
    ///
    /// # Panics
    /// If a length does not fit d, or `conditionals` inputs a motion.
    pub(crate) fn check(&self, conditionals: usize) -> Result<(), MotionError> {
        let width = 2 * self.degrees_of_freedom;
        assert_eq!(self.states.len(), self.len() * width, "states: motions × 2d");
        assert_eq!(self.conditionals.len(), self.len() * conditionals, "conditionals: motions × c");
        let non_finite = |values: &[f64], width: usize, first: usize| {
            let index = values.iter().position(|value| !value.is_finite())?;
            Some(MotionError::Start { start: index / width, component: first + index % width, given: values[index] })
        };
        let lost = non_finite(self.states, width, 0).or_else(|| non_finite(self.conditionals, conditionals, width));
        lost.map_or(Ok(()), Err)
    }
}
