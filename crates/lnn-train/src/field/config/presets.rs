//! The ready-made experiments on fields.

use std::collections::BTreeMap;

use lnn_autodiff::Activation;

use super::{
    BoundaryConfig, CHECKPOINT_EVERY_SECONDS, EXPERIMENTS, FieldConfig, FieldEvaluationConfig, FieldKind,
    FieldModelConfig, FieldModelKind, FieldTrainingConfig, LargeConfig, LatticeConfig, MotionConfig,
    NeighbourhoodConfig, SINE_GORDON, SpeedProfile, StatesConfig, WAVE,
};
use crate::config::{ConfigError, Initialisation, Interval};
use crate::loss::Loss;
use crate::optimiser::{ClippingConfig, Schedule, SoapSettings};

/// Names of the models in every preset: the Lagrangian graph network, the convolutional and the Hamiltonian one.
const LGN: &str = "lgn";
const CNN: &str = "cnn";
const HGN: &str = "hgn";

/// Presets of an experiment, the default first; none for an unknown one.
#[must_use]
pub fn field_presets(experiment: &str) -> &'static [&'static str] {
    match experiment {
        WAVE => &["fast", "grid", "medium", "large"],
        SINE_GORDON => &["fast"],
        _ => &[],
    }
}

/// The configuration of a preset by name.
///
/// # Errors
/// [`ConfigError::UnknownName`] if there is no such experiment or preset; it names the nearest one.
pub fn field_preset(experiment: &str, name: &str) -> Result<FieldConfig, ConfigError> {
    if !EXPERIMENTS.contains(&experiment) {
        return Err(ConfigError::unknown_name("experiment", experiment, EXPERIMENTS));
    }
    let valid = field_presets(experiment);
    if !valid.contains(&name) {
        return Err(ConfigError::unknown_name("preset", name, valid.iter().copied()));
    }
    Ok(match (experiment, name) {
        (SINE_GORDON, _) => sine_gordon(),
        (_, "grid") => grid(),
        (_, "medium") => medium(),
        (_, "large") => large(),
        _ => fast(),
    })
}

/// Waves on a ring of 16 sites, judged on 100.
pub(super) fn fast() -> FieldConfig {
    FieldConfig {
        experiment: WAVE.to_owned(),
        preset: "fast".to_owned(),
        seed: 0,
        field: FieldKind::Wave { speed: 1.0 },
        lattice: LatticeConfig::Line { sites: 16, boundary: BoundaryConfig::Periodic },
        states: StatesConfig::default(),
        models: models(&FieldModelConfig::default()),
        evaluation: FieldEvaluationConfig::default(),
        log_every: 500,
        checkpoint_every_seconds: CHECKPOINT_EVERY_SECONDS,
    }
}

/// The same judged on 100 000 sites as well.
fn large() -> FieldConfig {
    let fast = fast();
    let evaluation =
        FieldEvaluationConfig { large: Some(LargeConfig { sites: 100_000, t_end: 20.0 }), ..fast.evaluation };
    FieldConfig { preset: "large".to_owned(), evaluation, ..fast }
}

/// Waves on a grid of 6 × 6 sites, judged on 32 × 32, by networks that do not tell one neighbour from another.
fn grid() -> FieldConfig {
    let fast = fast();
    let mut lgn = FieldModelConfig { neighbourhood: NeighbourhoodConfig::Pairs, ..FieldModelConfig::default() };
    lgn.training = recipe(10_000, 16, 3e-2);
    let motions = [
        ("bump".to_owned(), MotionConfig::Bump { sigma: 3.0, amplitude: 1.0 }),
        ("smooth".to_owned(), MotionConfig::Smooth { modes: 3, amplitude: 0.5, rate_amplitude: 0.1 }),
    ];
    let boundary = BoundaryConfig::Periodic;
    FieldConfig {
        preset: "grid".to_owned(),
        lattice: LatticeConfig::Grid { rows: 6, columns: 6, boundary },
        states: StatesConfig { modes: 2, ..fast.states },
        models: models(&lgn),
        evaluation: FieldEvaluationConfig {
            lattice: LatticeConfig::Grid { rows: 32, columns: 32, boundary },
            held_out: 20,
            motions: motions.into(),
            crossings: 2.0,
            frames: 80,
            ..fast.evaluation
        },
        ..fast
    }
}

/// Waves in a medium, whose speed every site knows.
fn medium() -> FieldConfig {
    let fast = fast();
    FieldConfig {
        preset: "medium".to_owned(),
        field: FieldKind::Medium { profile: SpeedProfile::Step, slowest: 0.5, fastest: 1.0 },
        lattice: LatticeConfig::Line { sites: 20, boundary: BoundaryConfig::Periodic },
        ..fast
    }
}

/// A kink that travels ten of its widths.
fn sine_gordon() -> FieldConfig {
    let fast = fast();
    let boundary = BoundaryConfig::Free;
    let kink = MotionConfig::Kink { velocity: 0.5, widths: 10.0 };
    FieldConfig {
        experiment: SINE_GORDON.to_owned(),
        field: FieldKind::SineGordon { spacing: 0.25 },
        lattice: LatticeConfig::Line { sites: 16, boundary },
        states: StatesConfig { offset: Some(Interval { low: -1.0, high: 7.3 }), ..StatesConfig::default() },
        evaluation: FieldEvaluationConfig {
            lattice: LatticeConfig::Line { sites: 100, boundary },
            motions: [("kink".to_owned(), kink)].into(),
            frames: 200,
            ..fast.evaluation
        },
        ..fast
    }
}

/// The Lagrangian network, and networks of the other kinds on the same inputs.
fn models(lgn: &FieldModelConfig) -> BTreeMap<String, FieldModelConfig> {
    let mut cnn = FieldModelConfig {
        kind: FieldModelKind::Cnn { output_scale: 1.0 },
        activation: Activation::Silu,
        initialisation: Initialisation::UnitGain { first: 1.5, hidden: 1.5, output: 1.0, bias: 0.5 },
        ..lgn.clone()
    };
    let FieldTrainingConfig { steps, batch, .. } = lgn.training;
    cnn.training = recipe(steps, batch, 1e-2);
    let hgn = FieldModelConfig { kind: FieldModelKind::Hgn, ..lgn.clone() };
    [(LGN, lgn.clone()), (CNN, cnn), (HGN, hgn)].map(|(name, model)| (name.to_owned(), model)).into()
}

/// SOAP with a warm-up and a cosine to 0.
fn recipe(steps: u64, batch: usize, peak: f64) -> FieldTrainingConfig {
    FieldTrainingConfig {
        steps,
        batch,
        loss: Loss::RelativePseudoHuber { scale: 0.02 },
        l2_penalty: 0.0,
        optimiser: SoapSettings::default().into(),
        schedule: Schedule::WarmupCosine { peak, warmup_steps: 300, total_steps: steps, final_fraction: 0.0 },
        clipping: ClippingConfig::default(),
        gradient_parts: Some(4),
    }
}

impl Default for FieldTrainingConfig {
    /// The recipe of preset `fast` of `wave`.
    fn default() -> Self {
        recipe(20_000, 32, 3e-2)
    }
}
