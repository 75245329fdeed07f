//! Mass matrix, force, directions of the adjoint: each by its formula, and the way from states to accelerations and
//! back to a gradient with the twin's jets in between, in single precision against double.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::{Accumulate, JetInputs, JetWorkspace, Purpose};
use lnn_autodiff::pseudoinverse::{RankDeficientTerms, SymmetricFactors, Tolerance};
use lnn_autodiff::{Activation, MlpShape, Real};
use lnn_gpu::euler_lagrange::{AssembleBuffers, DirectionBuffers, Motion, assemble, directions, pairs};
use lnn_gpu::features::{Features, PullBackBuffers, SeedBuffers, Tangents};
use lnn_gpu::pseudoinverse::{self, PseudoinverseSettings, SolveVjpBuffers};

use crate::buffers::{buffer, contents, poisoned, run, strided};
use crate::close::close;
use crate::ground::device;

fn numbers(count: usize, rate: f64) -> Vec<f32> {
    (0..count).map(|i| (3.0 * (rate * (i + 1) as f64).sin()) as f32).collect()
}

fn assembled(rows: usize, masses: &[f64], state: usize, inputs: [&[f32]; 4]) -> [Vec<f32>; 3] {
    let d = masses.len();
    let [second, states, force, momentum] = inputs.map(|values| buffer("input", values));
    let mass_matrix = poisoned("H", rows * d * d);
    let buffers = AssembleBuffers {
        second_derivatives: &second,
        states: &states,
        force: &force,
        momentum: &momentum,
        mass_matrix: &mass_matrix,
    };
    let stage = assemble(device(), rows, state, masses, buffers).unwrap();
    run(|recorder| stage.record(recorder));
    [contents(&mass_matrix), contents(&force), contents(&momentum)]
}

#[test]
fn mass_matrix_force_and_momentum_follow_their_formulas() {
    for d in 1..=8 {
        let (rows, state, pairs_a_row) = (67, 2 * d + 1, d * (d + 3) / 2);
        assert_eq!(pairs(d).count(), pairs_a_row);
        let masses: Vec<f64> = (0..d).map(|i| 0.5 * i as f64).collect();
        let second = numbers(rows * pairs_a_row, 0.7);
        let (states, force, momentum) = (numbers(rows * state, 0.3), numbers(rows * d, 1.1), numbers(rows * d, 1.7));
        let [h, r, p] = assembled(rows, &masses, state, [&second, &states, &force, &momentum]);
        for row in 0..rows {
            for (pair, (i, j)) in pairs(d).enumerate() {
                let value = second[row * pairs_a_row + pair];
                let (at, q_dot) = (row * d + i, states[row * state + d + i]);
                if j == d {
                    assert_eq!(r[at], force[at] - value, "r, d = {d}, row {row}, coordinate {i}");
                    let want = f64::from(momentum[at]) + masses[i] * f64::from(q_dot);
                    close(&[p[at]], &[want], &[8.0], 1.0).unwrap_or_else(|far| panic!("p, d = {d}: {far:?}"));
                } else {
                    let want = value + if i == j { masses[i] as f32 } else { 0.0 };
                    let entries = [h[row * d * d + i * d + j], h[row * d * d + j * d + i]];
                    assert_eq!(entries, [want; 2], "H, d = {d}, row {row}, ({i}, {j})");
                }
            }
        }
    }
}

fn features(d: usize) -> FeatureMap {
    let mut list = vec![Feature::Conditional { index: 0, scale: 2.0, centre: 0.5 }];
    for index in 0..d {
        list.extend([Feature::Sine { index }, Feature::Cosine { index }, Feature::Velocity { index, scale: 2.0 }]);
        if index == 1 {
            list.push(Feature::Position { index, scale: 4.0, centre: 0.1 });
        }
    }
    FeatureMap::new(d, 1, list).unwrap()
}

#[test]
fn directions_are_those_of_the_motion_and_of_the_constant_rank_terms() {
    for d in [1, 2, 5, 8] {
        let (rows, map) = (33, features(d));
        let (n, stride) = (map.len(), map.len().next_multiple_of(4));
        let slopes = numbers(rows * n, 0.7);
        let (v, acceleration, terms) = (numbers(rows * d, 0.9), numbers(rows * d, 1.3), numbers(4 * rows * d, 0.11));
        let on_device = Features::new(device(), map.clone()).unwrap();
        let [v_buffer, acceleration_buffer, terms_buffer] = [&v, &acceleration, &terms].map(|x| buffer("vectors", x));
        let slopes_buffer = buffer("slopes", &strided(&slopes, n));
        let cases = [
            (Motion::Along { v: &v_buffer, acceleration: &acceleration_buffer }, &v[..], &acceleration[..]),
            (Motion::NullForce { terms: &terms_buffer }, &terms[..rows * d], &terms[rows * d..2 * rows * d]),
            (Motion::NullCotangent { terms: &terms_buffer }, &terms[2 * rows * d..3 * rows * d], &terms[3 * rows * d..]),
        ];
        for (motion, left, right) in cases {
            let along = matches!(motion, Motion::Along { .. });
            let coefficients = poisoned("coefficients", 2 * rows * (d + 1));
            let inputs = buffer("inputs", &vec![7.0; 3 * rows * stride]);
            let buffers =
                DirectionBuffers { slopes: &slopes_buffer, coefficients: &coefficients, inputs: &inputs, channel: 2 };
            let stage = directions(device(), &on_device, rows, motion, buffers).unwrap();
            run(|recorder| stage.record(recorder));
            let mut a = vec![0.0_f32; rows * n];
            if along {
                map.position_tangent(&slopes, left, &mut a);
            }
            let inputs = contents(&inputs);
            assert_eq!(inputs[2 * rows * stride..], strided(&a, n), "a, d = {d}");
            assert!(inputs[..2 * rows * stride].iter().all(|&x| x == 7.0), "the other channels");
            let sign = if along { 1.0 } else { -1.0 };
            let with_last = |values: &[f32], sign: f32, last: f32| -> Vec<f32> {
                values.chunks(d).flat_map(|row| row.iter().map(|x| sign * x).chain([last]).collect::<Vec<_>>()).collect()
            };
            let want = [with_last(left, 1.0, 0.0), with_last(right, sign, if along { 1.0 } else { 0.0 })].concat();
            assert_eq!(contents(&coefficients), want, "u and w, d = {d}, {motion:?}");
        }
    }
}

/// A Lagrangian network on some states, with a cotangent of its accelerations.
struct Problem {
    map: FeatureMap,
    shape: MlpShape,
    parameters: Vec<f32>,
    masses: Vec<f64>,
    rows: usize,
    states: Vec<f32>,
    lambda: Vec<f32>,
}

impl Problem {
    /// With residual masses; or without, and a first layer of one unit, so that H = c w wᵀ has rank one and a null
    /// space that turns with the weights w.
    fn new(d: usize, deficient: bool) -> Self {
        let (map, rows) = (features(d), 19);
        let first = if deficient { 1 } else { 7 };
        let shape = MlpShape::new(&[map.len(), first, 6, 1], Activation::Softplus).unwrap();
        let parameters = numbers(shape.parameter_count(), 0.77).iter().map(|x| 0.3 * x).collect();
        let masses = (0..d).map(|i| if deficient { 0.0 } else { 1.0 + i as f64 }).collect();
        let (states, lambda) = (numbers(rows * (2 * d + 1), 0.37), numbers(rows * d, 2.1));
        Self { map, shape, parameters, masses, rows, states, lambda }
    }

    fn columns<T: Real>(&self, range: std::ops::Range<usize>) -> Vec<T> {
        let width = 2 * self.masses.len() + 1;
        self.states.chunks(width).flat_map(|row| row[range.clone()].iter().map(|&x| T::from_f64(x.into()))).collect()
    }

    /// The jets of the block after their reverse pass, and the slopes.
    fn jets<T: Real>(&self, parameters: &[T]) -> (JetWorkspace<T>, Vec<T>) {
        let (d, rows) = (self.masses.len(), self.rows);
        let network = self.shape.bind(parameters).unwrap();
        let mut jets = JetWorkspace::new(&self.shape, d + 1, rows, Purpose::Functional);
        let mut slope = vec![T::ZERO; rows * self.map.len()];
        let (q, q_dot, c) = (self.columns::<T>(0..d), self.columns::<T>(d..2 * d), self.columns::<T>(2 * d..2 * d + 1));
        self.map.seed(&q, &q_dot, &c, jets.start(rows), &mut slope);
        jets.forward(network);
        jets.reverse(network, &vec![T::ONE; rows]);
        (jets, slope)
    }

    fn parameters<T: Real>(&self) -> Vec<T> {
        self.parameters.iter().map(|&x| T::from_f64(x.into())).collect()
    }
}

/// Accelerations, v, gradient of λ·q̈, and for each row the error that rounding may make of q̈ and of v.
struct Solved {
    acceleration: Vec<f64>,
    v: Vec<f64>,
    gradient: Vec<f64>,
    tolerance: Vec<[f64; 2]>,
    ranks: Vec<usize>,
}

/// All in double precision on the host.
fn reference(problem: &Problem) -> Solved {
    let Problem { map, masses, rows, lambda, .. } = problem;
    let rows = *rows;
    let (d, pairs) = (masses.len(), pairs(masses.len()).collect::<Vec<_>>());
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
    let lambda: Vec<f64> = lambda.iter().map(|&x| f64::from(x)).collect();
    let mut tolerance = Vec::new();
    for row in 0..rows {
        let range = row * d..(row + 1) * d;
        let (b, x) = (&force[range.clone()], &mut acceleration[range.clone()]);
        factors.solve(row, b, x);
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
    Solved { acceleration, v, gradient, tolerance, ranks }
}

/// On the device, but for the jets, which are the twin's in single precision.
fn on_device(problem: &Problem) -> (Vec<f32>, Vec<f32>, Vec<f32>, Vec<u32>) {
    let (d, rows, n) = (problem.masses.len(), problem.rows, problem.map.len());
    let (device, features) = (device(), Features::new(device(), problem.map.clone()).unwrap());
    let stride = features.stride();
    // Forward: inputs, on which the jets then run.
    let states = buffer("states", &problem.states);
    let (inputs, slopes) = (poisoned("inputs", (d + 5) * rows * stride), poisoned("slopes", rows * stride));
    let seeds = SeedBuffers { states: &states, inputs: &inputs, slopes: &slopes };
    let seed = features.seed(device, rows, Tangents::Lagrangian, seeds).unwrap();
    run(|recorder| seed.record(recorder));
    let made = contents(&inputs);
    let parameters = problem.parameters::<f32>();
    let (mut jets, _) = problem.jets::<f32>(&parameters);
    let network = problem.shape.bind(&parameters).unwrap();
    let dense = |strided: &[f32]| strided.chunks(stride).flat_map(|row| row[..n].to_vec()).collect::<Vec<_>>();
    let JetInputs { value, tangents } = jets.start(rows);
    tangents.copy_from_slice(&dense(&made[..(d + 1) * rows * stride]));
    value.copy_from_slice(&dense(&made[(d + 1) * rows * stride..(d + 2) * rows * stride]));
    jets.forward(network);
    jets.reverse(network, &vec![1.0; rows]);
    let pairs: Vec<_> = pairs(d).collect();
    let mut second = vec![0.0; rows * pairs.len()];
    jets.hessian(&pairs, &mut second);
    let (second, x_bar) = (buffer("second", &second), buffer("x_bar", &strided(jets.input_bar(), n)));
    // H, r, q̈, v, directions in one submission.
    let vector = |name| poisoned(name, rows * d);
    let (force, momentum, acceleration, v) = (vector("force"), vector("momentum"), vector("q_ddot"), vector("v"));
    let (mass_matrix, terms) = (poisoned("H", rows * d * d), poisoned("terms", 4 * rows * d));
    let lambda = buffer("lambda", &problem.lambda);
    let back = PullBackBuffers { slopes: &slopes, x_bar: &x_bar, q_bar: &force, q_dot_bar: &momentum };
    let assembly = AssembleBuffers {
        second_derivatives: &second,
        states: &states,
        force: &force,
        momentum: &momentum,
        mass_matrix: &mass_matrix,
    };
    let factors =
        pseudoinverse::SymmetricFactors::new(device, PseudoinverseSettings::new(d, rows), &mass_matrix).unwrap();
    let vjp = SolveVjpBuffers { b: &force, x: &acceleration, lambda: &lambda, v: &v, terms: &terms };
    let stages = [
        features.pull_back(device, rows, 1.0, Accumulate::Replace, back).unwrap(),
        assemble(device, rows, 2 * d + 1, &problem.masses, assembly).unwrap(),
    ];
    let solves = [factors.solve(device, &force, &acceleration).unwrap(), factors.solve_vjp(device, vjp).unwrap()];
    run(|recorder| {
        stages.iter().for_each(|stage| stage.record(recorder));
        factors.record_factor(recorder);
        solves.iter().for_each(|stage| stage.record(recorder));
    });
    let mut gradient = vec![0.0; parameters.len()];
    let motions = [
        Motion::Along { v: &v, acceleration: &acceleration },
        Motion::NullForce { terms: &terms },
        Motion::NullCotangent { terms: &terms },
    ];
    for motion in motions {
        let coefficients = poisoned("coefficients", 2 * rows * (d + 1));
        let channel = d + 4;
        let buffers = DirectionBuffers { slopes: &slopes, coefficients: &coefficients, inputs: &inputs, channel };
        let stage = directions(device, &features, rows, motion, buffers).unwrap();
        run(|recorder| stage.record(recorder));
        let a = dense(&contents(&inputs)[channel * rows * stride..]);
        let both = contents(&coefficients);
        let (u, w) = both.split_at(rows * (d + 1));
        jets.functional_gradient(network, &a, u, w, Accumulate::Add, &mut gradient);
    }
    let mut ranks = vec![0; rows];
    device.download(factors.ranks(), 0, &mut ranks).unwrap();
    (contents(&acceleration), contents(&v), gradient, ranks)
}

/// Whether accelerations and v are as close as H allows, and the gradient as close as they.
fn agrees(problem: &Problem, got: &(Vec<f32>, Vec<f32>, Vec<f32>, Vec<u32>)) -> Result<(), String> {
    let want = reference(problem);
    let d = problem.masses.len();
    for row in 0..problem.rows {
        let [of_acceleration, of_v] = want.tolerance[row];
        for at in row * d..(row + 1) * d {
            for (name, got, want, tolerance) in
                [("q̈", got.0[at], want.acceleration[at], of_acceleration), ("v", got.1[at], want.v[at], of_v)]
            {
                if !((f64::from(got) - want).abs() <= tolerance) {
                    return Err(format!("{name}, row {row}: {got} {want}, tolerance {tolerance}"));
                }
            }
        }
    }
    let size = want.gradient.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    // Acceptance of a gradient in single precision.
    let far = got.2.iter().zip(&want.gradient).position(|(&x, y)| !((f64::from(x) - y).abs() <= 1e-3 * size));
    match far {
        Some(at) => Err(format!("gradient, parameter {at}: {} {}, largest {size}", got.2[at], want.gradient[at])),
        None => Ok(()),
    }
}

#[test]
fn accelerations_and_gradients_are_those_of_double_precision() {
    for d in [1, 2, 3, 8] {
        let problem = Problem::new(d, false);
        let got = on_device(&problem);
        assert!(got.3.iter().all(|&rank| rank as usize == d), "full rank");
        agrees(&problem, &got).unwrap_or_else(|error| panic!("d = {d}: {error}"));
    }
}

#[test]
fn a_mass_matrix_of_rank_one_adds_the_constant_rank_terms() {
    for d in [2, 3, 5] {
        let problem = Problem::new(d, true);
        let got = on_device(&problem);
        assert!(got.3.iter().all(|&rank| rank == 1), "rank one");
        assert_eq!(reference(&problem).ranks, vec![1; problem.rows]);
        agrees(&problem, &got).unwrap_or_else(|error| panic!("d = {d}: {error}"));
    }
}

#[test]
fn a_perturbed_parameter_or_cotangent_is_seen() {
    let mut problem = Problem::new(2, false);
    let got = on_device(&problem);
    problem.parameters[3] += 0.01;
    let error = agrees(&problem, &got).unwrap_err();
    assert!(error.starts_with("q̈"), "{error}");
    problem.parameters[3] -= 0.01;
    problem.lambda[8] += 0.01;
    let error = agrees(&problem, &got).unwrap_err();
    assert!(error.starts_with("v, row 4"), "{error}");
}
