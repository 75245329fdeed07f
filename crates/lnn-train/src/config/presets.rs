//! The ready-made configurations: those of the double pendulum here, those of every other system in `systems`.

mod activations;
mod chain;
mod relativistic;
mod systems;

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use lnn_autodiff::Activation;
use lnn_physics::systems::{SYSTEMS, kind};

use super::data::TrainingData;
use super::error::ConfigError;
use super::evaluation::EvaluationConfig;
use super::experiment::ExperimentConfig;
use super::model::{AngleFeatures, FeaturesConfig, Initialisation, ModelConfig, ModelKind, Precision, TrainingConfig};
use super::protocol::Protocol;
use super::system::{Interval, SamplingConfig, SamplingTail, SystemConfig};
use crate::loss::{Loss, LossWeight};
use crate::optimiser::{AdamSettings, ClippingConfig, Schedule, SoapSettings};

/// Experiments that exist: one for each system, under its name, then those that are named after a question.
pub fn experiments() -> impl Iterator<Item = &'static str> + Clone {
    SYSTEMS.iter().map(|kind| kind.name).chain([ACTIVATIONS])
}

/// Presets of an experiment, the default first; none for an unknown one.
pub fn presets(experiment: &str) -> &'static [&'static str] {
    match experiment {
        DOUBLE_PENDULUM => &["fast", "small", "best", "models", "trajectories", "paper", "notebook"],
        ACTIVATIONS => &["fast", "best"],
        "pendulum" => &["fast", "models", "chnn"],
        _ if kind(experiment).is_some() => &["fast", "models"],
        _ => &[],
    }
}

/// The experiment and system of the paper's first figures.
const DOUBLE_PENDULUM: &str = "dblpend";

/// The experiment that trains the double pendulum's Lagrangian network with one activation after the other.
pub const ACTIVATIONS: &str = "activations";

/// Name of the Lagrangian network in every preset.
pub const LNN: &str = "lnn";

/// Name of the plain network in every preset.
pub const BASELINE: &str = "baseline";

/// Name of the plain network of the whole vector field that is trained through the integrator.
pub const NEURAL_ODE: &str = "neural-ode";

/// Default time between checkpoints: rare enough to cost nothing, often enough to lose little.
pub(super) const CHECKPOINT_EVERY_SECONDS: f64 = 15.0;

/// The configuration of a preset by name, its system with default parameters.
///
/// # Errors
/// [`ConfigError::UnknownName`] if there is no such experiment or preset; it names the nearest one.
pub fn preset(experiment: &str, name: &str) -> Result<ExperimentConfig, ConfigError> {
    preset_with(experiment, name, &BTreeMap::new())
}

/// As [`preset`], with these parameters of the system; scales, sizes and times follow from them.
///
/// # Errors
/// As [`preset`], and [`ConfigError::Invalid`] for a parameter that the system does not have or a value that it refuses.
pub fn preset_with(
    experiment: &str,
    name: &str,
    parameters: &BTreeMap<String, f64>,
) -> Result<ExperimentConfig, ConfigError> {
    if !experiments().any(|known| known == experiment) {
        return Err(ConfigError::unknown_name("experiment", experiment, experiments()));
    }
    let valid = presets(experiment);
    if !valid.contains(&name) {
        return Err(ConfigError::unknown_name("preset", name, valid.iter().copied()));
    }
    if name == Protocol::Chnn.name() {
        return chain::preset(parameters);
    }
    let system_name = if experiment == ACTIVATIONS { DOUBLE_PENDULUM } else { experiment };
    let system = SystemConfig { name: system_name.to_owned(), parameters: parameters.clone() };
    let (system, built) = system
        .judged()
        .map_err(|problems| ConfigError::Invalid { origin: format!("preset `{name}` of `{experiment}`"), problems })?;
    if experiment == ACTIVATIONS {
        return Ok(ExperimentConfig { system, ..activations::preset(name) });
    }
    if experiment != DOUBLE_PENDULUM {
        return Ok(systems::preset(system, &*built, name));
    }
    let config = match name {
        "fast" => fast(),
        "small" => small(),
        "best" => best(),
        "models" => models(),
        "trajectories" => trajectories(),
        "paper" => paper(),
        _ => notebook(),
    };
    Ok(ExperimentConfig { system, ..config })
}

/// Seconds of training on two cores; better than the paper's accuracy.
pub fn fast() -> ExperimentConfig {
    experiment(
        "fast",
        500,
        ModelConfig { training: fast_recipe(3e-2), ..ModelConfig::default() },
        ModelConfig { hidden: vec![128; 3], training: fast_recipe(1e-2), ..plain() },
    )
}

/// Networks and batches so small that a graphics card in software trains them in a minute or two, and two cores in seconds:
/// for comparing backends and machines.
///
/// With a long warm-up, unlike `fast`: at the full rate from the first step two computations that round differently are
/// percents apart after a hundred steps, and nothing could be compared.
pub fn small() -> ExperimentConfig {
    const STEPS: u64 = 4000;
    let recipe = |peak: f64| {
        let schedule = Schedule::WarmupCosine { peak, warmup_steps: 600, total_steps: STEPS, final_fraction: 0.0 };
        TrainingConfig { batch: 128, ..soap_recipe(STEPS, schedule) }
    };
    experiment(
        "small",
        20,
        ModelConfig { hidden: vec![32; 3], training: recipe(3e-2), ..ModelConfig::default() },
        ModelConfig { hidden: vec![32; 3], training: recipe(1e-2), ..plain() },
    )
}

/// Minutes of training on two cores; ten times the paper's accuracy.
///
/// A part of the training states is faster than those that are judged, so that no rollout extrapolates.
pub fn best() -> ExperimentConfig {
    let recipe = |steps, peak| {
        let schedule = Schedule::WarmupExponential { peak, warmup_steps: 0, total_steps: steps, final_fraction: 1e-4 };
        soap_recipe(steps, schedule)
    };
    let tail = SamplingTail { share: 0.15, from_step: 5000, velocity: Interval { low: -15.0, high: 15.0 } };
    ExperimentConfig {
        sampling_tail: Some(tail),
        ..experiment(
            "best",
            1000,
            ModelConfig { hidden: vec![128; 3], training: recipe(200_000, 3e-2), ..ModelConfig::default() },
            ModelConfig { hidden: vec![128; 3], training: recipe(300_000, 1e-2), ..plain() },
        )
    }
}

/// Every kind of model with the recipe of preset `fast`, side by side; `neural-ode` is the network of the whole vector
/// field, trained on observed motions instead of accelerations.
///
/// One Hamiltonian network is given (q, q̇) for canonical coordinates, which they are not: the paper's point; the other
/// the true momenta, a few tens in size. The deep Lagrangian network is given the form of the kinetic energy, which is
/// the right one here.
pub fn models() -> ExperimentConfig {
    let fast = fast();
    let (lnn, baseline) = (fast.models[LNN].clone(), fast.models[BASELINE].clone());
    let of_kind = |kind: ModelKind, like: &ModelConfig| ModelConfig { kind, ..like.clone() };
    let mut models = fast.models.clone();
    let first_order = of_kind(ModelKind::BaselineFirstOrder { velocity_scale: 5.0, output_scale: 10.0 }, &baseline);
    let mut neural_ode = first_order.clone();
    neural_ode.training.train_on(TrainingData::trajectories());
    models.extend([
        (
            "delan".to_owned(),
            of_kind(ModelKind::Delan { diagonal: 1.0, regularisation: 0.01, potential_scale: 10.0 }, &lnn),
        ),
        ("hnn".to_owned(), of_kind(ModelKind::Hnn, &lnn)),
        ("hnn-canonical".to_owned(), {
            let features = FeaturesConfig { velocity_scale: 10.0, ..FeaturesConfig::default() };
            ModelConfig { features, ..of_kind(ModelKind::HnnCanonical { potential_scale: None }, &lnn) }
        }),
        ("baseline-first-order".to_owned(), first_order),
        (NEURAL_ODE.to_owned(), neural_ode),
    ]);
    ExperimentConfig { preset: "models".to_owned(), models, ..fast }
}

/// From observed motions alone, 20 states a second and no acceleration.
///
/// The motions start slower than the states of the other presets: their energies still reach above those of all
/// rollouts, and half the steps and batches do for the same energy error.
pub fn trajectories() -> ExperimentConfig {
    const STEPS: u64 = 10_000;
    let fast = fast();
    let recipe = |peak: f64, model: &ModelConfig| {
        let mut training = fast_recipe(peak);
        training.train_on(TrainingData::trajectories());
        (training.steps, training.batch) = (STEPS, 256);
        training.schedule = Schedule::WarmupCosine { peak, warmup_steps: 0, total_steps: STEPS, final_fraction: 0.0 };
        ModelConfig { training, ..model.clone() }
    };
    let neural_ode = models().models[NEURAL_ODE].clone();
    let models = [(LNN, recipe(3e-2, &fast.models[LNN])), (NEURAL_ODE, recipe(1e-2, &neural_ode))];
    let velocity = Interval { low: -5.0, high: 5.0 };
    ExperimentConfig {
        preset: "trajectories".to_owned(),
        sampling: Some(SamplingConfig { position: Interval { low: 0.0, high: TAU }, velocity }),
        models: models.map(|(name, model)| (name.to_owned(), model)).into(),
        ..fast
    }
}

/// The paper's text: 4 × 500 softplus, batches of 32, 600 000 states in all, Adam from 1e-3 decaying.
pub fn paper() -> ExperimentConfig {
    const BATCH: usize = 32;
    const STEPS: u64 = 600_000 / BATCH as u64;
    let training = TrainingConfig {
        steps: STEPS,
        batch: BATCH,
        loss: Loss::L1,
        weight: LossWeight::Uniform,
        l2_penalty: 0.0,
        optimiser: AdamSettings::default().into(),
        schedule: Schedule::WarmupCosine { peak: 1e-3, warmup_steps: 0, total_steps: STEPS, final_fraction: 0.0 },
        clipping: ClippingConfig::Off,
        gradient_parts: None,
        data: TrainingData::States,
    };
    experiment(
        "paper",
        100,
        ModelConfig { hidden: vec![500; 4], training: training.clone(), ..published_lnn() },
        ModelConfig { hidden: vec![500; 4], training, ..published_baseline(Activation::Softplus) },
    )
}

/// The authors' notebook: 3 × 600, batches of 512, 600 000 steps, Adam with a one-cycle schedule and 1e-6‖θ‖².
pub fn notebook() -> ExperimentConfig {
    const STEPS: u64 = 600_000;
    let training = |peak| TrainingConfig {
        steps: STEPS,
        batch: 512,
        loss: Loss::L1,
        weight: LossWeight::Uniform,
        l2_penalty: 1e-6,
        optimiser: AdamSettings::default().into(),
        schedule: Schedule::OneCycle {
            peak,
            total_steps: STEPS,
            warmup_fraction: 0.3,
            start_divisor: 25.0,
            final_divisor: 1e4,
        },
        clipping: ClippingConfig::Off,
        gradient_parts: None,
        data: TrainingData::States,
    };
    experiment(
        "notebook",
        1000,
        ModelConfig { hidden: vec![600; 3], training: training(1e-5), ..published_lnn() },
        ModelConfig { hidden: vec![600; 3], training: training(4e-5), ..published_baseline(Activation::Relu) },
    )
}

fn experiment(preset: &str, log_every: u64, lnn: ModelConfig, baseline: ModelConfig) -> ExperimentConfig {
    ExperimentConfig {
        experiment: DOUBLE_PENDULUM.to_owned(),
        preset: preset.to_owned(),
        seed: 0,
        ensemble: 1,
        system: SystemConfig::default(),
        protocol: None,
        sampling: None,
        sampling_tail: None,
        sampling_curriculum: None,
        models: BTreeMap::from([(LNN.to_owned(), lnn), (BASELINE.to_owned(), baseline)]),
        evaluation: EvaluationConfig::default(),
        log_every,
        checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS,
    }
}

/// The recipe measured for this project: SOAP at the full rate from the first step, relative pseudo-Huber
/// loss, clipping at three times the running mean norm.
///
/// No warm-up: 300 steps of it leave the Lagrangian network with three times the error after 10 000 steps.
/// The first large steps seem to carry the weights away from an initial scale that is too small for them.
fn soap_recipe(steps: u64, schedule: Schedule) -> TrainingConfig {
    TrainingConfig {
        steps,
        batch: 512,
        loss: Loss::RelativePseudoHuber { scale: 0.02 },
        weight: LossWeight::Uniform,
        l2_penalty: 0.0,
        optimiser: SoapSettings::default().into(),
        schedule,
        clipping: ClippingConfig::default(),
        gradient_parts: None,
        data: TrainingData::States,
    }
}

fn fast_recipe(peak: f64) -> TrainingConfig {
    const STEPS: u64 = 20_000;
    let cosine = Schedule::WarmupCosine { peak, warmup_steps: 0, total_steps: STEPS, final_fraction: 0.0 };
    soap_recipe(STEPS, cosine)
}

impl Default for TrainingConfig {
    /// The Lagrangian network's recipe of preset `fast`.
    fn default() -> Self {
        fast_recipe(3e-2)
    }
}

/// A plain network on the same inputs as the Lagrangian one.
fn plain() -> ModelConfig {
    ModelConfig {
        kind: ModelKind::Baseline { output_scale: 10.0 },
        activation: Activation::Silu,
        initialisation: Initialisation::UnitGain { first: 1.5, hidden: 1.5, output: 1.0, bias: 0.5 },
        ..ModelConfig::default()
    }
}

/// What both published recipes share for the Lagrangian network.
fn published_lnn() -> ModelConfig {
    ModelConfig {
        kind: ModelKind::Lnn {
            residual_mass: 0.0,
            pseudoinverse_tolerance: 1e-6,
            potential_scale: None,
            scaled_velocities: false,
        },
        hidden: Vec::new(),
        activation: Activation::Softplus,
        initialisation: Initialisation::Paper,
        features: unscaled_wrapped(),
        precision: Precision::F32,
        training: TrainingConfig::default(),
    }
}

/// What both published recipes share for the plain network; its initialisation is not published, so the
/// one usual for rectifiers.
fn published_baseline(activation: Activation) -> ModelConfig {
    let he = std::f64::consts::SQRT_2;
    ModelConfig {
        kind: ModelKind::Baseline { output_scale: 1.0 },
        activation,
        initialisation: Initialisation::UnitGain { first: he, hidden: he, output: 1.0, bias: 0.0 },
        ..published_lnn()
    }
}

fn unscaled_wrapped() -> FeaturesConfig {
    FeaturesConfig { angles: AngleFeatures::Wrap, velocity_scale: 1.0, ..FeaturesConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_preset_exists_under_its_name_and_is_valid() {
        for experiment in experiments() {
            for name in presets(experiment) {
                let config = preset(experiment, name).expect("listed");
                assert_eq!((config.experiment.as_str(), config.preset.as_str()), (experiment, *name));
                assert_eq!(config.system.name, if experiment == ACTIVATIONS { DOUBLE_PENDULUM } else { experiment });
                let validated = config.clone().validate();
                assert_eq!(validated.as_ref().err(), None, "{experiment} {name}");
                assert_eq!(validated.expect("as above").into_inner(), config, "nothing is left to be written down");
            }
        }
    }

    #[test]
    fn presets_follow_the_parameters_of_their_system() {
        for links in 1..=6 {
            let parameters = BTreeMap::from([("links".to_owned(), f64::from(links))]);
            let config = preset_with("pendulum", "models", &parameters).expect("a chain");
            assert_eq!(
                config.run_name(),
                if links == 1 { "models-0".to_owned() } else { format!("models-links{links}-0") }
            );
            assert_eq!(config.validate().err(), None, "{links} links");
        }
        // A spring a hundred times as fast is judged over a hundredth of the time.
        let stiff = BTreeMap::from([("k".to_owned(), 1e4)]);
        let (slow, fast) = (preset("spring", "fast"), preset_with("spring", "fast", &stiff));
        let (slow, fast) = (slow.expect("listed").evaluation, fast.expect("listed").evaluation);
        let ratio = slow.t_end / fast.t_end;
        assert!((ratio - 100.0).abs() < 100.0 * 8.0 * f64::EPSILON, "{ratio}");
        for (name, value, words) in [
            ("links", 0.0, "system.parameters.links is 0; expected a whole number from 1 to 6"),
            ("links", 7.0, "system.parameters.links is 7; expected a whole number from 1 to 6"),
            ("link", 2.0, "did you mean `links`?"),
        ] {
            let parameters = BTreeMap::from([(name.to_owned(), value)]);
            let message = preset_with("pendulum", "fast", &parameters).expect_err("refused").to_string();
            assert!(message.contains(words), "{message}");
        }
    }

    #[test]
    fn the_published_recipes_see_the_published_number_of_states() {
        let states = |config: ExperimentConfig| {
            let training = &config.models[LNN].training;
            training.steps * training.batch as u64
        };
        assert_eq!(states(paper()), 600_000);
        assert_eq!(states(notebook()), 600_000 * 512);
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest_valid_one() {
        let message = preset("dblpent", "fast").expect_err("no such experiment").to_string();
        assert!(message.contains("did you mean `dblpend`?"), "{message}");
        let message = preset("dblpend", "papr").expect_err("no such preset").to_string();
        assert!(message.contains("did you mean `paper`?"), "{message}");
        assert!(message.contains("`notebook`"), "{message}");
    }
}
