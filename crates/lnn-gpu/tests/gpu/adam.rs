//! Adam's updates against their formula in double precision.

use lnn_gpu::optimiser::Adam;
use lnn_gpu::step::{StepSettings, Terms};

use crate::close::close;
use crate::ground::device;
use crate::step::{ADAM, Given, download, settings, wave};

const DECAY: f64 = 0.1;

struct Run {
    got: [Vec<f32>; 3],
    /// Value and scale.
    want: [(Vec<f64>, Vec<f64>); 3],
}

/// So many steps in one submission, each with the same gradient, for two models; θ, m, v. The device's last gradient is
/// off by `perturbation`.
fn run(parameters: usize, steps: usize, perturbation: f32) -> Run {
    let settings = StepSettings { weight_decay: DECAY, ..settings(2, 1) };
    let given = Given::new(&settings, parameters);
    let control = given.control(settings, false);
    let adam = Adam::new(device(), ADAM, &control, &given.gradient, &given.parameters).unwrap();
    let count = 2 * parameters;
    let (theta, mut gradient) = (wave(count, 0.11, 1.0), wave(count, 0.7, 1.0));
    let rates: Vec<f64> = (0..steps).map(|step| 0.02 / (1.0 + step as f64)).collect();

    let mut want = [(); 3].map(|()| (vec![0.0; count], vec![0.0; count]));
    for i in 0..count {
        let (mut m, mut v, mut value, mut scale) = (0.0, 0.0, f64::from(theta[i]), f64::from(theta[i].abs()));
        let g = f64::from(gradient[i]);
        for (t, rate) in (1..).zip(&rates) {
            m = ADAM.beta1 * m + (1.0 - ADAM.beta1) * g;
            v = ADAM.beta2 * v + (1.0 - ADAM.beta2) * g * g;
            let root = (v / (1.0 - ADAM.beta2.powi(t))).sqrt() + ADAM.epsilon;
            let change = rate * m / (1.0 - ADAM.beta1.powi(t)) / root;
            value = (1.0 - rate * DECAY) * value - change;
            scale += change.abs();
        }
        for ((values, scales), (value, scale)) in want.iter_mut().zip([(value, scale), (m, m.abs()), (v, v)]) {
            (values[i], scales[i]) = (value, scale);
        }
    }

    gradient[count - 1] += perturbation;
    device().upload(&given.parameters, 0, &theta).unwrap();
    device().upload(&given.gradient, 0, &gradient).unwrap();
    control.set_rates(device(), 0, &rates, Terms::FullRank).unwrap();
    let mut recorder = device().recorder("steps");
    for step in 0..steps {
        control.record_decision(&mut recorder, step);
        adam.record(&mut recorder);
        control.record_restoration(&mut recorder);
    }
    recorder.submit().unwrap();
    let [m, v] = adam.moments();
    Run { got: [download(&given.parameters), download(m), download(v)], want }
}

/// Some eight roundings on the way to a result, in every step; β₂'s own counts a thousandfold in 1 − β₂, by which
/// the sum of the weights of v differs from 1 − β₂ᵗ.
fn factor(steps: usize) -> f64 {
    16.0 + 8.0 * steps as f64
}

#[test]
fn adam_follows_its_formula_at_any_length() {
    for (parameters, steps) in [(4, 1), (252, 2), (256, 50), (260, 3), (4100, 10)] {
        let Run { got, want } = run(parameters, steps, 0.0);
        for ((got, (want, scale)), name) in got.iter().zip(want).zip(["θ", "m", "v"]) {
            close(got, &want, &scale, factor(steps))
                .unwrap_or_else(|far| panic!("{name}, {parameters}, {steps} steps: {far:?}"));
        }
    }
}

#[test]
fn a_perturbed_gradient_is_seen() {
    let Run { got, want: [_, (m, m_scale), (v, v_scale)] } = run(300, 3, 1e-3);
    assert_eq!(close(&got[1], &m, &m_scale, factor(3)).unwrap_err().at, 599);
    assert_eq!(close(&got[2], &v, &v_scale, factor(3)).unwrap_err().at, 599);
}

#[test]
fn averages_of_a_vanished_gradient_end_at_zero() {
    let settings = settings(1, 1);
    let given = Given::new(&settings, 4);
    let control = given.control(settings, false);
    let adam = Adam::new(device(), ADAM, &control, &given.gradient, &given.parameters).unwrap();
    device().upload(adam.moments()[0], 0, &[1.2e-38, -1.2e-38, 0.0, 1.0]).unwrap();
    device().upload(adam.moments()[1], 0, &[1.1754944e-38, 0.0, 0.0, 1.0]).unwrap();
    control.set_rates(device(), 0, &[0.1], Terms::FullRank).unwrap();
    let mut recorder = device().recorder("step");
    control.record_decision(&mut recorder, 0);
    adam.record(&mut recorder);
    recorder.submit().unwrap();
    assert_eq!(download(adam.moments()[0]), [0.0, 0.0, 0.0, 0.9]);
    assert_eq!(download(adam.moments()[1])[..3], [0.0, 0.0, 0.0]);
}
