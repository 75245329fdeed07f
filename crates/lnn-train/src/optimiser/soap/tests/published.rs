//! Algorithm 3 of the paper written out plainly, and SOAP against it.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::{Optimiser, Soap, SoapSettings, StateTensor};
use super::{layout, product, random, transposed};

/// Row-major Q of A = Q R by Gram–Schmidt, done twice; column signs differ from Householder's, which no
/// update sees.
fn gram_schmidt(a: &[f64], n: usize) -> Vec<f64> {
    let mut columns = transposed(a, n, n);
    for column in 0..n {
        for _ in 0..2 {
            for earlier in 0..column {
                let overlap: f64 = (0..n).map(|i| columns[column * n + i] * columns[earlier * n + i]).sum();
                for i in 0..n {
                    columns[column * n + i] -= overlap * columns[earlier * n + i];
                }
            }
        }
        let norm = (0..n).map(|i| columns[column * n + i].powi(2)).sum::<f64>().sqrt();
        for i in 0..n {
            columns[column * n + i] /= norm;
        }
    }
    transposed(&columns, n, n)
}

/// Algorithm 3 of the paper in the original space, one matrix, row-major everywhere.
struct Reference {
    m: usize,
    n: usize,
    settings: SoapSettings,
    momentum: Vec<f64>,
    second: Vec<f64>,
    left: Vec<f64>,
    right: Vec<f64>,
    left_basis: Vec<f64>,
    right_basis: Vec<f64>,
    steps: u64,
}

impl Reference {
    fn project(&self, g: &[f64]) -> Vec<f64> {
        let (m, n) = (self.m, self.n);
        let half = product(&transposed(&self.left_basis, m, m), g, m, m, n);
        product(&half, &self.right_basis, m, n, n)
    }

    fn project_back(&self, g: &[f64]) -> Vec<f64> {
        let (m, n) = (self.m, self.n);
        let half = product(&self.left_basis, g, m, m, n);
        product(&half, &transposed(&self.right_basis, n, n), m, n, n)
    }

    fn turned(factor: &[f64], basis: &[f64], n: usize) -> (Vec<f64>, Vec<usize>) {
        let power = product(factor, basis, n, n, n);
        let estimate = |j: usize| -> f64 { (0..n).map(|i| basis[i * n + j] * power[i * n + j]).sum() };
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| estimate(b).total_cmp(&estimate(a)));
        let sorted: Vec<f64> = (0..n * n).map(|at| power[at / n * n + order[at % n]]).collect();
        (gram_schmidt(&sorted, n), order)
    }

    fn step(&mut self, w: &mut [f64], g: &[f64], rate: f64) {
        let (m, n, s) = (self.m, self.n, self.settings);
        self.steps += 1;
        let correct = |beta: f64| 1.0 - beta.powi(self.steps as i32);
        for (moment, g) in self.momentum.iter_mut().zip(g) {
            *moment = s.beta1 * *moment + (1.0 - s.beta1) * g;
        }
        let rotated = self.project(g);
        for (second, g) in self.second.iter_mut().zip(&rotated) {
            *second = s.beta2 * *second + (1.0 - s.beta2) * g * g;
        }
        let mut direction = self.project(&self.momentum);
        for (entry, second) in direction.iter_mut().zip(&self.second) {
            *entry = *entry / correct(s.beta1) / ((second / correct(s.beta2)).sqrt() + s.epsilon);
        }
        for (w, u) in w.iter_mut().zip(self.project_back(&direction)) {
            *w -= rate * (u + s.weight_decay * *w);
        }
        let transpose = transposed(g, m, n);
        for (factor, fresh) in
            [(&mut self.left, product(g, &transpose, m, n, m)), (&mut self.right, product(&transpose, g, n, m, n))]
        {
            for (entry, fresh) in factor.iter_mut().zip(fresh) {
                *entry = s.shampoo_beta * *entry + (1.0 - s.shampoo_beta) * fresh;
            }
        }
        if self.steps.is_multiple_of(s.refresh_every) {
            let (left_basis, rows) = Self::turned(&self.left, &self.left_basis, m);
            let (right_basis, columns) = Self::turned(&self.right, &self.right_basis, n);
            self.second = (0..m * n).map(|at| self.second[rows[at / n] * n + columns[at % n]]).collect();
            (self.left_basis, self.right_basis) = (left_basis, right_basis);
        }
    }
}

fn exported(soap: &Soap<f64>, name: &str) -> Vec<f64> {
    let state = soap.state();
    let (_, tensor) = state.iter().find(|(own, _)| own == name).unwrap();
    match tensor {
        StateTensor::Values(values) => values.to_vec(),
        StateTensor::Words(_) => panic!("{name} holds integers"),
    }
}

#[test]
fn follows_the_published_algorithm_written_out_plainly() {
    let (m, n) = (7, 5);
    let settings = SoapSettings { refresh_every: 4, weight_decay: 0.1, ..SoapSettings::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut soap = Soap::<f64>::new(settings, &layout(&[(m, n)])).unwrap();
    let start: Vec<f64> = random(&mut rng, m * n);
    let mut w = start.clone();
    soap.step(&mut w, &random(&mut rng, m * n), 0.1).unwrap();
    assert_eq!(w, start, "the first call sets up the bases and makes no update");
    assert_eq!(soap.steps(), 0);
    let mut reference = Reference {
        m,
        n,
        settings,
        momentum: vec![0.0; m * n],
        second: vec![0.0; m * n],
        left: exported(&soap, "soap.block0.left.factor"),
        right: exported(&soap, "soap.block0.right.factor"),
        left_basis: transposed(&exported(&soap, "soap.block0.left.basis"), m, m),
        right_basis: transposed(&exported(&soap, "soap.block0.right.basis"), n, n),
        steps: 0,
    };
    let mut expected = start;
    // Gradients with a graded covariance, so that the order of eigenvalues is not a matter of round-off.
    for step in 0..30 {
        let gradient: Vec<f64> = random::<f64>(&mut rng, m * n)
            .iter()
            .enumerate()
            .map(|(at, g)| g * 0.7_f64.powi((at / n) as i32) * 0.6_f64.powi((at % n) as i32))
            .collect();
        soap.step(&mut w, &gradient, 0.01).unwrap();
        reference.step(&mut expected, &gradient, 0.01);
        for (given, expected) in w.iter().zip(&expected) {
            // Six products of length ≤ 7 and, at a refresh, eigenvector errors of ε over the relative gaps.
            assert!((given - expected).abs() < 1e4 * f64::EPSILON, "step {step}: {given} {expected}");
        }
    }
}
