//! A small run from states to report: both models learn, every recipe runs, and one that explodes ends cleanly.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use lnn_autodiff::Activation;
use lnn_train::backend::Choice;
use lnn_train::config::{
    AngleFeatures, ExperimentConfig, FeaturesConfig, Initialisation, IntegratorConfig, ModelConfig, Precision,
    TrainingConfig, TrainingData, preset,
};
use lnn_train::experiment::{Outcome, RunOptions, run};
use lnn_train::loss::{Loss, LossWeight};
use lnn_train::optimiser::{AdamSettings, ClippingConfig, OptimiserConfig, Schedule, SoapSettings};
use lnn_train::record::Summary;
use lnn_train::store::{Parameters, load_model, read_metrics};

use crate::small_run::{Workplace, config, recipe};

/// Runs a configuration to its end in the folder.
pub(crate) fn finish(config: ExperimentConfig, folder: &Path) -> Summary {
    let options = RunOptions {
        config: config.validate().expect("usable"),
        folder: folder.to_owned(),
        resume: false,
        threads: 2,
        computes: Choice::default(),
        command: "a test".to_owned(),
    };
    match run(&options, &AtomicBool::new(false), &mut |_| {}) {
        Ok(Outcome::Finished { summary, report }) => {
            assert!(report.page.is_file() && report.trajectories.iter().any(|path| path.is_file()));
            assert!(report.figures.iter().all(|path| path.is_file()));
            *summary
        }
        other => panic!("{other:?}"),
    }
}

/// Both models in both precisions.
fn four_models(training: &TrainingConfig) -> ExperimentConfig {
    let mut config = config(1);
    let mut models = BTreeMap::new();
    for (name, model) in &config.models {
        for (precision, ending) in [(Precision::F32, "f32"), (Precision::F64, "f64")] {
            let (hidden, training) = (vec![64, 64], training.clone());
            models.insert(format!("{name}-{ending}"), ModelConfig { precision, hidden, training, ..model.clone() });
        }
    }
    config.models = models;
    config.log_every = 1000;
    config.evaluation.held_out = 2000;
    config.evaluation.t_end = 3.0;
    config
}

#[test]
fn both_models_learn_in_both_precisions() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let trained_folder = folder.path().join("trained");
    const STEPS: u64 = 4000;
    let schedule = Schedule::WarmupCosine { peak: 3e-2, warmup_steps: 200, total_steps: STEPS, final_fraction: 0.0 };
    let trained = finish(four_models(&TrainingConfig { schedule, ..recipe(STEPS) }), &trained_folder);
    // One step too short to move a weight: the networks as they were drawn.
    let still = TrainingConfig {
        optimiser: AdamSettings::default().into(),
        schedule: Schedule::Constant { rate: 1e-12 },
        ..recipe(1)
    };
    let untrained = finish(four_models(&still), &folder.path().join("untrained"));
    for (name, after) in &trained.models {
        let before = &untrained.models[name];
        let improvement = before.acceleration_l1 / after.acceleration_l1;
        let energy = before.energy_error_percent.mean / after.energy_error_percent.mean;
        assert_eq!((after.skipped_steps, after.energy_error_percent.failed), (0, 0), "{name}");
        assert!(improvement > 10.0, "{name}: acceleration L1 {improvement} times better");
        assert!(energy > 1.5, "{name}: energy error {energy} times better");

        let file = load_model(&trained_folder.join(format!("model-{name}.safetensors"))).expect("written");
        assert_eq!(matches!(file.parameters, Parameters::F64(_)), name.ends_with("f64"), "{name}");
        assert_eq!(file.parameters.len(), after.parameters);
        assert_eq!(after.samples, STEPS * 96);
    }
}

#[test]
fn every_loss_optimiser_schedule_and_integrator_runs_to_its_report() {
    let losses = [Loss::L1, Loss::L2, Loss::Huber { delta: 1.0 }, Loss::RelativePseudoHuber { scale: 0.02 }];
    let soap: OptimiserConfig = SoapSettings { refresh_every: 3, ..SoapSettings::default() }.into();
    let optimisers = [AdamSettings { weight_decay: 1e-3, ..AdamSettings::default() }.into(), soap];
    const STEPS: u64 = 12;
    let schedules = [
        Schedule::Constant { rate: 1e-3 },
        Schedule::WarmupCosine { peak: 1e-3, warmup_steps: 3, total_steps: STEPS, final_fraction: 0.1 },
        Schedule::OneCycle {
            peak: 1e-3,
            total_steps: STEPS,
            warmup_fraction: 0.3,
            start_divisor: 25.0,
            final_divisor: 1e4,
        },
        Schedule::StepDecay { initial: 1e-3, factor: 0.5, every: 4 },
    ];
    let features = [AngleFeatures::SinCos, AngleFeatures::Wrap, AngleFeatures::Identity];
    let mut config = config(1);
    let kinds: Vec<_> =
        preset("dblpend", "models").expect("a preset").models.values().map(|model| model.kind).collect();
    config.models.clear();
    let activations = Activation::ALL;
    for k in 0..losses.len() * optimisers.len() * schedules.len() {
        let (loss, rest) = (losses[k % 4], k / 4);
        let (optimiser, schedule) = (optimisers[rest % 2], schedules[rest / 2]);
        // The rest of the recipe goes round while the three above take every combination.
        let kind = kinds[(k / 3) % kinds.len()];
        let smooth = |activation: &&Activation| activation.has_second_derivative() || !kind.differentiates_network();
        let usable: Vec<&Activation> = activations.iter().filter(smooth).collect();
        let model = ModelConfig {
            kind,
            hidden: vec![5 + k % 3; 1 + k % 3],
            activation: *usable[k % usable.len()],
            initialisation: if k % 5 == 0 { Initialisation::Paper } else { Initialisation::default() },
            features: FeaturesConfig { angles: features[k % 3], ..FeaturesConfig::default() },
            precision: if k % 4 == 1 { Precision::F64 } else { Precision::F32 },
            training: TrainingConfig {
                steps: STEPS,
                batch: 1 + 7 * k,
                loss,
                weight: LossWeight::Uniform,
                l2_penalty: if k % 2 == 0 { 1e-4 } else { 0.0 },
                optimiser,
                schedule,
                clipping: if k % 3 == 0 { ClippingConfig::Off } else { ClippingConfig::default() },
                gradient_parts: (k % 4 == 3).then_some(k),
                data: if k % 5 == 4 { few_motions() } else { TrainingData::States },
            },
        };
        config.models.insert(format!("recipe-{k}"), model);
    }
    config.log_every = 5;
    config.evaluation.rollouts = 2;
    for (index, integrator) in [
        IntegratorConfig::Rk4 { dt: 0.02 },
        IntegratorConfig::DormandPrince { relative_tolerance: 1e-6, absolute_tolerance: 1e-6 },
        IntegratorConfig::ImplicitMidpoint { dt: 0.02 },
    ]
    .into_iter()
    .enumerate()
    {
        let mut config = config.clone();
        config.evaluation.integrator = integrator;
        // All recipes with the first integrator, a few with the others.
        config.models.retain(|_, model| index == 0 || model.training.batch < 1 + 7 * 6);
        let folder = tempfile::tempdir().expect("temporary folder");
        let expected = config.models.len();
        let summary = finish(config, folder.path());
        assert_eq!(summary.models.len(), expected);
        for (name, model) in &summary.models {
            let error = model.vector_field_l1.unwrap_or(model.acceleration_l1);
            assert!(error.is_finite(), "{name} {integrator:?}");
            assert_eq!((model.steps, model.skipped_steps), (STEPS, 0), "{name}");
        }
        let metrics = read_metrics(&folder.path().join("metrics.jsonl")).expect("written");
        let steps = |name: &str| -> Vec<u64> {
            metrics.iter().filter(|line| line.model == name).map(|line| line.step).collect()
        };
        assert!(summary.models.keys().all(|name| steps(name) == [1, 2, 5, 10, 12]));
        assert!(metrics.iter().all(|line| line.loss.is_finite() && line.gradient_norm.is_finite()));
    }
}

/// Motions that are simulated in a moment.
fn few_motions() -> TrainingData {
    let (count, t_end, dt, segment, substeps) = (60, 0.5, 0.05, 3, 1);
    let (chunk, time_reversal, reflection) = (None, false, false);
    TrainingData::Trajectories {
        count,
        t_end,
        dt,
        segment,
        substeps,
        noise: 0.0,
        chunk,
        time_reversal,
        reflection,
        warm_start: 0.5,
    }
}

/// Every kind of model of the preset `models` learns: in 800 steps of a small network the loss falls by a third. The
/// Hamiltonian network is given the coordinates as they are, in which its loss falls too, if not to anything useful.
#[test]
fn every_kind_of_model_learns() {
    let mut config = config(1);
    let recipe = config.models["lnn"].training.clone();
    config.models = preset("dblpend", "models").expect("a preset").models;
    for model in config.models.values_mut() {
        const STEPS: u64 = 800;
        model.hidden = vec![16, 16];
        let schedule = Schedule::WarmupCosine { peak: 1e-2, warmup_steps: 0, total_steps: STEPS, final_fraction: 0.0 };
        let data = if model.training.data == TrainingData::States { TrainingData::States } else { few_motions() };
        model.training = TrainingConfig { steps: STEPS, schedule, data, ..recipe.clone() };
    }
    config.evaluation.rollouts = 2;
    let folder = tempfile::tempdir().expect("temporary folder");
    let summary = finish(config, folder.path());
    let metrics = read_metrics(&folder.path().join("metrics.jsonl")).expect("written");
    for name in summary.models.keys() {
        let losses: Vec<f64> = metrics.iter().filter(|line| line.model == *name).map(|line| line.loss).collect();
        let (first, last) = (losses[0], losses[losses.len() - 1]);
        assert!(last < 0.7 * first, "{name}: {first} to {last}");
    }
}

/// A short run at a constant rate, the Lagrangian network with Adam.
fn at_rate(rate: f64, steps: u64) -> ExperimentConfig {
    let mut config = config(steps);
    config.evaluation.rollouts = 3;
    for (name, model) in &mut config.models {
        model.training.schedule = Schedule::Constant { rate };
        if name == "lnn" {
            model.training.optimiser = AdamSettings::default().into();
        }
    }
    config
}

#[test]
fn steps_that_overflow_are_skipped_counted_and_reported() {
    // The first update leaves weights whose loss overflows.
    for integrator in [
        IntegratorConfig::Rk4 { dt: 0.01 },
        IntegratorConfig::DormandPrince { relative_tolerance: 1e-6, absolute_tolerance: 1e-6 },
    ] {
        let mut config = at_rate(1e30, 50);
        config.evaluation.integrator = integrator;
        let rollouts = config.evaluation.rollouts;
        let folder = tempfile::tempdir().expect("temporary folder");
        let summary = finish(config, folder.path());
        for (name, model) in &summary.models {
            assert_eq!(model.steps, 50);
            assert!(model.skipped_steps >= 40, "{name}: {} skipped", model.skipped_steps);
            // Reading refuses a weight that is not finite.
            let file = load_model(&folder.path().join(format!("model-{name}.safetensors"))).expect("finite");
            assert_eq!(file.parameters.len(), model.parameters);
        }
        let baseline = &summary.models["baseline"];
        assert_eq!(baseline.energy_error_percent.failed, rollouts, "every rollout fails");
        assert!(baseline.energy_error_percent.mean.is_infinite());
        let metrics = read_metrics(&folder.path().join("metrics.jsonl")).expect("written");
        let last = metrics.iter().rfind(|line| line.model == "lnn").expect("logged");
        assert_eq!(last.skipped_steps, summary.models["lnn"].skipped_steps);
    }
}

#[test]
fn a_training_that_learns_nothing_is_an_error_now_and_when_resumed() {
    // With 1e300 every update overflows, so that the run ends without one; with 1e30 the second step is the
    // first of a thousand that are lost.
    for (rate, steps, ended) in [(1e300, 50, [50, 50]), (1e30, 3000, [1001, 1000])] {
        let workplace = Workplace::new(&at_rate(rate, steps));
        let words = format!("`lnn` learns nothing: {} of {} steps were skipped", ended[1], ended[0]);
        for line in [
            "experiment dblpend --config small.ron --out run",
            "experiment dblpend --config small.ron --out run --resume",
        ] {
            let said = workplace.run(line);
            assert_eq!((said.code, said.stdout.as_str()), (Some(1), ""), "{}", said.stderr);
            assert!(said.stderr.contains(&words) && said.stderr.contains("lower the learning rate"), "{}", said.stderr);
            assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
            for file in ["summary.json", "model-lnn.safetensors", "report.html"] {
                assert!(!workplace.path("run").join(file).exists(), "{file}");
            }
        }
    }
}

#[test]
fn judging_a_finished_run_again_keeps_its_machine_and_time() {
    let workplace = Workplace::new(&config(20));
    let line = "experiment dblpend --config small.ron --out run --threads";
    let summary = || -> Summary {
        let text = std::fs::read(workplace.path("run/summary.json")).expect("a finished run");
        serde_json::from_slice(&text).expect("a summary")
    };
    workplace.succeed(&format!("{line} 2"));
    let first = summary();
    assert_eq!(first.threads, 2);
    workplace.succeed(&format!("{line} 1 --resume"));
    assert_eq!(summary(), first);

    // A summary that says nothing any more is replaced, and the program says so.
    workplace.write("run/summary.json", "{}");
    let said = workplace.succeed(&format!("{line} 1 --resume")).stderr;
    assert!(said.contains("summary.json is damaged"), "{said}");
    assert_eq!(summary().threads, 1);
}
