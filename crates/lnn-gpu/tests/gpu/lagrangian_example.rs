//! A Lagrangian network on some states: accelerations and gradient in double precision on the host.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::pseudoinverse::{RankDeficientTerms, SymmetricFactors, Tolerance};
use lnn_autodiff::{Activation, MlpShape, Real};
use lnn_gpu::mlp::hessian_pairs;

use crate::close::beyond;

pub(crate) fn numbers(count: usize, rate: f64) -> Vec<f32> {
    (0..count).map(|i| (3.0 * (rate * (i + 1) as f64).sin()) as f32).collect()
}

pub(crate) fn features(d: usize) -> FeatureMap {
    let mut list = vec![Feature::Conditional { index: 0, scale: 2.0, centre: 0.5 }];
    for index in 0..d {
        list.extend([Feature::Sine { index }, Feature::Cosine { index }, Feature::Velocity { index, scale: 2.0 }]);
        if index == 1 {
            list.push(Feature::Position { index, scale: 4.0, centre: 0.1 });
        }
    }
    FeatureMap::new(d, 1, list).unwrap()
}

/// A Lagrangian network on some states, with a cotangent of its accelerations.
pub(crate) struct Problem {
    pub(crate) map: FeatureMap,
    pub(crate) shape: MlpShape,
    pub(crate) parameters: Vec<f32>,
    pub(crate) masses: Vec<f64>,
    pub(crate) rows: usize,
    pub(crate) states: Vec<f32>,
    pub(crate) lambda: Vec<f32>,
}

impl Problem {
    /// With residual masses; or without, and a first layer of one unit, so that H = c w wᵀ has rank one and a null
    /// space that turns with the weights w.
    pub(crate) fn new(d: usize, deficient: bool) -> Self {
        let (map, rows) = (features(d), 19);
        let first = if deficient { 1 } else { 7 };
        let shape = MlpShape::new(&[map.len(), first, 6, 1], Activation::Softplus).unwrap();
        let parameters = numbers(shape.parameter_count(), 0.77).iter().map(|x| 0.3 * x).collect();
        let masses = (0..d).map(|i| if deficient { 0.0 } else { 1.0 + i as f64 }).collect();
        let (states, lambda) = (numbers(rows * (2 * d + 1), 0.37), numbers(rows * d, 2.1));
        Self { map, shape, parameters, masses, rows, states, lambda }
    }

    /// The cotangent that is λ whatever the accelerations.
    pub(crate) fn given(&self) -> impl Fn(&[f64]) -> Vec<f64> + use<> {
        let lambda: Vec<f64> = self.lambda.iter().map(|&x| f64::from(x)).collect();
        move |_| lambda.clone()
    }

    /// Numbers of a state (q, q̇, conditionals).
    fn width(&self) -> usize {
        2 * self.masses.len() + self.map.conditionals()
    }

    fn columns<T: Real>(&self, range: std::ops::Range<usize>) -> Vec<T> {
        let width = self.width();
        self.states.chunks(width).flat_map(|row| row[range.clone()].iter().map(|&x| T::from_f64(x.into()))).collect()
    }

    /// The jets of the block after their reverse pass, and the slopes.
    pub(crate) fn jets<T: Real>(&self, parameters: &[T]) -> (JetWorkspace<T>, Vec<T>) {
        let (d, rows) = (self.masses.len(), self.rows);
        let network = self.shape.bind(parameters).unwrap();
        let mut jets = JetWorkspace::new(&self.shape, d + 1, rows, Purpose::Functional);
        let mut slope = vec![T::ZERO; rows * self.map.len()];
        let (q, q_dot, c) =
            (self.columns::<T>(0..d), self.columns::<T>(d..2 * d), self.columns::<T>(2 * d..self.width()));
        self.map.seed(&q, &q_dot, &c, jets.start(rows), &mut slope);
        jets.forward(network);
        jets.reverse(network, &vec![T::ONE; rows]);
        (jets, slope)
    }

    pub(crate) fn parameters<T: Real>(&self) -> Vec<T> {
        self.parameters.iter().map(|&x| T::from_f64(x.into())).collect()
    }
}

/// Accelerations, v, gradient of λ·q̈, and for each row the error that rounding may make of q̈ and of v.
pub(crate) struct Solved {
    /// `[rows, d, d]`.
    pub(crate) mass_matrix: Vec<f64>,
    pub(crate) acceleration: Vec<f64>,
    pub(crate) v: Vec<f64>,
    pub(crate) gradient: Vec<f64>,
    pub(crate) tolerance: Vec<[f64; 2]>,
    pub(crate) ranks: Vec<usize>,
}

/// All in double precision on the host, with λ as `cotangent` makes it of the accelerations.
pub(crate) fn reference(problem: &Problem, cotangent: &dyn Fn(&[f64]) -> Vec<f64>) -> Solved {
    let Problem { map, masses, rows, .. } = problem;
    let rows = *rows;
    let (d, pairs) = (masses.len(), hessian_pairs(masses.len() + 1));
    let parameters = problem.parameters::<f64>();
    let (mut jets, slope) = problem.jets::<f64>(&parameters);
    let mut second = vec![0.0; rows * pairs.len()];
    jets.hessian(&pairs, &mut second);
    let (mut force, mut momentum) = (vec![0.0; rows * d], vec![0.0; rows * d]);
    map.pull_back(&slope, jets.input_bar(), &mut force, &mut momentum);
    let mut h = vec![0.0; rows * d * d];
    for row in 0..rows {
        for (&(i, j), &value) in pairs.iter().zip(&second[row * pairs.len()..]) {
            if j == d {
                force[row * d + i] -= value;
            } else {
                let entry = value + if i == j { masses[i] } else { 0.0 };
                h[row * d * d + i * d + j] = entry;
                h[row * d * d + j * d + i] = entry;
            }
        }
    }
    let mut factors = SymmetricFactors::new(d, rows);
    factors.factor(&h, Tolerance::for_dimension::<f32>(d));
    let zeros = || vec![0.0; rows * d];
    let (mut acceleration, mut v, mut terms) = (zeros(), zeros(), [zeros(), zeros(), zeros(), zeros()]);
    for row in 0..rows {
        let range = row * d..(row + 1) * d;
        factors.solve(row, &force[range.clone()], &mut acceleration[range]);
    }
    let lambda = cotangent(&acceleration);
    let mut tolerance = Vec::new();
    for row in 0..rows {
        let range = row * d..(row + 1) * d;
        let (b, x) = (&force[range.clone()], &acceleration[range.clone()]);
        let [inverse_v, null_b, null_lambda, inverse_x] = terms.each_mut().map(|term| &mut term[range.clone()]);
        let terms = RankDeficientTerms { inverse_v, null_b, null_lambda, inverse_x };
        factors.solve_vjp(row, b, x, &lambda[range.clone()], &mut v[range.clone()], terms);
        let sizes: Vec<f64> = factors.eigenvalues(row).iter().map(|x| x.abs()).filter(|&x| x > 1e-9).collect();
        let (largest, least) = sizes.iter().fold((0.0_f64, f64::MAX), |(a, b), &x| (a.max(x), b.min(x)));
        let norm = |values: &[f64]| values.iter().map(|x| x * x).sum::<f64>().sqrt();
        // H and r themselves are sums over two layers in single precision.
        let per = 256.0 * f64::from(f32::EPSILON) * (largest + 1.0) / least / least;
        tolerance.push([per * (1.0 + norm(b)), per * norm(&lambda[range])]);
    }
    // Directions (0, left) and (q̇, right) or (0, −right).
    let coefficients = |values: &[f64], sign: f64, last: f64| -> Vec<f64> {
        values.chunks(d).flat_map(|row| row.iter().map(|x| sign * x).chain([last]).collect::<Vec<_>>()).collect()
    };
    let mut gradient = vec![0.0; parameters.len()];
    let mut a = vec![0.0; rows * map.len()];
    map.position_tangent(&slope, &v, &mut a);
    let network = problem.shape.bind(&parameters).unwrap();
    let [inverse_v, null_b, null_lambda, inverse_x] = &terms;
    for (left, right, sign, last) in
        [(&v, &acceleration, 1.0, 1.0), (inverse_v, null_b, -1.0, 0.0), (null_lambda, inverse_x, -1.0, 0.0)]
    {
        let (u, w) = (coefficients(left, 1.0, 0.0), coefficients(right, sign, last));
        jets.functional_gradient(network, &a, &u, &w, Accumulate::Add, &mut gradient);
        a.fill(0.0);
    }
    let ranks = (0..rows).map(|row| factors.rank(row)).collect();
    Solved { mass_matrix: h, acceleration, v, gradient, tolerance, ranks }
}

/// What the device makes of it.
pub(crate) struct Got {
    pub(crate) acceleration: Vec<f32>,
    pub(crate) v: Vec<f32>,
    pub(crate) gradient: Vec<f32>,
    pub(crate) ranks: Vec<u32>,
}

/// Whether accelerations and v are as close as H allows, and the gradient as close as they.
pub(crate) fn agrees(problem: &Problem, cotangent: &dyn Fn(&[f64]) -> Vec<f64>, got: &Got) -> Result<(), String> {
    let want = reference(problem, cotangent);
    let d = problem.masses.len();
    for row in 0..problem.rows {
        let [of_acceleration, of_v] = want.tolerance[row];
        for at in row * d..(row + 1) * d {
            for (name, got, want, tolerance) in [
                ("q̈", got.acceleration[at], want.acceleration[at], of_acceleration),
                ("v", got.v[at], want.v[at], of_v),
            ] {
                if beyond((f64::from(got) - want).abs(), tolerance) {
                    return Err(format!("{name}, row {row}: {got} {want}, tolerance {tolerance}"));
                }
            }
        }
    }
    let size = want.gradient.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    // Acceptance of a gradient in single precision.
    let far = got.gradient.iter().zip(&want.gradient).position(|(&x, y)| beyond((f64::from(x) - y).abs(), 1e-3 * size));
    match far {
        Some(at) => {
            Err(format!("gradient, parameter {at}: {} {}, largest {size}", got.gradient[at], want.gradient[at]))
        }
        None => Ok(()),
    }
}
