//! Losses and their cotangents against the closed forms.

use lnn_gpu::loss::{
    Loss, LossBuffers, LossSettings, PlainLossBuffers, PlainLossSettings, lorentz_weights, plain_loss, rate_loss,
};

use crate::buffers::{buffer, contents, poisoned, run};
use crate::close::close;
use crate::ground::device;

const ALL: [Loss; 4] = [Loss::L1, Loss::L2, Loss::Huber { delta: 0.7 }, Loss::RelativePseudoHuber { scale: 0.02 }];

/// Value and slope in double precision, of a component with the error e and the target t.
fn component(loss: Loss, e: f64, t: f64) -> (f64, f64) {
    match loss {
        Loss::L1 => (e.abs(), if e == 0.0 { 0.0 } else { e.signum() }),
        Loss::L2 => (e * e, 2.0 * e),
        // δ as the device has it.
        Loss::Huber { delta } => match f64::from(delta as f32) {
            delta if e.abs() <= delta => (0.5 * e * e, e),
            delta => (delta * (e.abs() - 0.5 * delta), delta * e.signum()),
        },
        Loss::RelativePseudoHuber { scale } => {
            let s = scale * (1.0 + t.abs());
            let root = s.hypot(e);
            (e * e / (root + s), e / root)
        }
    }
}

struct Outcome {
    cotangent: Vec<f32>,
    losses: Vec<f32>,
    not_finite: u32,
}

fn evaluate(
    loss: Loss,
    components: usize,
    batch: usize,
    units: Option<&[f64]>,
    [prediction, target]: [&[f32]; 2],
    weights: Option<&[f32]>,
) -> Outcome {
    let rows = prediction.len() / components;
    let tally = device().buffer::<u32>("tally", 1).unwrap();
    device().upload(&tally, 0, &[100]).unwrap();
    let (cotangent, losses) = (poisoned("cotangent", rows * components), poisoned("losses", rows));
    let weights = weights.map(|weights| buffer("weights", weights));
    let buffers = LossBuffers {
        prediction: &buffer("prediction", prediction),
        target: &buffer("target", target),
        weights: weights.as_ref(),
        cotangent: &cotangent,
        losses: &losses,
        tally: &tally,
    };
    let stage = rate_loss(device(), LossSettings { loss, rows, components, batch, units }, buffers).unwrap();
    run(|recorder| stage.record(recorder));
    let mut not_finite = [0];
    device().download(&tally, 0, &mut not_finite).unwrap();
    Outcome { cotangent: contents(&cotangent), losses: contents(&losses), not_finite: not_finite[0] - 100 }
}

/// Predictions and targets whose errors reach from below the smoothing to far above it.
fn pairs(count: usize) -> [Vec<f32>; 2] {
    let target: Vec<f32> = (0..count).map(|i| (10.0 * (0.9 * i as f64).sin()) as f32).collect();
    let error = |i: usize| 10.0_f64.powi(i as i32 % 9 - 6) * (1.7 * i as f64).cos();
    let prediction = (0..count).map(|i| target[i] + error(i) as f32).collect();
    [prediction, target]
}

/// The first of losses or cotangents that is not within its roundings.
fn far(
    loss: Loss,
    components: usize,
    batch: usize,
    [prediction, target]: [&[f32]; 2],
    weights: &[f64],
    got: &Outcome,
) -> Option<String> {
    let parts = prediction.iter().zip(target).map(|(&p, &t)| component(loss, f64::from(p - t), t.into()));
    let (values, slopes): (Vec<f64>, Vec<f64>) = parts.unzip();
    let of_row = |row: usize| weights[row] * values[row * components..(row + 1) * components].iter().sum::<f64>();
    let losses: Vec<f64> = (0..weights.len()).map(of_row).collect();
    let slopes: Vec<f64> =
        slopes.iter().enumerate().map(|(at, slope)| slope * weights[at / components] / batch as f64).collect();
    let scale = |values: &[f64]| values.iter().map(|x| x.abs()).collect::<Vec<_>>();
    // Roots and quotients of WGSL may be off by 2.5 units each; a sum of up to eight terms.
    let losses = close(&got.losses, &losses, &scale(&losses), 16.0).map_err(|far| format!("{loss:?}: loss, {far:?}"));
    let slopes = close(&got.cotangent, &slopes, &scale(&slopes), 8.0).map_err(|far| format!("{loss:?}: λ, {far:?}"));
    losses.and(slopes).err()
}

#[test]
fn losses_and_cotangents_follow_their_formulas() {
    for loss in ALL {
        for (rows, components) in [(1, 1), (63, 2), (65, 3), (130, 8)] {
            let batch = 3 * rows;
            let [prediction, target] = pairs(rows * components);
            let pair = [&prediction[..], &target];
            let got = evaluate(loss, components, batch, None, pair, None);
            assert_eq!(far(loss, components, batch, pair, &vec![1.0; rows], &got), None);
            assert_eq!(got.not_finite, 0);
            let weights: Vec<f32> = (0..rows).map(|row| 1.0 + 0.3 * row as f32).collect();
            let wide: Vec<f64> = weights.iter().map(|&x| x.into()).collect();
            let got = evaluate(loss, components, batch, None, pair, Some(&weights));
            assert_eq!(far(loss, components, batch, pair, &wide, &got), None, "with weights");
        }
    }
}

#[test]
fn a_perturbed_prediction_or_weight_is_seen() {
    for loss in ALL {
        let [mut prediction, target] = pairs(40);
        // Beyond Huber's δ no slope changes, but the values do.
        let kept = prediction.clone();
        prediction[17] += 1e-3;
        let got = evaluate(loss, 2, 20, None, [&prediction, &target], None);
        assert!(far(loss, 2, 20, [&kept, &target], &[1.0; 20], &got).is_some());
        let mut weights = [1.0_f32; 20];
        weights[19] = 1.0001;
        let got = evaluate(loss, 2, 20, None, [&kept, &target], Some(&weights));
        assert!(far(loss, 2, 20, [&kept, &target], &[1.0; 20], &got).is_some());
    }
}

#[test]
fn an_exact_prediction_has_no_loss_and_no_cotangent() {
    for loss in ALL {
        let got = evaluate(loss, 2, 1, None, [&[3.0, -0.0], &[3.0, 0.0]], None);
        assert_eq!((got.losses, got.cotangent), (vec![0.0], vec![0.0; 2]), "{loss:?}");
    }
}

#[test]
fn pseudo_huber_keeps_its_digits_at_both_ends() {
    let loss = Loss::RelativePseudoHuber { scale: 0.02 };
    let (prediction, target) = ([1e-6_f32, -1e30, 1e19], [0.0_f32; 3]);
    let got = evaluate(loss, 1, 1, None, [&prediction, &target], None);
    assert_eq!(far(loss, 1, 1, [&prediction, &target], &[1.0; 3], &got), None);
    assert_eq!(got.cotangent[1..], [-1.0, 1.0]);
}

#[test]
fn errors_that_are_not_finite_are_counted_and_show() {
    for loss in ALL {
        for weights in [None, Some(&[2.0_f32, 2.0, 2.0][..])] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let (prediction, target) = ([1.0, bad, 2.0, 0.5, 3.0, bad], [0.0, 0.0, bad, 0.0, 1.0, bad]);
                let got = evaluate(loss, 2, 3, None, [&prediction, &target], weights);
                assert_eq!(got.not_finite, 3, "{loss:?}, {bad}");
                assert!(got.losses.iter().all(|x| x.is_nan()), "{loss:?}, {bad}: {:?}", got.losses);
                let finite: Vec<bool> = got.cotangent.iter().map(|x| x.is_finite()).collect();
                assert_eq!(finite, [true, false, false, true, true, false]);
            }
        }
    }
}

#[test]
fn units_divide_the_errors_of_each_component() {
    // Of powers of two, which round nothing.
    let units = [4.0_f64, 0.5];
    let [prediction, target] = pairs(24);
    let scaled = |values: &[f32]| values.iter().enumerate().map(|(i, x)| x / units[i % 2] as f32).collect::<Vec<_>>();
    for loss in ALL {
        let got = evaluate(loss, 2, 12, Some(&units), [&prediction, &target], None);
        let want = evaluate(loss, 2, 12, None, [&scaled(&prediction), &scaled(&target)], None);
        assert_eq!((got.losses, got.cotangent), (want.losses, scaled(&want.cotangent)), "{loss:?}");
    }
}

#[test]
fn weights_are_one_plus_the_lorentz_factor_below_the_speed_of_light() {
    let weights_of = |d: usize, states: &[f32]| {
        let rows = states.len() / (2 * d + 1);
        let weights = poisoned("weights", rows);
        let stage = lorentz_weights(device(), rows, d, 2 * d + 1, &buffer("states", states), &weights).unwrap();
        run(|recorder| stage.record(recorder));
        contents(&weights)
    };
    let velocities = [0.0, -0.6, 0.999_99, 1.0 - f32::EPSILON / 2.0, -1.0, 1.2, f32::NAN];
    let states: Vec<f32> = velocities.iter().flat_map(|&v| [7.0, v, 8.0]).collect();
    let want: Vec<f64> = velocities[..4].iter().map(|&v| 1.0 + 1.0 / (1.0 - f64::from(v).powi(2)).sqrt()).collect();
    let got = weights_of(1, &states);
    close(&got[..4], &want, &want, 8.0).unwrap();
    assert!(got[4..].iter().all(|x| x.is_nan()), "{got:?}");
    assert!(close(&weights_of(1, &[7.0, 0.61, 8.0]), &want[1..2], &want[1..2], 8.0).is_err());
    // γ = 1/0.6 of two components, and a velocity beyond light in its second.
    let got = weights_of(2, &[7.0, 7.0, 0.6, 0.28_f32.sqrt(), 8.0, 7.0, 7.0, 0.1, 0.999, 8.0]);
    close(&got[..1], &[1.0 + 1.0 / 0.6], &[3.0], 8.0).unwrap();
    assert!(got[1].is_nan());
}

/// The outputs' cotangent and losses of a plain network with outputs `prediction` / 10.
fn of_plain_network(
    loss: Loss,
    components: usize,
    [prediction, target]: [&[f32]; 2],
    weights: Option<&[f32]>,
) -> (Vec<Vec<f32>>, Vec<f32>) {
    let (rows, stride) = (prediction.len() / components, components.next_multiple_of(4));
    let mut output = vec![f32::NAN; rows * stride];
    for (padded, row) in output.chunks_mut(stride).zip(prediction.chunks(components)) {
        padded[..components].copy_from_slice(row);
    }
    let (output_bar, losses) = (poisoned("output bar", rows * stride), poisoned("losses", rows));
    let weights = weights.map(|weights| buffer("weights", weights));
    let settings = PlainLossSettings { loss, rows, components, output_scale: 8.0, batch: 3 * rows, units: None };
    let buffers = PlainLossBuffers {
        output: &buffer("output", &output),
        target: &buffer("target", target),
        weights: weights.as_ref(),
        output_bar: &output_bar,
        losses: &losses,
    };
    let stage = plain_loss(device(), settings, buffers).unwrap();
    run(|recorder| stage.record(recorder));
    (contents(&output_bar).chunks(stride).map(<[f32]>::to_vec).collect(), contents(&losses))
}

/// A power of two as the scale, so that the errors are the same bits.
#[test]
fn a_plain_network_has_the_loss_of_its_scaled_outputs() {
    for loss in ALL {
        for (rows, components) in [(1, 1), (65, 2), (66, 4), (3, 5), (130, 8)] {
            let [prediction, target] = pairs(rows * components);
            let outputs: Vec<f32> = prediction.iter().map(|x| x / 8.0).collect();
            let weights: Vec<f32> = (0..rows).map(|row| 1.0 + 0.3 * row as f32).collect();
            for weights in [None, Some(&weights[..])] {
                let pair = [&prediction[..], &target];
                let want = evaluate(loss, components, 3 * rows, None, pair, weights);
                let (output_bar, losses) = of_plain_network(loss, components, [&outputs, &target], weights);
                assert_eq!(losses, want.losses);
                for (bar, cotangent) in output_bar.iter().zip(want.cotangent.chunks(components)) {
                    let (own, padding) = bar.split_at(components);
                    assert!(
                        own.iter().zip(cotangent).all(|(bar, lambda)| *bar == 8.0 * lambda),
                        "{own:?} {cotangent:?}"
                    );
                    assert!(padding.iter().all(|&x| x == 0.0), "{padding:?}");
                }
            }
        }
    }
}

#[test]
fn an_output_that_is_not_finite_spoils_the_loss_of_its_sample() {
    let [mut outputs, target] = pairs(12);
    outputs[5] = f32::INFINITY;
    let (output_bar, losses) = of_plain_network(Loss::L1, 2, [&outputs, &target], None);
    assert!(output_bar[2][1].is_nan() && losses[2].is_nan());
    assert!(losses.iter().enumerate().all(|(row, loss)| row == 2 || loss.is_finite()));
}
