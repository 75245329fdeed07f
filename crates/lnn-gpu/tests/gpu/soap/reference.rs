//! SOAP from its formulas, in double precision, on plain matrices.

use std::ops::Mul;

use lnn_gpu::optimiser::{BlockState, FactorState, SoapSettings};

/// Row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) entries: Vec<f64>,
}

impl Matrix {
    pub(super) fn from_fn(rows: usize, columns: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        let entries = (0..rows * columns).map(|at| entry(at / columns, at % columns)).collect();
        Self { rows, columns, entries }
    }

    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        self.entries[row * self.columns + column]
    }

    pub(super) fn transpose(&self) -> Self {
        Self::from_fn(self.columns, self.rows, |row, column| self.at(column, row))
    }

    pub(super) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        let entries = self.entries.iter().map(|&x| f(x)).collect();
        Self { entries, ..*self }
    }

    pub(super) fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        let entries = self.entries.iter().zip(&other.entries).map(|(&x, &y)| f(x, y)).collect();
        Self { entries, ..*self }
    }

    pub(super) fn largest(&self) -> f64 {
        self.entries.iter().fold(0.0, |largest, x| x.abs().max(largest))
    }

    /// Gram–Schmidt, run twice: for matrices of full rank.
    pub(super) fn orthonormal(&self) -> Self {
        let mut columns: Vec<Vec<f64>> = Vec::new();
        for column in self.transpose().entries.chunks_exact(self.rows) {
            let mut own = column.to_vec();
            for _ in 0..2 {
                for other in &columns {
                    let dot: f64 = own.iter().zip(other).map(|(x, y)| x * y).sum();
                    own.iter_mut().zip(other).for_each(|(x, y)| *x -= dot * y);
                }
            }
            let norm = own.iter().map(|x| x * x).sum::<f64>().sqrt();
            columns.push(own.iter().map(|x| x / norm).collect());
        }
        Self::from_fn(self.rows, self.columns, |row, column| columns[column][row])
    }
}

impl Mul for &Matrix {
    type Output = Matrix;
    fn mul(self, right: Self) -> Matrix {
        assert_eq!(self.columns, right.rows);
        let mut entries = vec![0.0; self.rows * right.columns];
        for (row, out) in self.entries.chunks_exact(self.columns).zip(entries.chunks_exact_mut(right.columns)) {
            for (x, row) in row.iter().zip(right.entries.chunks_exact(right.columns)) {
                out.iter_mut().zip(row).for_each(|(out, y)| *out += x * y);
            }
        }
        Matrix { rows: self.rows, columns: right.columns, entries }
    }
}

/// Numbers in [−1, 1) that look random, the same each time.
#[derive(Clone, Debug)]
pub(super) struct Noise(u64);

impl Noise {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(super) fn next(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    pub(super) fn matrix(&mut self, rows: usize, columns: usize) -> Matrix {
        let entries = (0..rows * columns).map(|_| self.next()).collect();
        Matrix { rows, columns, entries }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) factor: Matrix,
    pub(super) basis: Matrix,
}

impl Side {
    /// Eigenvalues from 1 to 3 in one random basis, and another basis.
    pub(super) fn random(n: usize, noise: &mut Noise) -> Self {
        let vectors = noise.matrix(n, n).orthonormal();
        let value = |k: usize| 1.0 + 2.0 * k as f64 / n as f64;
        let scaled = Matrix::from_fn(n, n, |row, k| vectors.at(row, k) * value(k));
        Self { factor: &scaled * &vectors.transpose(), basis: noise.matrix(n, n).orthonormal() }
    }

    pub(super) fn read(state: &FactorState, n: usize) -> Self {
        let matrix = |numbers: &[f32]| Matrix::from_fn(n, n, |row, column| f64::from(numbers[column * n + row]));
        Self { factor: matrix(&state.factor), basis: matrix(&state.basis) }
    }

    pub(super) fn write(&self) -> FactorState {
        let columns = |matrix: &Matrix| matrix.transpose().entries.iter().map(|&x| x as f32).collect();
        FactorState { factor: columns(&self.factor), basis: columns(&self.basis) }
    }
}

/// A block with its optimiser, each result followed by noise of the size of single precision's rounding, or of none.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) parameters: Matrix,
    pub(super) first: Matrix,
    pub(super) second: Matrix,
    pub(super) left: Option<Side>,
    pub(super) right: Option<Side>,
    updates: i32,
    noise: Noise,
    epsilon: f64,
}

impl Block {
    pub(super) fn new(parameters: Matrix, left: Option<Side>, right: Option<Side>) -> Self {
        let zero = parameters.map(|_| 0.0);
        let (first, second) = (zero.clone(), zero);
        Self { parameters, first, second, left, right, updates: 0, noise: Noise::new(77), epsilon: 0.0 }
    }

    pub(super) fn with_noise(mut self) -> Self {
        self.epsilon = f64::from(f32::EPSILON);
        self
    }

    fn rounded(&mut self, matrix: Matrix) -> Matrix {
        // The error of a sum of many terms is of the size of its terms, not of the sum.
        let scale = 2.0 * self.epsilon * matrix.largest();
        if scale == 0.0 {
            return matrix;
        }
        let noise = self.noise.matrix(matrix.rows, matrix.columns);
        matrix.zip(&noise, |x, noise| x + scale * noise)
    }

    fn project(&mut self, matrix: &Matrix) -> Matrix {
        let half = match &self.left {
            Some(left) => &left.basis.transpose() * matrix,
            None => matrix.clone(),
        };
        let half = self.rounded(half);
        let whole = self.right.as_ref().map_or_else(|| half.clone(), |right| &half * &right.basis);
        self.rounded(whole)
    }

    fn unproject(&mut self, matrix: &Matrix) -> Matrix {
        let half = match &self.left {
            Some(left) => &left.basis * matrix,
            None => matrix.clone(),
        };
        let half = self.rounded(half);
        let whole = self.right.as_ref().map_or_else(|| half.clone(), |right| &half * &right.basis.transpose());
        self.rounded(whole)
    }

    pub(super) fn average(&mut self, gradient: &Matrix, settings: &SoapSettings) {
        let s = settings.shampoo_beta;
        let transposed = gradient.transpose();
        if let Some(left) = &mut self.left {
            left.factor = left.factor.zip(&(gradient * &transposed), |old, new| s * old + (1.0 - s) * new);
        }
        if let Some(right) = &mut self.right {
            right.factor = right.factor.zip(&(&transposed * gradient), |old, new| s * old + (1.0 - s) * new);
        }
    }

    pub(super) fn step(&mut self, gradient: &Matrix, settings: &SoapSettings, rate: f64, decay: f64, refresh: bool) {
        self.updates += 1;
        let adam = settings.averages;
        let rotated = self.project(gradient);
        self.first = self.first.zip(&rotated, |m, g| adam.beta1 * m + (1.0 - adam.beta1) * g);
        self.second = self.second.zip(&rotated, |v, g| adam.beta2 * v + (1.0 - adam.beta2) * g * g);
        let correction = |beta: f64| 1.0 / (1.0 - beta.powi(self.updates));
        let (correction1, correction2) = (correction(adam.beta1), correction(adam.beta2));
        let direction =
            self.first.zip(&self.second, |m, v| m * correction1 / ((v * correction2).sqrt() + adam.epsilon));
        let change = self.unproject(&direction);
        self.parameters = self.parameters.zip(&change, |theta, change| (1.0 - rate * decay) * theta - rate * change);
        self.average(gradient, settings);
        if refresh && self.right.is_some() {
            let first = self.first.clone();
            let first = self.unproject(&first);
            let left = self.turn(true);
            let right = self.turn(false);
            let (rows, columns) = (self.parameters.rows, self.parameters.columns);
            self.second = Matrix::from_fn(rows, columns, |row, column| self.second.at(left[row], right[column]));
            self.first = self.project(&first);
        }
    }

    /// One power iteration of a basis; which old column each new one comes from.
    fn turn(&mut self, left: bool) -> Vec<usize> {
        let side = if left { self.left.clone() } else { self.right.clone() };
        let Some(mut side) = side else { return (0..self.parameters.rows).collect() };
        let product = &side.factor * &side.basis;
        let n = product.rows;
        let estimate = |k: usize| (0..n).map(|i| side.basis.at(i, k) * product.at(i, k)).sum::<f64>();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| estimate(b).total_cmp(&estimate(a)));
        let product = self.rounded(product);
        let sorted = Matrix::from_fn(n, n, |row, column| product.at(row, order[column]));
        side.basis = self.rounded(sorted.orthonormal());
        *(if left { &mut self.left } else { &mut self.right }) = Some(side);
        order
    }

    pub(super) fn write(&self) -> BlockState {
        let numbers = |matrix: &Matrix| matrix.entries.iter().map(|&x| x as f32).collect();
        let side = |side: &Option<Side>| side.as_ref().map(Side::write);
        BlockState {
            first_moment: numbers(&self.first),
            second_moment: numbers(&self.second),
            left: side(&self.left),
            right: side(&self.right),
        }
    }
}

/// Whether the single-precision form of a matrix is near enough; how far it is.
pub(super) fn orthogonality_defect(basis: &Matrix) -> f64 {
    let gram = &basis.transpose() * basis;
    let unit = Matrix::from_fn(gram.rows, gram.columns, |row, column| f64::from(u8::from(row == column)));
    gram.zip(&unit, |x, y| x - y).largest()
}
