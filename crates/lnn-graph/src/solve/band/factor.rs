//! The factors of a batch of band matrices, and the ladder that makes them.

use lnn_autodiff::Real;

use super::super::pseudoinverse::DensePseudoinverse;
use super::super::singularity::{distance, is_suspicious, noise};
use super::super::{Factored, MAX_DENSE_DIMENSION, Method, Pivot, SolveError};
use super::BandShape;
use super::border::{Extent, factor_border, factor_corner};
use super::definite::{PivotRule, SmallestPivot, factor_open, with_half_bandwidth};
use super::pivoted::Layout;

/// Factors of several symmetric band matrices of one shape, one a sample, each on its own rung of the ladder.
///
/// All memory is taken by [`new`](Self::new), `n (1 + 2w)` numbers a sample for the definite rung and `n (6w + 1)` for
/// the pivoted one (open: `n (1 + w)` and `n (3w + 1)`), which the operating system hands out only when a sample first
/// needs them; but the pseudoinverse takes `n²` when it is met, on which [`Factored`] reports.
///
/// ```
/// use lnn_graph::solve::Method;
/// use lnn_graph::solve::band::{BandFactors, BandShape};
/// let shape = BandShape::open(3, 1);
/// let mut factors = BandFactors::<f64>::new(shape, 1);
/// // [2 1 0; 1 2 1; 0 1 2]; the last slot lies beyond the end.
/// let factored = factors.factor(0, &[2.0, 1.0, 2.0, 1.0, 2.0, 0.0])?;
/// assert_eq!((factored.method, factored.rank), (Method::Definite, 3));
/// let mut x = [4.0, 8.0, 8.0];
/// factors.solve_in_place(0, &mut x);
/// assert!(x.iter().zip([1.0, 2.0, 3.0]).all(|(x, y)| (x - y).abs() < 1e-15));
/// # Ok::<(), lnn_graph::solve::SolveError>(())
/// ```
#[derive(Debug)]
pub struct BandFactors<T> {
    pub(super) shape: BandShape,
    pub(super) layout: Layout,
    /// Unknowns before the border, and those of it.
    pub(super) interior: usize,
    pub(super) border: usize,
    /// `[samples, interior, 1 + w]`, see [`factor_open`].
    pub(super) records: Vec<T>,
    /// `[samples, interior, border]`, see [`factor_border`].
    pub(super) border_rows: Vec<T>,
    /// `[samples, border, border]`, see [`factor_corner`].
    pub(super) corners: Vec<T>,
    pub(super) extents: Vec<Extent>,
    /// `[samples, n, 3K + 1]` and `[samples, n]`, see [`Layout`].
    pub(super) pivoted: Vec<T>,
    pub(super) interchanges: Vec<usize>,
    pub(super) pseudoinverses: Vec<Option<DensePseudoinverse<T>>>,
    pub(super) outcomes: Vec<Option<Factored>>,
    pub(super) workspace: Vec<T>,
    /// For inverse iteration, `[n]`.
    trial: Vec<T>,
}

impl<T: Real> BandFactors<T> {
    /// Room for `samples` matrices of a shape.
    pub fn new(shape: BandShape, samples: usize) -> Self {
        let (n, w) = (shape.dimension(), shape.half_bandwidth());
        let layout = Layout::new(shape);
        let border = if shape.is_cyclic() { w } else { 0 };
        // A band that wraps on itself has no definite rung.
        let interior = if shape.wraps_on_itself() { 0 } else { n - border };
        Self {
            shape,
            layout,
            interior,
            border,
            records: vec![T::ZERO; samples * interior * (w + 1)],
            border_rows: vec![T::ZERO; samples * interior * border],
            corners: vec![T::ZERO; samples * border * border],
            extents: vec![Extent::default(); samples],
            pivoted: vec![T::ZERO; samples * layout.factor_count()],
            interchanges: vec![0; samples * n],
            pseudoinverses: (0..samples).map(|_| None).collect(),
            outcomes: vec![None; samples],
            workspace: vec![T::ZERO; w * w + w + 1],
            trial: vec![T::ZERO; n],
        }
    }

    /// The shape of the matrices.
    pub fn shape(&self) -> BandShape {
        self.shape
    }
    /// Number of matrices there is room for.
    pub fn samples(&self) -> usize {
        self.outcomes.len()
    }
    /// How a sample was factored last; `None` if it was not, or could not be.
    pub fn factored(&self, sample: usize) -> Option<Factored> {
        self.outcomes[sample]
    }

    /// Factors the matrix of one sample, `entries` as in [`BandShape`], on the first rung that holds.
    ///
    /// Pivots count as zero at or below `8 t ε max|A|`, t the number of products that meet in an entry (w + 1, or
    /// 2w + 1 pivoted and cyclic); the same bound holds for the eigenvalue nearest to zero, which is estimated where a
    /// pivot is below `max(ε^¼, n ε) max|A|`. The pseudoinverse's tolerance is
    /// [`Tolerance::for_dimension`](lnn_autodiff::pseudoinverse::Tolerance::for_dimension).
    ///
    /// # Errors
    /// [`SolveError::NonFinite`]; [`SolveError::Singular`] beyond [`MAX_DENSE_DIMENSION`] unknowns;
    /// [`SolveError::Eigenvalues`] if those do not converge. The sample then has no factors.
    ///
    /// # Panics
    /// If the sample or the number of entries is not that of the shape.
    pub fn factor(&mut self, sample: usize, entries: &[T]) -> Result<Factored, SolveError> {
        self.shape.require_entries(entries);
        self.outcomes[sample] = None;
        self.pseudoinverses[sample] = None;
        let largest = self.largest_entry(entries)?;
        let rank = self.shape.dimension();
        let full_rank = |method, smallest_pivot| Factored { method, smallest_pivot, rank };
        let outcome = match self.factor_definite(sample, entries, largest) {
            Ok(smallest) => full_rank(Method::Definite, smallest),
            Err(_) => match self.factor_pivoted(sample, entries) {
                Ok(smallest) if self.shape.wraps_on_itself() => full_rank(Method::Dense, smallest),
                Ok(smallest) => full_rank(Method::Pivoted, smallest),
                Err(refused) => self.factor_pseudoinverse(sample, entries, refused)?,
            },
        };
        self.outcomes[sample] = Some(outcome);
        Ok(outcome)
    }

    /// The smallest pivot of the definite rung, or the one for which it does not hold.
    fn factor_definite(&mut self, sample: usize, entries: &[T], largest: T) -> Result<Pivot, Pivot> {
        let w = self.shape.half_bandwidth();
        let rule = PivotRule { sign: T::ONE.copysign(entries[0]), noise: noise(w + 1, largest) };
        if self.shape.wraps_on_itself() {
            return Err(Pivot { unknown: 0, value: entries[0].to_f64() });
        }
        let records = part_mut(&mut self.records, sample, self.interior * (w + 1));
        let mut smallest =
            with_half_bandwidth!(w, self.workspace, |w, window| factor_open(w, entries, records, rule, window))?;
        if self.border > 0 {
            let rows = part_mut(&mut self.border_rows, sample, self.interior * w);
            let corner = part_mut(&mut self.corners, sample, w * w);
            let negligible = T::EPSILON * T::EPSILON * largest;
            let extent = with_half_bandwidth!(w, self.workspace, |w, _window| {
                factor_border(w, entries, records, rows, negligible)
            });
            factor_corner(w, entries, records, rows, extent, corner, rule, &mut smallest)?;
            self.extents[sample] = extent;
        }
        self.sound(sample, Method::Definite, smallest, largest, rule.noise)
    }

    /// The smallest pivot of the pivoted rung, or the one that is too small.
    fn factor_pivoted(&mut self, sample: usize, entries: &[T]) -> Result<Pivot, Pivot> {
        let layout = self.layout;
        let rows = part_mut(&mut self.pivoted, sample, layout.factor_count());
        layout.scatter(self.shape, entries, rows);
        // Slots that name one entry may cancel.
        let largest = magnitude(rows);
        let noise = noise(layout.terms(), largest);
        let interchanges = part_mut(&mut self.interchanges, sample, self.shape.dimension());
        let smallest = layout.factor(rows, interchanges, noise)?;
        self.sound(sample, Method::Pivoted, smallest, largest, noise)
    }

    fn factor_pseudoinverse(&mut self, sample: usize, entries: &[T], refused: Pivot) -> Result<Factored, SolveError> {
        let dimension = self.shape.dimension();
        if dimension > MAX_DENSE_DIMENSION {
            return Err(SolveError::Singular { unknown: refused.unknown, pivot: refused.value, dimension });
        }
        let pseudoinverse = DensePseudoinverse::new(dimension, &self.shape.to_dense(entries))?;
        let rank = pseudoinverse.rank();
        self.pseudoinverses[sample] = Some(pseudoinverse);
        Ok(Factored { method: Method::Pseudoinverse, smallest_pivot: refused, rank })
    }

    /// The smallest pivot, as `Err` if the matrix of these factors is singular to working precision.
    fn sound(
        &mut self,
        sample: usize,
        method: Method,
        smallest: SmallestPivot<T>,
        largest: T,
        noise: T,
    ) -> Result<Pivot, Pivot> {
        let mut sound = true;
        if is_suspicious(self.shape.dimension(), smallest.value, largest) {
            let mut trial = std::mem::take(&mut self.trial);
            sound = distance(&mut trial, |v| self.solve_on(method, sample, v)) > noise;
            self.trial = trial;
        }
        if sound { Ok(smallest.into()) } else { Err(smallest.into()) }
    }

    /// max|A| over the slots.
    fn largest_entry(&self, entries: &[T]) -> Result<T, SolveError> {
        let (n, w) = (self.shape.dimension(), self.shape.half_bandwidth());
        let whole = if self.shape.is_cyclic() { n } else { n.saturating_sub(w) };
        let mut largest = magnitude(&entries[..whole * (w + 1)]);
        for i in whole..n {
            let row = magnitude(&entries[i * (w + 1)..][..n - i]);
            largest = if row > largest || !row.is_finite() { row } else { largest };
            if !largest.is_finite() {
                break;
            }
        }
        if largest.is_finite() {
            return Ok(largest);
        }
        let mut found = None;
        self.shape.for_each_slot(|i, _, slot| {
            if found.is_none() && !entries[slot].is_finite() {
                found = Some(SolveError::NonFinite { unknown: i, value: entries[slot].to_f64() });
            }
        });
        Err(found.expect("the largest magnitude is not finite"))
    }
}

/// The largest magnitude; infinite where a number is not finite.
fn magnitude<T: Real>(values: &[T]) -> T {
    const LANES: usize = 16;
    let infinity = T::from_f64(f64::INFINITY);
    let larger = |largest: T, x: T| {
        let x = x.abs();
        // NaN compares as false, and infinity stays.
        let keeps = x <= largest;
        if keeps {
            largest
        } else if x < infinity {
            x
        } else {
            infinity
        }
    };
    let (blocks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [T::ZERO; LANES];
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = larger(lanes[lane], block[lane]);
        }
    }
    rest.iter().chain(&lanes).fold(T::ZERO, |largest, &x| larger(largest, x))
}

/// The numbers of one sample, of `length` each.
pub(super) fn part_mut<T>(all: &mut [T], sample: usize, length: usize) -> &mut [T] {
    &mut all[sample * length..][..length]
}
