//! The same small training on either backend.

use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use lnn_gpu::device::{Device, DeviceOptions};
use lnn_train::backend::DeviceTraining;
use lnn_train::config::{ExperimentConfig, ModelConfig, ModelKind, presets};
use lnn_train::experiment::{build_system, build_training};
use lnn_train::fit::{Advanced, Trainer, Training};
use lnn_train::optimiser::{AdamSettings, OptimiserConfig, Schedule, SoapSettings};

/// The best adapter there is, with checks in the kernels; named once, for the summary of `cargo xtask test`.
pub(crate) fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let device = Device::open(&DeviceOptions::checked()).unwrap_or_else(|error| panic!("{error}"));
        // Past the capture of the test harness, in one piece and on a line of its own.
        let line = format!("\ngraphics adapter: {}\n", device.adapter());
        std::io::stderr().write_all(line.as_bytes()).expect("standard error");
        device
    })
}

pub(crate) fn adam() -> OptimiserConfig {
    AdamSettings { weight_decay: 1e-3, ..AdamSettings::default() }.into()
}

/// With bases that are turned within a short training.
pub(crate) fn soap(refresh_every: u64) -> OptimiserConfig {
    SoapSettings { refresh_every, ..SoapSettings::default() }.into()
}

/// A double pendulum with two layers of 16 and batches of 32, and a recipe that each part of has something to do.
pub(crate) fn config(kind: ModelKind, optimiser: OptimiserConfig) -> ExperimentConfig {
    let mut config = presets::fast();
    let mut model = ModelConfig { kind, hidden: vec![16, 16], ..config.models[presets::LNN].clone() };
    let training = &mut model.training;
    (training.batch, training.steps, training.optimiser, training.l2_penalty) = (32, 50, optimiser, 1e-5);
    training.schedule = Schedule::WarmupCosine { peak: 1e-2, warmup_steps: 10, total_steps: 50, final_fraction: 0.0 };
    config.models = [(presets::LNN.to_owned(), model)].into();
    config
}

pub(crate) fn lagrangian() -> ModelKind {
    presets::fast().models[presets::LNN].kind
}

pub(crate) fn on_processor(config: &ExperimentConfig) -> Training<f32> {
    let system = build_system(&config.system).expect("usable");
    build_training(config, presets::LNN, system).expect("usable")
}

pub(crate) fn on_card(config: &ExperimentConfig) -> DeviceTraining {
    let system = build_system(&config.system).expect("usable");
    DeviceTraining::new(device(), config, presets::LNN, Arc::clone(&system)).expect("has kernels")
}

/// The loss of each step up to `to_step`, one at a time.
pub(crate) fn losses(training: &mut dyn Trainer<f32>, to_step: u64) -> Vec<f64> {
    let mut losses = Vec::new();
    while training.step_count() < to_step {
        let next = training.step_count() + 1;
        let mut advanced = [Advanced::default()];
        training.advance(next, &mut advanced).expect("an ordinary step");
        let [Advanced { loss_sum, loss_count, skipped_at_end, fault, .. }] = advanced;
        assert_eq!((loss_count, skipped_at_end, fault), (1, 0, None), "step {next}");
        losses.push(loss_sum);
    }
    losses
}

/// Largest relative difference of two losses after steps by Adam, which differ by rounding alone. Measured: 2e-7.
pub(crate) const BY_ADAM: f64 = 1e-5;
/// As [`BY_ADAM`], after steps by SOAP, whose first bases are of nearly singular matrices: there rounding turns them.
pub(crate) const BY_SOAP: f64 = 0.01;

/// The first step whose losses are further apart.
pub(crate) fn first_apart(left: &[f64], right: &[f64], tolerance: f64) -> Option<(usize, f64, f64)> {
    assert_eq!(left.len(), right.len());
    let apart = |(step, (&a, &b)): (usize, (&f64, &f64))| ((a - b).abs() > tolerance * b).then_some((step, a, b));
    left.iter().zip(right).enumerate().find_map(apart)
}
