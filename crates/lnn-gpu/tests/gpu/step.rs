//! The decision on a step against the processor's rules in double precision, written down here once more.

use lnn_gpu::device::{Buffer, Device};
use lnn_gpu::optimiser::{Adam, AdamSettings};
use lnn_gpu::step::{Clipping, Outcome, StepBuffers, StepControl, StepReport, StepSettings, Terms};

use crate::close::close;
use crate::ground::device;

pub(crate) const ADAM: AdamSettings = AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };

/// Buffers of a training without a model: what a step is given is uploaded.
pub(crate) struct Given {
    pub(crate) losses: Buffer<f32>,
    pub(crate) weights: Buffer<f32>,
    pub(crate) gradient: Buffer<f32>,
    pub(crate) parameters: Buffer<f32>,
    pub(crate) tally: Buffer<u32>,
}

impl Given {
    pub(crate) fn new(settings: &StepSettings, parameters: usize) -> Self {
        let buffer = |name, length| device().buffer(name, settings.models * length).unwrap();
        Self {
            losses: buffer("losses", settings.samples),
            weights: buffer("weights", settings.samples),
            gradient: buffer("gradient", parameters),
            tally: device().buffer("tally", 3 * settings.models).unwrap(),
            parameters: buffer("parameters", parameters),
        }
    }

    pub(crate) fn control(&self, settings: StepSettings, weighted: bool) -> StepControl {
        let Self { losses, weights, gradient, parameters, tally } = self;
        let weights = weighted.then_some(weights);
        StepControl::new(device(), settings, StepBuffers { losses, weights, gradient, parameters, tally }).unwrap()
    }
}

pub(crate) fn settings(models: usize, samples: usize) -> StepSettings {
    let clipping = Clipping::Off;
    let AdamSettings { beta1, beta2, .. } = ADAM;
    StepSettings { models, samples, penalty: 0.0, clipping, beta1, beta2, weight_decay: 0.0, steps: 50 }
}

pub(crate) fn download(buffer: &Buffer<f32>) -> Vec<f32> {
    let mut out = vec![0.0; buffer.len()];
    device().download(buffer, 0, &mut out).unwrap();
    out
}

/// One decision, without an optimiser.
fn decide(control: &StepControl, rate: f64) {
    control.set_rates(device(), 0, &[rate], Terms::FullRank).unwrap();
    let mut recorder = device().recorder("decision");
    control.record_decision(&mut recorder, 0);
    recorder.submit().unwrap();
}

pub(crate) fn wave(count: usize, rate: f64, scale: f64) -> Vec<f32> {
    (0..count).map(|i| (scale * (rate * (i + 1) as f64).sin()) as f32).collect()
}

fn sum(values: &[f32], term: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|&x| term(f64::from(x))).sum()
}

/// The clipping of the processor, in double precision: what is left of a norm.
#[derive(Default)]
struct RunningNorm {
    weighted_sum: f64,
    counted: i32,
    clipped: u32,
}

impl RunningNorm {
    fn factor(&mut self, norm: f64, clipping: Clipping) -> f64 {
        let (limit, averaging, redescending) = match clipping {
            Clipping::Off => return 1.0,
            Clipping::RunningNorm { limit, averaging } => (limit, averaging, false),
            Clipping::Redescending { limit, averaging } => (limit, averaging, true),
        };
        if norm == 0.0 {
            return 1.0;
        }
        let limit = match self.counted {
            0 => f64::INFINITY,
            counted => limit * self.weighted_sum / (1.0 - averaging.powi(counted)),
        };
        self.weighted_sum = averaging * self.weighted_sum + (1.0 - averaging) * norm.min(limit);
        self.counted += 1;
        if norm <= limit {
            return 1.0;
        }
        self.clipped += 1;
        if redescending { (limit / norm).powi(2) } else { limit / norm }
    }
}

/// Relative error of a running mean: its norms have 20 roundings, and the recurrence one a step.
const MEAN: f64 = 60.0;

#[test]
fn clipping_follows_its_rules_step_by_step() {
    let scales = [1.0, 1.1, 0.9, 30.0, 1.0, 0.0, 2.0, 1e4, 1e-3, 1.0, 5.0, 3.0];
    let (models, samples, parameters) = (2, 300, 5000);
    let kinds = [
        Clipping::Off,
        Clipping::RunningNorm { limit: 3.0, averaging: 0.99 },
        Clipping::RunningNorm { limit: 1.0, averaging: 0.0 },
        Clipping::Redescending { limit: 2.0, averaging: 0.9 },
    ];
    for clipping in kinds {
        let settings = StepSettings { clipping, weight_decay: 0.5, ..settings(models, samples) };
        let given = Given::new(&settings, parameters);
        let control = given.control(settings, false);
        let mut clip = [RunningNorm::default(), RunningNorm::default()];
        for (step, &scale) in scales.iter().enumerate() {
            // The second model meets the same scales in another order.
            let of_models = [scale, scales[(step * 5) % scales.len()]];
            let gradient: Vec<f32> = of_models.iter().flat_map(|&scale| wave(parameters, 0.7, scale)).collect();
            device().upload(&given.gradient, 0, &gradient).unwrap();
            let losses = wave(models * samples, 0.3 + step as f64, 1.0);
            device().upload(&given.losses, 0, &losses).unwrap();
            decide(&control, 0.01);
            let states = control.download_states(device()).unwrap();
            for (model, state) in states.iter().enumerate() {
                let norm = sum(&gradient[model * parameters..][..parameters], |g| g * g).sqrt();
                let factor = clip[model].factor(norm, clipping);
                let t = step as i32 + 1;
                let corrections = [ADAM.beta1, ADAM.beta2].map(|beta| 1.0 / (1.0 - beta.powi(t)));
                let got = [state.gradient_norm, state.factor, state.weighted_sum, state.correction1, state.correction2];
                let want = [norm, factor, clip[model].weighted_sum, corrections[0], corrections[1]];
                close(&got, &want, &want, MEAN).unwrap_or_else(|far| panic!("{clipping:?}, step {step}: {far:?}"));
                let of_model = &losses[model * samples..][..samples];
                let mean = |term: fn(f64) -> f64| sum(of_model, term) / samples as f64;
                close(&[state.loss], &[mean(|l| l)], &[mean(f64::abs)], 16.0).unwrap();
                assert_eq!((state.rate, state.keep), (0.01, (1.0 - 0.01 * 0.5) as f32));
                let counts = (state.apply, state.updates, state.steps, state.skipped, state.clipped, state.counted);
                let RunningNorm { clipped, counted, .. } = clip[model];
                assert_eq!(counts, (1, t as u32, t as u32, 0, clipped, counted as u32), "{clipping:?}, step {step}");
            }
        }
        if clipping != Clipping::Off {
            assert!(clip[0].clipped >= 2, "{clipping:?}: nothing was clipped");
        }
    }
}

#[test]
fn a_norm_of_many_numbers_keeps_single_precision() {
    let settings = settings(1, 1);
    let parameters = (1 << 20) + 12;
    let given = Given::new(&settings, parameters);
    let control = given.control(settings, false);
    let mut gradient = wave(parameters, 0.7, 1.0);
    let norm = sum(&gradient, |g| g * g).sqrt();
    for changed in [false, true] {
        if changed {
            gradient[parameters - 1] = 5.0;
        }
        device().upload(&given.gradient, 0, &gradient).unwrap();
        decide(&control, 0.1);
        let got = f64::from(control.download_states(device()).unwrap()[0].gradient_norm);
        assert_eq!((got / norm - 1.0).abs() <= 1e-6, !changed, "{got} for {norm}");
    }
}

#[test]
fn weights_and_penalty_enter_loss_and_gradient() {
    let (models, samples, parameters, penalty) = (2, 257, 1032, 1e-2);
    let settings = StepSettings { penalty, ..settings(models, samples) };
    let given = Given::new(&settings, parameters);
    let control = given.control(settings, true);
    let (theta, gradient) = (wave(models * parameters, 0.2, 1.0), wave(models * parameters, 0.7, 0.5));
    let losses = wave(models * samples, 0.01, 1.0);
    let weights: Vec<f32> = wave(models * samples, 0.4, 0.5).iter().map(|w| 0.75 + w).collect();
    device().upload(&given.parameters, 0, &theta).unwrap();
    device().upload(&given.gradient, 0, &gradient).unwrap();
    device().upload(&given.losses, 0, &losses).unwrap();
    device().upload(&given.weights, 0, &weights).unwrap();
    decide(&control, 0.1);
    let (states, got) = (control.download_states(device()).unwrap(), download(&given.gradient));
    for model in 0..models {
        let range = model * parameters..(model + 1) * parameters;
        let of_samples = model * samples..(model + 1) * samples;
        let weight = sum(&weights[of_samples.clone()], |w| w);
        let scale = samples as f64 / weight;
        let pair = |i: usize| (scale * f64::from(gradient[i]), 2.0 * penalty * f64::from(theta[i]));
        let want: Vec<f64> = range.clone().map(|i| pair(i).0 + pair(i).1).collect();
        let sizes: Vec<f64> = range.clone().map(|i| pair(i).0.abs() + pair(i).1.abs()).collect();
        close(&got[range.clone()], &want, &sizes, 16.0).unwrap();
        let loss = sum(&losses[of_samples.clone()], |l| l) / weight + penalty * sum(&theta[range], |t| t * t);
        let size = loss + 2.0 * sum(&losses[of_samples], f64::abs) / weight;
        close(&[states[model].loss, states[model].scale], &[loss, scale], &[size, scale], 24.0).unwrap();
        let norm = want.iter().map(|g| g * g).sum::<f64>().sqrt();
        close(&[states[model].gradient_norm], &[norm], &[norm], 24.0).unwrap();
    }
}

/// One step of Adam on given gradients.
fn step(device: &Device, control: &StepControl, adam: &Adam, rate: f64) {
    control.set_rates(device, 0, &[rate], Terms::FullRank).unwrap();
    let mut recorder = device.recorder("step");
    control.record_decision(&mut recorder, 0);
    adam.record(&mut recorder);
    control.record_restoration(&mut recorder);
    recorder.submit().unwrap();
}

#[test]
fn a_step_without_a_usable_gradient_is_skipped_in_its_model_only() {
    let (models, samples, parameters) = (3, 40, 520);
    let settings = settings(models, samples);
    for (bad_loss, bad_gradient) in [
        (Some(f32::NAN), None),
        (Some(f32::INFINITY), None),
        (None, Some(f32::NAN)),
        (None, Some(f32::NEG_INFINITY)),
        // Its square overflows.
        (None, Some(1e20)),
    ] {
        let given = Given::new(&settings, parameters);
        let control = given.control(settings, false);
        let adam = Adam::new(device(), ADAM, &control, &given.gradient, &given.parameters).unwrap();
        let theta = wave(models * parameters, 0.2, 1.0);
        let mut gradient = wave(models * parameters, 0.7, 1.0);
        let mut losses = vec![0.5; models * samples];
        device().upload(&given.parameters, 0, &theta).unwrap();
        device().upload(&given.gradient, 0, &gradient).unwrap();
        device().upload(&given.losses, 0, &losses).unwrap();
        step(device(), &control, &adam, 0.1);
        let before = [&given.parameters, adam.moments()[0], adam.moments()[1]].map(download);
        if let Some(bad) = bad_gradient {
            gradient[2 * parameters - 1] = bad;
        }
        if let Some(bad) = bad_loss {
            losses[2 * samples - 1] = bad;
        }
        device().upload(&given.gradient, 0, &gradient).unwrap();
        device().upload(&given.losses, 0, &losses).unwrap();
        step(device(), &control, &adam, 0.1);
        let after = [&given.parameters, adam.moments()[0], adam.moments()[1]].map(download);
        for (before, after) in before.iter().zip(&after) {
            for model in 0..models {
                let range = model * parameters..(model + 1) * parameters;
                assert_eq!(before[range.clone()] == after[range], model == 1, "{bad_loss:?} {bad_gradient:?} {model}");
            }
        }
        let states = control.download_states(device()).unwrap();
        let counts = |model: usize| (states[model].updates, states[model].steps, states[model].skipped);
        assert_eq!([counts(0), counts(1), counts(2)], [(2, 2, 0), (1, 2, 1), (2, 2, 0)]);
        assert_eq!(states[1].non_finite, u32::from(bad_loss.is_some()));
        let outcomes: Vec<_> = control.download_reports(device(), 2).unwrap().iter().map(StepReport::outcome).collect();
        use Outcome::{Applied, Skipped};
        assert_eq!(outcomes, [Applied, Applied, Applied, Skipped, Applied, Applied]);
    }
}

#[test]
fn an_update_that_overflows_is_taken_back_and_counted() {
    let (models, samples, parameters) = (2, 8, 4100);
    let settings = settings(models, samples);
    let given = Given::new(&settings, parameters);
    let control = given.control(settings, false);
    let adam = Adam::new(device(), ADAM, &control, &given.gradient, &given.parameters).unwrap();
    let mut theta = wave(models * parameters, 0.2, 1.0);
    theta[parameters + 4097] = -3.4e38;
    device().upload(&given.parameters, 0, &theta).unwrap();
    device().upload(&given.gradient, 0, &vec![1.0; models * parameters]).unwrap();
    step(device(), &control, &adam, 1e37);
    let after = download(&given.parameters);
    assert!(after[..parameters].iter().all(|theta| (theta + 1e37).abs() < 1e31), "the first model was updated");
    assert_eq!(after[parameters..], theta[parameters..]);
    let states = control.download_states(device()).unwrap();
    // The averages keep the gradient, which was finite.
    assert_eq!(states.iter().map(|state| (state.updates, state.skipped)).collect::<Vec<_>>(), [(1, 0), (1, 1)]);
    assert!(download(adam.moments()[0]).iter().all(|&m| m > 0.09));
    let reports = control.download_reports(device(), 1).unwrap();
    assert_eq!([reports[0].outcome(), reports[1].outcome()], [Outcome::Applied, Outcome::Skipped]);
    assert_eq!(control.lost_averages(device()).unwrap(), [0_usize; 0]);
    // The next step is made again.
    step(device(), &control, &adam, 1e-3);
    let states = control.download_states(device()).unwrap();
    assert_eq!(states.iter().map(|state| (state.updates, state.skipped)).collect::<Vec<_>>(), [(2, 0), (2, 1)]);
}

#[test]
fn averages_that_overflow_are_named() {
    let settings = settings(2, 1);
    let given = Given::new(&settings, 4);
    let control = given.control(settings, false);
    let adam = Adam::new(device(), ADAM, &control, &given.gradient, &given.parameters).unwrap();
    device().upload(adam.moments()[0], 0, &[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, f32::INFINITY, 0.0]).unwrap();
    step(device(), &control, &adam, 0.1);
    assert_eq!(control.lost_averages(device()).unwrap(), [1]);
    step(device(), &control, &adam, 0.1);
    assert_eq!(control.lost_averages(device()).unwrap(), [1]);
}

#[test]
fn reports_are_those_of_the_last_steps_in_their_order() {
    let settings = StepSettings { steps: 3, ..settings(2, 1) };
    let given = Given::new(&settings, 4);
    let control = given.control(settings, false);
    for step in 0..5 {
        device().upload(&given.losses, 0, &[step as f32, 10.0 + step as f32]).unwrap();
        decide(&control, f64::from(step));
    }
    let reports = control.download_reports(device(), 3).unwrap();
    let losses: Vec<_> = reports.iter().map(|report| (report.loss, report.rate)).collect();
    assert_eq!(losses, [(2.0, 2.0), (3.0, 3.0), (4.0, 4.0), (12.0, 2.0), (13.0, 3.0), (14.0, 4.0)]);
}
