//! The matrix from its products: columns that share no row are found by one product together (Curtis, Powell and Reid 1974).

use lnn_autodiff::Real;

use super::conjugate_gradient::SymmetricOperator;
use super::sparse::SparsePattern;

/// A colour for each unknown, such that no row of the matrix has two columns of one colour.
///
/// That is a colouring at distance two of the matrix's graph. Five colours serve a cyclic pentadiagonal matrix
/// whose dimension is a multiple of five, whatever its size.
///
/// ```
/// use lnn_graph::solve::colouring::Colouring;
/// // The path 0 – 1 – 2 – 3: a tridiagonal matrix.
/// let colouring = Colouring::greedy(&[0, 1, 3, 5, 6], &[1, 0, 2, 1, 3, 2]);
/// assert_eq!(colouring.colours(), [0, 1, 2, 0]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colouring {
    colours: Vec<usize>,
    count: usize,
}

impl Colouring {
    /// Gives each unknown in turn the smallest colour that none within distance two has; at most Δ² + 1 colours for a
    /// largest degree Δ.
    ///
    /// The neighbours of i are `indices[offsets[i]..offsets[i + 1]]`, in any order, i itself allowed; symmetric.
    ///
    /// # Panics
    /// If the offsets do not rise to the number of indices, or an index is out of range.
    pub fn greedy(offsets: &[usize], indices: &[usize]) -> Self {
        let n = offsets.len().saturating_sub(1);
        assert!(offsets.last() == Some(&indices.len()), "offsets must end at the number of indices, {}", indices.len());
        let neighbours = |i: usize| &indices[offsets[i]..offsets[i + 1]];
        const NONE: usize = usize::MAX;
        let mut colours = vec![NONE; n];
        // The last unknown near which a colour was seen; so nothing is cleared in between.
        let mut seen_near: Vec<usize> = Vec::new();
        for i in 0..n {
            let mut see = |other: usize| {
                let colour = colours[other];
                if other != i && colour != NONE {
                    seen_near[colour] = i;
                }
            };
            for &near in neighbours(i) {
                see(near);
                for &far in neighbours(near) {
                    see(far);
                }
            }
            let free = seen_near.iter().position(|&last| last != i).unwrap_or(seen_near.len());
            if free == seen_near.len() {
                seen_near.push(NONE);
            }
            colours[i] = free;
        }
        Self { colours, count: seen_near.len() }
    }

    /// The colouring of a sparse matrix.
    pub fn of_pattern(pattern: &SparsePattern) -> Self {
        let (offsets, indices) = pattern.rows();
        Self::greedy(offsets, indices)
    }

    /// Number of colours, and so of products.
    pub fn count(&self) -> usize {
        self.count
    }
    /// The colour of each unknown.
    pub fn colours(&self) -> &[usize] {
        &self.colours
    }

    /// Writes the sum of the unit vectors of a colour to `x` `[n]`.
    pub fn seed<T: Real>(&self, colour: usize, x: &mut [T]) {
        for (x, &own) in x.iter_mut().zip(&self.colours) {
            *x = if own == colour { T::ONE } else { T::ZERO };
        }
    }

    /// Takes from `product = A · seed` `[n]` the entries in the columns of a colour, into `values` of the pattern.
    ///
    /// An entry (i, j), i ≤ j, is read in row i; the one of its mirror image is not needed.
    ///
    /// # Panics
    /// If a length is not that of the pattern.
    pub fn recover<T: Real>(&self, colour: usize, product: &[T], pattern: &SparsePattern, values: &mut [T]) {
        pattern.require_vector(product);
        pattern.require_values(values);
        for (value, &[i, j]) in values.iter_mut().zip(pattern.pairs()) {
            if self.colours[j] == colour {
                *value = product[i];
            }
        }
    }
}

/// The values on a pattern of the symmetric matrix of an operator, by one product a colour.
///
/// An operator with entries outside the pattern gives wrong values, not an error.
///
/// # Panics
/// If the operator's dimension is not that of the pattern.
pub fn matrix_by_colours<T: Real>(operator: &mut impl SymmetricOperator<T>, pattern: &SparsePattern) -> Vec<T> {
    let n = pattern.dimension();
    assert!(operator.dimension() == n, "an operator of {} unknowns for a pattern of {n}", operator.dimension());
    let colouring = Colouring::of_pattern(pattern);
    let (mut seed, mut product) = (vec![T::ZERO; n], vec![T::ZERO; n]);
    let mut values = vec![T::ZERO; pattern.pairs().len()];
    for colour in 0..colouring.count() {
        colouring.seed(colour, &mut seed);
        operator.apply(&seed, &mut product);
        colouring.recover(colour, &product, pattern, &mut values);
    }
    values
}
