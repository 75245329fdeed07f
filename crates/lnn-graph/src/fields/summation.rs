//! Sums over many sites.

/// A sum whose rounding error does not grow with the number of terms.
///
/// A second number collects what each addition rounds away, from whichever term is the smaller. The
/// error is at most about ε|s| + ε²·n·Σ|xᵢ| for n terms.
///
/// Source: A. Neumaier, Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, Z. Angew.
/// Math. Mech. 54 (1974) 39–51.
///
/// ```
/// use lnn_graph::fields::CompensatedSum;
/// let mut sum = CompensatedSum::default();
/// for term in [1.0, 1e100, 1.0, -1e100] {
///     sum.add(term);
/// }
/// assert_eq!(sum.total(), 2.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompensatedSum {
    sum: f64,
    rounded_away: f64,
}

impl CompensatedSum {
    /// Adds one term.
    #[inline]
    pub fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.rounded_away +=
            if self.sum.abs() >= term.abs() { (self.sum - sum) + term } else { (term - sum) + self.sum };
        self.sum = sum;
    }

    /// The sum of the terms so far; not finite when a term was not, or when the sum overflowed.
    #[must_use]
    pub fn total(&self) -> f64 {
        // After an overflow the compensation is NaN; the sum says better what happened.
        if self.sum.is_finite() { self.sum + self.rounded_away } else { self.sum }
    }
}
