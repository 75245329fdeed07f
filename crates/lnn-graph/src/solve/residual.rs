//! The size of a residual beside what the precision allows.

/// The largest of each kind of number over the rows of a system, all in double precision: in the precision at hand
/// the residual of a good solution would be nothing but its own round-off.
#[derive(Debug, Default)]
pub(super) struct LargestOfRows {
    residual: f64,
    row: f64,
    x: f64,
    b: f64,
}

impl LargestOfRows {
    /// Row i: its entries with the unknowns they meet, and its own unknown and right-hand side.
    #[inline(always)]
    pub(super) fn meet(&mut self, entries: impl Iterator<Item = (f64, f64)>, x: f64, b: f64) {
        let (product, row) = entries.fold((0.0, 0.0), |(product, row), (a, x)| (product + a * x, row + a.abs()));
        self.residual = larger(self.residual, product - b);
        self.row = larger(self.row, row);
        self.x = larger(self.x, x);
        self.b = larger(self.b, b);
    }

    /// `‖A x − b‖∞ / (‖A‖∞ ‖x‖∞ + ‖b‖∞)`; 0 where both vectors are zero, NaN where a number is.
    pub(super) fn relative_residual(&self) -> f64 {
        let scale = self.row * self.x + self.b;
        if scale == 0.0 { 0.0 } else { self.residual / scale }
    }
}

/// The larger magnitude; NaN if either is.
fn larger(largest: f64, x: f64) -> f64 {
    if x.abs() > largest || x.is_nan() { x.abs() } else { largest }
}
