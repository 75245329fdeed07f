//! Mass matrix, force, directions of the adjoint: each by its formula, and the way from states to accelerations and
//! back to a gradient with the twin's jets in between, in single precision against double.

use lnn_autodiff::jet::{Accumulate, JetInputs};
use lnn_gpu::euler_lagrange::{AssembleBuffers, DirectionBuffers, Motion, assemble, directions};
use lnn_gpu::features::{Features, PullBackBuffers, SeedBuffers, Tangents};
use lnn_gpu::mlp::hessian_pairs;
use lnn_gpu::pseudoinverse::{self, PseudoinverseSettings, SolveVjpBuffers};

use crate::buffers::{buffer, contents, poisoned, run, strided};
use crate::close::close;
use crate::ground::device;
use crate::lagrangian_example::{Got, Problem, agrees, features, numbers, reference};

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
        assert_eq!(hessian_pairs(d + 1).len(), pairs_a_row);
        let masses: Vec<f64> = (0..d).map(|i| 0.5 * i as f64).collect();
        let second = numbers(rows * pairs_a_row, 0.7);
        let (states, force, momentum) = (numbers(rows * state, 0.3), numbers(rows * d, 1.1), numbers(rows * d, 1.7));
        let [h, r, p] = assembled(rows, &masses, state, [&second, &states, &force, &momentum]);
        for row in 0..rows {
            for (pair, (i, j)) in hessian_pairs(d + 1).into_iter().enumerate() {
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
            (
                Motion::NullCotangent { terms: &terms_buffer },
                &terms[2 * rows * d..3 * rows * d],
                &terms[3 * rows * d..],
            ),
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
                values
                    .chunks(d)
                    .flat_map(|row| row.iter().map(|x| sign * x).chain([last]).collect::<Vec<_>>())
                    .collect()
            };
            let want = [with_last(left, 1.0, 0.0), with_last(right, sign, if along { 1.0 } else { 0.0 })].concat();
            assert_eq!(contents(&coefficients), want, "u and w, d = {d}, {motion:?}");
        }
    }
}

/// On the device, but for the jets, which are the twin's in single precision.
fn on_device(problem: &Problem) -> Got {
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
    let pairs = hessian_pairs(d + 1);
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
    Got { acceleration: contents(&acceleration), v: contents(&v), gradient, ranks }
}

#[test]
fn accelerations_and_gradients_are_those_of_double_precision() {
    for d in [1, 2, 3, 8] {
        let problem = Problem::new(d, false);
        let got = on_device(&problem);
        assert!(got.ranks.iter().all(|&rank| rank as usize == d), "full rank");
        agrees(&problem, &problem.given(), &got).unwrap_or_else(|error| panic!("d = {d}: {error}"));
    }
}

#[test]
fn a_mass_matrix_of_rank_one_adds_the_constant_rank_terms() {
    for d in [2, 3, 5] {
        let problem = Problem::new(d, true);
        let got = on_device(&problem);
        assert!(got.ranks.iter().all(|&rank| rank == 1), "rank one");
        assert_eq!(reference(&problem, &problem.given()).ranks, vec![1; problem.rows]);
        agrees(&problem, &problem.given(), &got).unwrap_or_else(|error| panic!("d = {d}: {error}"));
    }
}

#[test]
fn a_perturbed_parameter_or_cotangent_is_seen() {
    let mut problem = Problem::new(2, false);
    let got = on_device(&problem);
    problem.parameters[3] += 0.01;
    let error = agrees(&problem, &problem.given(), &got).unwrap_err();
    assert!(error.starts_with("q̈"), "{error}");
    problem.parameters[3] -= 0.01;
    problem.lambda[8] += 0.01;
    let error = agrees(&problem, &problem.given(), &got).unwrap_err();
    assert!(error.starts_with("v, row 4"), "{error}");
}
