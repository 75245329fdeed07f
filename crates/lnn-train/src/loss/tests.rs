//! Every loss against finite differences, its closed form, and bad input.

use proptest::prelude::*;

use super::*;

const ALL: [Loss; 4] = [Loss::L1, Loss::L2, Loss::Huber { delta: 0.7 }, Loss::RelativePseudoHuber { scale: 0.02 }];

fn value(loss: Loss, prediction: &[f64], target: &[f64], batch: usize) -> f64 {
    let mut cotangent = vec![0.0; prediction.len()];
    loss.evaluate(prediction, target, batch, &mut cotangent).value
}

/// Smallest distance at which the second derivative may jump or is large, per loss.
fn away_from_kinks(loss: Loss, error: f64, step: f64) -> bool {
    match loss {
        Loss::L1 => error.abs() > 2.0 * step,
        Loss::Huber { delta } => (error.abs() - delta).abs() > 2.0 * step,
        Loss::L2 | Loss::RelativePseudoHuber { .. } => true,
    }
}

proptest! {
    #[test]
    fn cotangents_match_central_differences(
        pairs in prop::collection::vec((-5.0_f64..5.0, -5.0_f64..5.0), 1..40), extra in 0usize..5,
    ) {
        let (prediction, target): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        let batch = prediction.len() + extra;
        let step = 1e-5;
        for loss in ALL {
            let mut cotangent = vec![f64::NAN; prediction.len()];
            let found = loss.evaluate(&prediction, &target, batch, &mut cotangent);
            prop_assert_eq!(found.non_finite, 0);
            for at in 0..prediction.len() {
                let error = prediction[at] - target[at];
                if !away_from_kinks(loss, error, step) {
                    continue;
                }
                // One component alone, so that round-off scales with it and not with the whole sum.
                let single = |shift: f64| value(loss, &[prediction[at] + shift], &[target[at]], batch);
                let difference = (single(step) - single(-step)) / (2.0 * step);
                // Round-off ε |value| / step and, for the smooth loss, step²/6 · |value'''| ≤ step² / s².
                let smoothing = 0.02 * (1.0 + target[at].abs());
                let bound = (4.0 * f64::EPSILON * (10.0 + single(0.0) * batch as f64) / step
                    + (step / smoothing).powi(2)) / batch as f64;
                prop_assert!(
                    (cotangent[at] - difference).abs() <= bound,
                    "{:?} at e = {}: {} {}", loss, error, cotangent[at], difference
                );
            }
        }
    }

    #[test]
    fn parts_of_a_batch_add_up(count in 1usize..40, cut in 0usize..40) {
        let cut = cut.min(count);
        let prediction: Vec<f64> = (0..count).map(|i| (i as f64).sin()).collect();
        let target: Vec<f64> = (0..count).map(|i| (i as f64).cos()).collect();
        for loss in ALL {
            let mut whole = vec![0.0; count];
            let mut parts = vec![0.0; count];
            let expected = loss.evaluate(&prediction, &target, count, &mut whole);
            let (head, tail) = parts.split_at_mut(cut);
            let mut sum = loss.evaluate(&prediction[..cut], &target[..cut], count, head);
            sum += loss.evaluate(&prediction[cut..], &target[cut..], count, tail);
            prop_assert_eq!(whole, parts);
            prop_assert!((sum.value - expected.value).abs() <= count as f64 * f64::EPSILON * expected.value);
        }
    }
}

#[test]
fn closed_form_values() {
    // Two samples of two components: e = (0.5, −2), (0, 1).
    let (prediction, target) = ([1.5, 1.0, 2.0, 1.0], [1.0, 3.0, 2.0, 0.0]);
    let scale = 0.02;
    let pseudo = |e: f64, t: f64| (e * e + (scale * (1.0 + t)).powi(2)).sqrt() - scale * (1.0 + t);
    let expected = [
        (Loss::L1, 3.5 / 2.0),
        (Loss::L2, 5.25 / 2.0),
        (Loss::Huber { delta: 1.0 }, (0.125 + 1.5 + 0.5) / 2.0),
        (Loss::RelativePseudoHuber { scale }, (pseudo(0.5, 1.0) + pseudo(2.0, 3.0) + pseudo(1.0, 0.0)) / 2.0),
    ];
    for (loss, expected) in expected {
        let found = value(loss, &prediction, &target, 2);
        assert!((found - expected).abs() <= 8.0 * f64::EPSILON, "{loss:?}: {found} {expected}");
    }
}

#[test]
fn an_exact_prediction_has_no_loss_and_no_cotangent() {
    for loss in ALL {
        let mut cotangent = [f32::NAN; 2];
        let found = loss.evaluate(&[3.0_f32, -0.0], &[3.0, 0.0], 1, &mut cotangent);
        assert_eq!((found, cotangent), (BatchLoss::default(), [0.0; 2]), "{loss:?}");
    }
}

#[test]
fn pseudo_huber_keeps_its_digits_at_both_ends() {
    let loss = Loss::RelativePseudoHuber { scale: 0.02 };
    let mut cotangent = [0.0_f32];
    // Far below the smoothing s the value is e² / 2s and the slope e / s.
    let found = loss.evaluate(&[1e-6_f32], &[0.0], 1, &mut cotangent);
    let epsilon = f64::from(f32::EPSILON);
    assert!((found.value - 2.5e-11).abs() <= 4.0 * epsilon * 2.5e-11, "{found:?}");
    assert!((f64::from(cotangent[0]) - 5e-5).abs() <= 4.0 * epsilon * 5e-5);
    // Far above it the value is |e| and the slope the sign, also where e² overflows.
    let found = loss.evaluate(&[-1e30_f32], &[0.0], 1, &mut cotangent);
    assert!((found.value - 1e30).abs() <= 4.0 * epsilon * 1e30, "{found:?}");
    assert_eq!(cotangent, [-1.0]);
}

#[test]
fn errors_that_are_not_finite_are_counted_and_show() {
    for loss in ALL {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut cotangent = [0.0; 3];
            let found = loss.evaluate(&[1.0, bad, 2.0], &[0.0, 0.0, bad], 3, &mut cotangent);
            assert_eq!(found.non_finite, 2, "{loss:?}");
            assert!(found.value.is_nan() && cotangent[0].is_finite());
            assert!(cotangent[1].is_nan() && cotangent[2].is_nan());
        }
    }
}

#[test]
fn settings_and_text() {
    assert_eq!(ron::from_str::<Loss>("RelativePseudoHuber()").unwrap(), Loss::default());
    assert_eq!(ron::from_str::<Loss>("L1").unwrap(), Loss::L1);
    assert!(ron::from_str::<Loss>("Huber(detla: 1.0)").is_err());
    for loss in ALL {
        assert!(loss.validate().is_empty());
        assert_eq!(ron::from_str::<Loss>(&ron::to_string(&loss).unwrap()).unwrap(), loss);
    }
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Loss::Huber { delta: bad }.validate()[0].field, "delta");
        assert_eq!(Loss::RelativePseudoHuber { scale: bad }.validate()[0].field, "scale");
    }
}

/// Weights multiply what each row would have given alone, and add up.
#[test]
fn weighted_rows_are_the_plain_ones_times_their_weights() {
    let (prediction, target) = ([1.0, -2.0, 0.5, 4.0, 3.0, 0.0], [0.5, 1.0, 0.25, -1.0, 2.0, 7.0]);
    let weights = [2.0, 0.5, 3.0];
    for loss in [Loss::L1, Loss::L2, Loss::Huber { delta: 1.0 }, Loss::RelativePseudoHuber { scale: 0.1 }] {
        let mut got = [0.0; 6];
        let whole = loss.evaluate_weighted(&prediction, &target, &weights, 4, &mut got);
        let (mut value, mut want) = (0.0, [0.0; 6]);
        for (row, weight) in weights.into_iter().enumerate() {
            let rows = 2 * row..2 * row + 2;
            value += weight
                * loss.evaluate(&prediction[rows.clone()], &target[rows.clone()], 4, &mut want[rows.clone()]).value;
            want[rows].iter_mut().for_each(|component| *component *= weight);
        }
        assert_eq!((got, whole.value, whole.weight, whole.non_finite), (want, value, 5.5 / 4.0, 0));
    }
    let bad = Loss::L1.evaluate_weighted(&[f64::NAN, 1.0], &[0.0, 0.0], &[1.0, 1.0], 2, &mut [0.0; 2]);
    assert!(bad.value.is_nan() && bad.non_finite == 1);
}
