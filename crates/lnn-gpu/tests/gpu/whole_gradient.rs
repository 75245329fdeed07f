//! From states to accelerations, and from states and targets to the gradient of the loss, with everything on the device
//! and in one submission, against double precision.

use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_gpu::euler_lagrange::{
    AccelerateBuffers, AccelerationLoss, DifferentiateBuffers, DirectionBuffers, Equation, Motion, directions,
};
use lnn_gpu::features::Features;
use lnn_gpu::loss::Loss;

use crate::buffers::{buffer, contents, poisoned, run};
use crate::close::close;
use crate::forward::{Accelerated, Forward, accelerate};
use crate::ground::device;
use crate::lagrangian_example::{Got, Problem, agrees, numbers, reference};

/// Units and weights that make no sense together, but each of which shows.
struct LossOf {
    target: Vec<f32>,
    weights: Vec<f32>,
    units: Vec<f64>,
    batch: usize,
}

const SCALE: f64 = 0.3;

impl LossOf {
    fn new(problem: &Problem) -> Self {
        let (d, rows) = (problem.masses.len(), problem.rows);
        let weights = (0..rows).map(|row| 1.0 + 0.1 * row as f32).collect();
        let units = (0..d).map(|i| 0.5 + i as f64).collect();
        Self { target: numbers(rows * d, 0.53), weights, units, batch: 3 * rows }
    }

    /// Value and cotangent of each component, for the accelerations x.
    fn parts(&self, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let d = self.units.len();
        let component = |at: usize| {
            let (unit, weight) = (self.units[at % d], f64::from(self.weights[at / d]));
            let target = f64::from(self.target[at]) / unit;
            let error = x[at] / unit - target;
            let smoothing = SCALE * (1.0 + target.abs());
            let root = smoothing.hypot(error);
            (weight * error * error / (root + smoothing), weight * error / root / unit / self.batch as f64)
        };
        (0..x.len()).map(component).unzip()
    }
}

struct OnDevice {
    got: Got,
    losses: Vec<f32>,
    /// Of each model, `[models, 3]`.
    tally: Vec<u32>,
}

fn differentiate(problem: &Problem, loss: &LossOf, units: Option<&[f64]>) -> OnDevice {
    let (d, rows, device) = (problem.masses.len(), problem.rows, device());
    let forward = Forward::new(problem);
    let Forward { features, parameters, jet, slopes, .. } = &forward;
    let (losses, terms) = (poisoned("losses", rows), poisoned("terms", 4 * rows * d));
    let tally = device.buffer::<u32>("tally", 3 * rows.div_ceil(loss.batch)).unwrap();
    let (target, weights) = (buffer("target", &loss.target), buffer("weights", &loss.weights));
    let channel = d + 4;
    let buffers = DifferentiateBuffers {
        slopes,
        x_bar: jet.input_bar(),
        second_derivatives: jet.second_derivatives(),
        coefficients: jet.coefficients(),
        inputs: jet.inputs(),
        channel,
        losses: &losses,
        terms: &terms,
        tally: &tally,
    };
    let of = AccelerationLoss {
        loss: Loss::RelativePseudoHuber { scale: SCALE },
        batch: loss.batch,
        units: Some(&loss.units),
        target: &target,
        weights: Some(&weights),
    };
    let stage = forward.equation(problem, units).differentiate_loss(device, of, buffers).unwrap();
    let terms = [Motion::NullForce { terms: &terms }, Motion::NullCotangent { terms: &terms }].map(|motion| {
        let buffers = DirectionBuffers { slopes, coefficients: jet.coefficients(), inputs: jet.inputs(), channel };
        directions(device, features, rows, motion, buffers).unwrap()
    });
    run(|recorder| {
        forward.record(recorder);
        stage.record(recorder);
        jet.record_functional_gradient(recorder, Accumulate::Replace);
    });
    let mut coefficients = vec![0.0; 2 * rows * (d + 1)];
    device.download(jet.coefficients(), 0, &mut coefficients).unwrap();
    run(|recorder| {
        for directions in &terms {
            directions.record(recorder);
            jet.record_functional_gradient(recorder, Accumulate::Add);
        }
    });
    let mut padded = vec![0.0; parameters.layout().padded_len()];
    device.download(jet.gradient(), 0, &mut padded).unwrap();
    let gradient = parameters.layout().unpack(&padded);
    let vectors = |half: &[f32]| half.chunks(d + 1).flat_map(|row| row[..d].to_vec()).collect();
    let (u, w) = coefficients.split_at(rows * (d + 1));
    let mut counted = vec![0; tally.len()];
    device.download(&tally, 0, &mut counted).unwrap();
    let got = Got { acceleration: vectors(w), v: vectors(u), gradient, ranks: Vec::new() };
    OnDevice { got, losses: contents(&losses), tally: counted }
}

#[test]
fn gradients_of_the_loss_are_those_of_double_precision() {
    for (d, deficient) in [(1, false), (2, false), (3, true), (8, false)] {
        let problem = Problem::new(d, deficient);
        let loss = LossOf::new(&problem);
        let cotangent = |x: &[f64]| loss.parts(x).1;
        let all = differentiate(&problem, &loss, None);
        agrees(&problem, &cotangent, &all.got).unwrap_or_else(|error| panic!("d = {d}: {error}"));
        assert_eq!(all.tally, [0, 0, if deficient { problem.rows as u32 } else { 0 }]);
        let want = reference(&problem, &cotangent);
        let losses: Vec<f64> = loss.parts(&want.acceleration).0.chunks(d).map(|row| row.iter().sum()).collect();
        // Its slope is below weight / unit, so that it is as close as the accelerations.
        let tolerance: Vec<f64> =
            want.tolerance.iter().map(|[of_acceleration, _]| 6.0 * d as f64 * of_acceleration).collect();
        close(&all.losses, &losses, &tolerance, 1.0 / f64::from(f32::EPSILON))
            .unwrap_or_else(|far| panic!("loss, d = {d}: {far:?}"));
    }
}

/// At full rank the units in which H is inverted change nothing but the rounding.
#[test]
fn units_of_the_velocities_leave_the_gradient_at_full_rank() {
    let problem = Problem::new(3, false);
    let loss = LossOf::new(&problem);
    let in_units = differentiate(&problem, &loss, Some(&[0.5, 2.0, 4.0]));
    agrees(&problem, &|x| loss.parts(x).1, &in_units.got).unwrap();
}

#[test]
fn a_perturbed_target_weight_or_parameter_is_seen() {
    let mut problem = Problem::new(2, false);
    let mut loss = LossOf::new(&problem);
    let all = differentiate(&problem, &loss, None);
    let check = |problem: &Problem, loss: &LossOf| agrees(problem, &|x| loss.parts(x).1, &all.got);
    check(&problem, &loss).unwrap();
    loss.target[5] += 0.05;
    assert!(check(&problem, &loss).unwrap_err().starts_with("v, row 2"));
    loss.target[5] -= 0.05;
    loss.weights[7] *= 1.01;
    assert!(check(&problem, &loss).unwrap_err().starts_with("v, row 7"));
    loss.weights[7] /= 1.01;
    problem.parameters[30] += 0.01;
    assert!(check(&problem, &loss).is_err());
}

#[test]
fn a_state_that_is_not_finite_is_counted_and_spoils_the_gradient() {
    let mut problem = Problem::new(2, false);
    problem.states[5 * 4] = f32::INFINITY;
    let loss = LossOf::new(&problem);
    let all = differentiate(&problem, &loss, None);
    assert_eq!(all.tally, [2, 1, 0], "two components, one matrix");
    let nan = |values: &[f32]| (0..values.len()).filter(|&at| values[at].is_nan()).collect::<Vec<_>>();
    assert_eq!(nan(&all.losses), [4]);
    assert_eq!(nan(&all.got.v), [8, 9]);
    assert!(all.got.gradient.iter().any(|x| !x.is_finite()), "the step must be skipped");
}

/// Rows of a model are those of a batch: what is odd about one of them is counted there.
#[test]
fn each_model_of_an_ensemble_is_counted_by_itself() {
    let mut problem = Problem::new(2, false);
    problem.states[5 * 4] = f32::INFINITY;
    let mut loss = LossOf::new(&problem);
    loss.batch = 2;
    let all = differentiate(&problem, &loss, None);
    let models = problem.rows.div_ceil(2);
    let counts: Vec<&[u32]> = all.tally.chunks_exact(3).collect();
    assert_eq!(counts.len(), models);
    // The state with the infinite number is row 4 in the test above.
    for (model, counts) in counts.into_iter().enumerate() {
        assert_eq!(counts, if model == 2 { [2, 1, 0] } else { [0; 3] }, "model {model}");
    }
}

#[test]
fn accelerations_alone_have_the_same_bits_and_a_rank() {
    for (d, deficient) in [(1, false), (2, true), (5, false), (8, false)] {
        let problem = Problem::new(d, deficient);
        let rows = problem.rows;
        let Accelerated { acceleration, ranks, tally, .. } = accelerate(&problem);
        let whole = differentiate(&problem, &LossOf::new(&problem), None);
        assert_eq!(acceleration, whole.got.acceleration, "d = {d}");
        let rank = if deficient { 1 } else { d as u32 };
        assert_eq!((ranks, tally), (vec![rank; rows], [0, if deficient { rows as u32 } else { 0 }]));
    }
}

#[test]
fn more_coordinates_than_there_are_kernels_for_is_an_error_that_says_so() {
    let problem = Problem::new(9, false);
    let features = Features::new(device(), problem.map.clone()).unwrap();
    let (rows, stride, d) = (problem.rows, features.stride(), 9);
    let wide = poisoned("wide", (rows * stride).max(rows * d * (d + 3)));
    let count = device().buffer::<u32>("ranks", rows).unwrap();
    let equation = Equation {
        features: &features,
        rows,
        masses: &problem.masses,
        units: None,
        tolerance: Tolerance::for_dimension::<f32>(d),
        forces: None,
    };
    let buffers = AccelerateBuffers {
        slopes: &wide,
        x_bar: &wide,
        second_derivatives: &wide,
        acceleration: &wide,
        ranks: &count,
        negative: &count,
        tally: &count,
    };
    let error = equation.accelerate(device(), buffers).expect_err("no kernel").to_string();
    assert_eq!(error, "there is no kernel accelerate for 9 coordinates; there is one for 1 to 8; compute on the CPU");
}
