//! What is trained on what, by which recipe.

use lnn_autodiff::MlpShape;
use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::pseudoinverse::Tolerance;

use crate::loss::Loss;
use crate::mlp::NarrowJet;
use crate::optimiser::{AdamSettings, SoapSettings};
use crate::sampling::Distribution;
use crate::step::Clipping;
use crate::target::DoublePendulum;

/// What is learned.
#[derive(Clone, Debug)]
pub enum Model {
    /// A Lagrangian.
    Lagrangian(LagrangianModel),
    /// The accelerations themselves.
    Plain(PlainModel),
}

impl Model {
    /// The shapes of its networks, in the order of their parameters.
    pub(super) fn shapes(&self) -> Vec<&MlpShape> {
        match self {
            Self::Lagrangian(model) => model.shapes(),
            Self::Plain(model) => vec![&model.shape],
        }
    }

    /// Whether there are kernels that train several such networks side by side: a Lagrangian's, up to 64 wide, without a
    /// potential beside it.
    pub fn side_by_side(&self) -> bool {
        matches!(self, Self::Lagrangian(model) if model.potential.is_none() && NarrowJet::supports(&model.shape))
    }

    pub(super) const fn features(&self) -> &FeatureMap {
        match self {
            Self::Lagrangian(model) => &model.features,
            Self::Plain(model) => &model.features,
        }
    }
}

/// Accelerations `q̈ = s·net(features(q, q̇, c))`.
#[derive(Clone, Debug)]
pub struct PlainModel {
    /// The network's shape, with an output for each coordinate.
    pub shape: MlpShape,
    /// Its inputs.
    pub features: FeatureMap,
    /// s.
    pub output_scale: f64,
}

/// The Lagrangian `½ Σ mⱼ q̇ⱼ² + net(features(q, q̇, c)) [+ s·net₂(features(q, c))]`, with `q̈ = U (U H U)⁺ U r`, U = diag(units).
#[derive(Clone, Debug)]
pub struct LagrangianModel {
    /// The network's shape, with one output.
    pub shape: MlpShape,
    /// Its inputs.
    pub features: FeatureMap,
    /// Residual masses, `[d]`.
    pub masses: Vec<f64>,
    /// Units of the velocities, `[d]`, where they are not all 1.
    pub units: Option<Vec<f64>>,
    /// Which eigenvalues of U H U count as zero.
    pub tolerance: Tolerance,
    /// A second term, if there is one.
    pub potential: Option<PotentialModel>,
}

/// The term `s·net(features(q, c))` of a Lagrangian, whose inputs are its features without the velocities.
#[derive(Clone, Debug)]
pub struct PotentialModel {
    /// The network's shape, with one output.
    pub shape: MlpShape,
    /// Its inputs.
    pub features: FeatureMap,
    /// s.
    pub scale: f64,
}

impl LagrangianModel {
    /// The shapes of its networks, in the order of their parameters.
    pub(crate) fn shapes(&self) -> Vec<&MlpShape> {
        [&self.shape].into_iter().chain(self.potential.as_ref().map(|potential| &potential.shape)).collect()
    }
}

/// A system whose accelerations are computed on the device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TrueSystem {
    /// The planar double pendulum.
    DoublePendulum(DoublePendulum),
}

impl TrueSystem {
    /// Components of a state (q, q̇, conditionals).
    pub const fn state(&self) -> usize {
        match self {
            Self::DoublePendulum(_) => 4,
        }
    }
}

/// Where the states of a batch and their true accelerations come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Drawn on the device: the states of step k are those of stream k, as on the processor.
    Drawn {
        /// Seed of each model's draws.
        seeds: Vec<u64>,
        /// Their purpose.
        domain: u64,
        /// Of each component of a state, `[2d + c]`.
        distributions: Vec<Distribution>,
        /// Whose accelerations are learned.
        system: TrueSystem,
    },
    /// Uploaded for many steps at once.
    Uploaded {
        /// Whether each sample has a weight in the loss.
        weighted: bool,
    },
}

/// The optimiser and its settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OptimiserSettings {
    /// [`Adam`](crate::optimiser::Adam).
    Adam(AdamSettings),
    /// [`Soap`](crate::optimiser::Soap).
    Soap {
        /// Its averages.
        settings: SoapSettings,
        /// Updates between two refreshes of the bases, at least 1.
        refresh_every: u64,
    },
}

impl OptimiserSettings {
    pub(super) const fn averages(&self) -> AdamSettings {
        match self {
            Self::Adam(settings) => *settings,
            Self::Soap { settings, .. } => settings.averages,
        }
    }
}

/// The recipe of a [`Training`](super::Training).
#[derive(Clone, Debug)]
pub struct TrainingSettings {
    /// Networks that are trained side by side, at least 1; more only where [`Model::side_by_side`] says so.
    pub models: usize,
    /// Where batches come from.
    pub source: Source,
    /// Samples of a model's batch, at least 1.
    pub batch: usize,
    /// The loss of the accelerations.
    pub loss: Loss,
    /// Units in which each component's error is measured, `[d]`, where they are not all 1.
    pub error_units: Option<Vec<f64>>,
    /// c of the penalty c‖θ‖².
    pub penalty: f64,
    /// How gradients are clipped.
    pub clipping: Clipping,
    /// The optimiser.
    pub optimiser: OptimiserSettings,
    /// Its decoupled weight decay w.
    pub weight_decay: f64,
    /// Most steps that are submitted at once, at least 1.
    pub steps: usize,
}
