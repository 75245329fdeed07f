//! Motions integrated in units of one's own, so that a tolerance means the same for every component.

use super::integrate::RightHandSide;
use super::{EndCause, Stopped};

/// A right-hand side of x / u for one of x; u has an entry a component.
pub(super) struct InUnits<'a, R> {
    rates: R,
    units: &'a [f64],
    /// States in their own units, `[rows, 2d]`.
    states: Vec<f64>,
}

impl<'a, R> InUnits<'a, R> {
    pub(super) fn new(rates: R, units: &'a [f64]) -> Self {
        Self { rates, units, states: Vec::new() }
    }
}

impl<R: RightHandSide> RightHandSide for InUnits<'_, R> {
    fn evaluate(&mut self, t: f64, states: &[f64], states_dot: &mut [f64]) -> Result<(), Stopped> {
        self.states.clear();
        self.states.extend_from_slice(states);
        multiply(&mut self.states, self.units);
        self.rates.evaluate(t, &self.states, states_dot)?;
        divide(states_dot, self.units);
        Ok(())
    }

    fn refusal(&mut self, row: usize) -> Option<EndCause> {
        self.rates.refusal(row)
    }
}

/// Multiplies each row `[2d]` by `units`.
pub(super) fn multiply(states: &mut [f64], units: &[f64]) {
    states.iter_mut().zip(units.iter().cycle()).for_each(|(x, unit)| *x *= unit);
}

/// Divides each row `[2d]` by `units`.
pub(super) fn divide(states: &mut [f64], units: &[f64]) {
    states.iter_mut().zip(units.iter().cycle()).for_each(|(x, unit)| *x /= unit);
}
