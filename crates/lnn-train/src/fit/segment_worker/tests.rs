//! The gradient of the whole loss against differences, and what a batch does not depend on.

use std::f64::consts::TAU;
use std::sync::Arc;

use lnn_autodiff::{Activation, MlpShape};

use super::*;
use crate::config::{FeaturesConfig, Initialisation, ModelKind};
use crate::fit::trapezium::Rule;
use crate::trajectory::Trajectories;

const KINDS: [ModelKind; 6] = [
    ModelKind::Lnn {
        residual_mass: 1.5,
        pseudoinverse_tolerance: 1e-9,
        potential_scale: None,
        scaled_velocities: false,
    },
    ModelKind::Lnn {
        residual_mass: 1.5,
        pseudoinverse_tolerance: 1e-9,
        potential_scale: Some(2.0),
        scaled_velocities: false,
    },
    ModelKind::Delan { diagonal: 1.25, regularisation: 0.25, potential_scale: 2.0 },
    ModelKind::Hnn,
    ModelKind::Baseline { output_scale: 3.0 },
    ModelKind::BaselineFirstOrder { velocity_scale: 2.0, output_scale: 5.0 },
];
const LOSSES: [Loss; 2] = [Loss::L2, Loss::RelativePseudoHuber { scale: 0.3 }];
const BATCH: usize = 12;

/// Two coordinates and one conditional, at uneven times.
fn data(observations: usize, warm_start_steps: u64) -> ObservedMotions {
    let mut trajectories = Trajectories::new(2, 1).expect("two coordinates");
    for motion in 0..4 {
        let phase = 1.3 * f64::from(motion);
        let times: Vec<f64> =
            (0..8).map(|row| 0.05 * f64::from(row) + 0.01 * (f64::from(row * row) + phase).sin()).collect();
        let state = |&t: &f64| [(t + phase).sin(), 2.0 * t - phase, (t + phase).cos(), 2.0 + 0.5 * (3.0 * t).sin()];
        let states: Vec<f64> = times.iter().flat_map(state).collect();
        trajectories.push(&times, &states, &[0.3 * phase - 0.5]).expect("usable");
    }
    let segments = Segments::new(Arc::new(trajectories), observations, 2).expect("they fit");
    ObservedMotions { segments, warm_start_steps, rule: Rule::Trapezium }
}

fn model(kind: ModelKind) -> Model {
    let features = FeaturesConfig { velocity_scale: 1.5, ..FeaturesConfig::default() };
    let shape = MlpShape::new(&kind.dimensions(&features, &[9, 7], 2, 1), Activation::Tanh).expect("sizes above 0");
    Model::new(kind, &features, shape, 2, 1).expect("a model that fits")
}

/// Loss and gradient of the rows of step 5 by blocks that end before the rows `ends`.
fn evaluate(
    model: &Model,
    parameters: &[f64],
    data: &ObservedMotions,
    loss: Loss,
    ends: &[usize],
) -> (BatchLoss, Vec<f64>) {
    let (networks, sampler) = (model.bind(parameters), StateSampler::new(2, 0));
    let context = SegmentContext { data, sampler, loss, batch: BATCH, step: 5, networks };
    let mut worker = SegmentWorker::new(model, data, (loss, None), BATCH + 1);
    let mut gradient = vec![f64::NAN; parameters.len()];
    let mut total = BatchLoss::default();
    let mut accumulate = Accumulate::Replace;
    let mut start = 0;
    for &end in ends {
        total += worker.run(&context, start..end, accumulate, &mut gradient);
        (start, accumulate) = (end, Accumulate::Add);
    }
    (total, gradient)
}

#[test]
fn the_gradient_of_the_whole_loss_agrees_with_central_differences() {
    for kind in KINDS {
        let model = model(kind);
        let parameters: Vec<f64> = Initialisation::default().draw(&model, 3);
        let trapezium = Rule::Trapezium;
        for (observations, warm_start, rule, loss) in [
            (2, 0, trapezium, LOSSES[0]),
            (4, 0, trapezium, LOSSES[1]),
            (2, 9, trapezium, LOSSES[1]),
            (4, 9, trapezium, LOSSES[0]),
            (4, 9, Rule::Start, LOSSES[0]),
        ] {
            let data = ObservedMotions { rule, ..data(observations, warm_start) };
            let (value, gradient) = evaluate(&model, &parameters, &data, loss, &[BATCH]);
            let largest = gradient.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()));
            let h = f64::EPSILON.cbrt();
            let mut seen = 0;
            for place in (0..parameters.len()).step_by(7) {
                let at = |step: f64| {
                    let mut moved = parameters.clone();
                    moved[place] += step;
                    evaluate(&model, &moved, &data, loss, &[BATCH]).0.value
                };
                let slope = |h: f64| (at(h) - at(-h)) / (2.0 * h);
                let (difference, wider) = (slope(h), slope(2.0 * h));
                // Truncation as the wider difference shows it; some thousand roundings of the value, divided by h.
                let tolerance = (wider - difference).abs() + 4000.0 * f64::EPSILON * (1.0 + value.value) / h;
                let off = (gradient[place] - difference).abs();
                assert!(off <= tolerance, "{kind:?} {observations} {warm_start} {rule:?}: {off:e} above {tolerance:e}");
                seen += usize::from(difference.abs() > 100.0 * tolerance);
            }
            assert!(seen > 3 && largest > 0.0, "{kind:?}: the tolerance hides the gradient");
        }
    }
}

#[test]
fn a_batch_is_the_same_however_it_is_cut() {
    let model = model(KINDS[0]);
    let parameters: Vec<f64> = Initialisation::default().draw(&model, 3);
    for warm_start in [0, 9] {
        let data = data(3, warm_start);
        let whole = evaluate(&model, &parameters, &data, LOSSES[1], &[BATCH]);
        let cut = evaluate(&model, &parameters, &data, LOSSES[1], &[5, 6, BATCH]);
        let size = whole.1.iter().fold(0.0, |size: f64, x| size.max(x.abs()));
        let tolerance = 1e4 * f64::EPSILON;
        assert!((whole.0.value - cut.0.value).abs() < tolerance * whole.0.value, "{} {}", whole.0.value, cut.0.value);
        for (a, b) in whole.1.iter().zip(&cut.1) {
            assert!((a - b).abs() < tolerance * size, "{a} {b}");
        }
    }
}

/// The rates of the model that the data are of: the loss vanishes with the error of the rule that goes along them.
#[test]
fn the_loss_of_a_true_model_is_the_error_of_the_rule() {
    // q̈ = 0 is what a network without weights says; motion at constant velocity is exact by any rule.
    let mut trajectories = Trajectories::new(2, 1).expect("two coordinates");
    let times = [0.0, 0.1, 0.3, 0.35];
    let straight: Vec<f64> = times.iter().flat_map(|t| [1.0 + 2.0 * t, -3.0 * t, 2.0, -3.0]).collect();
    trajectories.push(&times, &straight, &[0.0]).expect("usable");
    let segments = Segments::new(Arc::new(trajectories), 3, 2).expect("they fit");
    let model = model(ModelKind::Baseline { output_scale: 1.0 });
    let parameters = vec![0.0; model.parameter_count()];
    for (warm_start_steps, rule) in [(0, Rule::Trapezium), (9, Rule::Trapezium), (9, Rule::Start)] {
        let data = ObservedMotions { segments: segments.clone(), warm_start_steps, rule };
        let (loss, _) = evaluate(&model, &parameters, &data, Loss::L1, &[BATCH]);
        assert!(loss.value < 100.0 * f64::EPSILON && loss.non_finite == 0, "{loss:?}");
    }
}

#[test]
fn what_is_not_finite_is_counted_and_leaves_the_gradient_alone() {
    let model = model(KINDS[4]);
    let mut parameters: Vec<f64> = Initialisation::default().draw(&model, 3);
    let last = parameters.len() - 1;
    parameters[last] = f64::INFINITY;
    // At two later observations one of two velocities; in a rollout the coordinates that it is fed back to as well.
    for (warm_start, least) in [(9, BATCH * 2), (0, BATCH * 4)] {
        let (loss, gradient) = evaluate(&model, &parameters, &data(3, warm_start), Loss::L1, &[BATCH]);
        assert!(loss.non_finite >= least && loss.value.is_nan(), "{loss:?}");
        assert!(warm_start == 0 || loss.non_finite == least, "{loss:?}");
        assert!(gradient.iter().all(|x| x.is_nan()));
    }
}

/// An angle of a thousand turns has lost four digits in single precision; the sines and cosines of a segment need none of them.
#[test]
fn whole_turns_of_angles_cost_no_digits() {
    let model = model(KINDS[0]);
    let parameters: Vec<f32> = Initialisation::default().draw(&model, 3);
    let loss = |turns: f64, warm_start: u64| {
        let mut data = data(3, warm_start);
        let mut turned = Trajectories::new(2, 1).expect("two coordinates");
        for motion in data.segments.trajectories().motions() {
            let shifted: Vec<f64> = motion
                .states
                .chunks_exact(4)
                .flat_map(|state| [state[0] + turns * TAU, state[1] - turns * TAU, state[2], state[3]])
                .collect();
            turned.push(motion.times, &shifted, motion.conditionals).expect("usable");
        }
        data.segments = Segments::new(Arc::new(turned), 3, 2).expect("they fit");
        let (networks, sampler) = (model.bind(&parameters), StateSampler::new(2, 0));
        let context = SegmentContext { data: &data, sampler, loss: Loss::L2, batch: BATCH, step: 5, networks };
        let mut gradient = vec![f32::NAN; parameters.len()];
        let mut worker = SegmentWorker::new(&model, &data, (Loss::L2, None), BATCH);
        worker.run(&context, 0..BATCH, Accumulate::Replace, &mut gradient).value
    };
    for warm_start in [0, 9] {
        let (near, far) = (loss(0.0, warm_start), loss(1000.0, warm_start));
        // Some hundred roundings; the angles themselves would be off by 2e-4.
        assert!((near - far).abs() < 100.0 * f64::from(f32::EPSILON) * near, "{near} {far}");
    }
}
