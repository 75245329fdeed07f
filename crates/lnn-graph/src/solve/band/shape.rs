//! Symmetric band matrices, open and cyclic: how they are stored, products, residuals.

use lnn_autodiff::Real;

use super::super::residual::LargestOfRows;

/// Size of a symmetric band matrix and where its entries are.
///
/// `entries[i (w + 1) + o]`, o = 0..=w, stands for the pair of unknowns `i` and `j = i + o`, modulo n where the matrix is
/// cyclic. For o > 0 it is added to A at (i, j) **and** at (j, i), for o = 0 to A at (i, i) once; so
/// `xᵀ A x = Σᵢ (e₀ xᵢ² + 2 Σ_{o>0} e_o xᵢ xⱼ)`. Where a cyclic band wraps on itself (n ≤ 2w) several slots name
/// one entry of A and add up; one with j = i (o a multiple of n) then counts twice, as the two ends of a bond that closes
/// on its own site do. Slots beyond the end of an open matrix must be zero and are not read.
///
/// A field of c components on a line of sites, whose rates couple over w sites, has such a matrix with
/// half-bandwidth `(w + 1) c − 1`: see [`block`](Self::block).
///
/// ```
/// use lnn_graph::solve::band::BandShape;
/// let shape = BandShape::cyclic(4, 1);
/// let entries = [2.0, -1.0].repeat(4);
/// let mut y = [0.0; 4];
/// shape.multiply(&entries, &[1.0, 0.0, 0.0, 0.0], &mut y);
/// assert_eq!(y, [2.0, -1.0, 0.0, -1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandShape {
    dimension: usize,
    half_bandwidth: usize,
    cyclic: bool,
}

impl BandShape {
    /// An open matrix of n unknowns with `A(i, j) = 0` where |i − j| > w.
    ///
    /// # Panics
    /// If n = 0.
    pub fn open(dimension: usize, half_bandwidth: usize) -> Self {
        Self::new(dimension, half_bandwidth, false)
    }

    /// A cyclic matrix of n unknowns: indices count modulo n.
    ///
    /// # Panics
    /// If n = 0.
    pub fn cyclic(dimension: usize, half_bandwidth: usize) -> Self {
        Self::new(dimension, half_bandwidth, true)
    }

    /// The shape for `components` unknowns a site, each coupled to those of its site and `reach` sites to either side.
    ///
    /// # Panics
    /// If there are no sites or no components.
    pub fn block(sites: usize, components: usize, reach: usize, cyclic: bool) -> Self {
        assert!(components > 0, "a field of 0 components, expected at least one");
        Self::new(sites * components, (reach + 1) * components - 1, cyclic)
    }

    fn new(dimension: usize, half_bandwidth: usize, cyclic: bool) -> Self {
        assert!(dimension > 0, "a band matrix of 0 unknowns, expected at least one");
        Self { dimension, half_bandwidth, cyclic }
    }

    /// Number n of unknowns.
    pub fn dimension(&self) -> usize {
        self.dimension
    }
    /// Half-bandwidth w.
    pub fn half_bandwidth(&self) -> usize {
        self.half_bandwidth
    }
    /// Whether indices count modulo n.
    pub fn is_cyclic(&self) -> bool {
        self.cyclic
    }
    /// Whether several slots name one entry: cyclic and n ≤ 2w.
    pub fn wraps_on_itself(&self) -> bool {
        self.cyclic && self.dimension <= 2 * self.half_bandwidth
    }
    /// Length `n (w + 1)` of the entries.
    pub fn entry_count(&self) -> usize {
        self.dimension * (self.half_bandwidth + 1)
    }

    /// The unknown j that slot (i, o) pairs with i; `None` beyond the end of an open matrix.
    pub fn partner(&self, i: usize, o: usize) -> Option<usize> {
        match i + o {
            j if j < self.dimension => Some(j),
            j if self.cyclic => Some(j % self.dimension),
            _ => None,
        }
    }

    /// Calls `f(i, j, slot)` for each slot that belongs to the matrix, by rising slot.
    pub(super) fn for_each_slot(&self, mut f: impl FnMut(usize, usize, usize)) {
        for i in 0..self.dimension {
            for o in 0..=self.half_bandwidth {
                if let Some(j) = self.partner(i, o) {
                    f(i, j, i * (self.half_bandwidth + 1) + o);
                }
            }
        }
    }

    /// `y = A x`; both `[n]`.
    ///
    /// # Panics
    /// If a length is not that of the shape, as every function of slices here.
    pub fn multiply<T: Real>(&self, entries: &[T], x: &[T], y: &mut [T]) {
        self.require_entries(entries);
        self.require_vector(x);
        self.require_vector(y);
        for (i, y) in y.iter_mut().enumerate() {
            *y = self.row(i).fold(T::ZERO, |sum, (slot, j)| sum + entries[slot] * x[j]);
        }
    }

    /// The full matrix, `[n, n]`.
    pub fn to_dense<T: Real>(&self, entries: &[T]) -> Vec<T> {
        self.require_entries(entries);
        let n = self.dimension;
        let mut dense = vec![T::ZERO; n * n];
        self.for_each_slot(|i, j, slot| {
            dense[i * n + j] += entries[slot];
            if slot % (self.half_bandwidth + 1) > 0 {
                dense[j * n + i] += entries[slot];
            }
        });
        dense
    }

    /// `‖A x − b‖∞ / (‖A‖∞ ‖x‖∞ + ‖b‖∞)`: how far A and b must be changed for x to be exact, as a share of their size
    /// (Rigal and Gaches 1967). 0 where both vectors are zero, NaN where a number is.
    pub fn relative_residual<T: Real>(&self, entries: &[T], x: &[T], b: &[T]) -> f64 {
        self.require_entries(entries);
        self.require_vector(x);
        self.require_vector(b);
        let mut largest = LargestOfRows::default();
        for i in 0..self.dimension {
            let row = self.row(i).map(|(slot, j)| (entries[slot].to_f64(), x[j].to_f64()));
            largest.meet(row, x[i].to_f64(), b[i].to_f64());
        }
        largest.relative_residual()
    }

    /// Row i of the matrix: slots, and the unknowns that they meet there.
    #[inline(always)]
    fn row(&self, i: usize) -> impl Iterator<Item = (usize, usize)> {
        let (shape, length) = (*self, self.half_bandwidth + 1);
        let after = (0..length).filter_map(move |o| shape.partner(i, o).map(|j| (i * length + o, j)));
        let before = (1..length).filter_map(move |o| match i.checked_sub(o) {
            Some(j) => Some((j * length + o, j)),
            None if shape.cyclic => {
                let j = (i + shape.dimension - o % shape.dimension) % shape.dimension;
                Some((j * length + o, j))
            }
            None => None,
        });
        after.chain(before)
    }

    pub(super) fn require_entries<T>(&self, entries: &[T]) {
        assert!(
            entries.len() == self.entry_count(),
            "{} entries, expected {} for {} unknowns and half-bandwidth {}",
            entries.len(),
            self.entry_count(),
            self.dimension,
            self.half_bandwidth
        );
    }

    pub(super) fn require_vector<T>(&self, vector: &[T]) {
        assert!(vector.len() == self.dimension, "a vector of {} for {} unknowns", vector.len(), self.dimension);
    }
}
