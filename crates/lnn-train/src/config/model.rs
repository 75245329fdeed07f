//! One model and its training recipe, as written in files.

use lnn_autodiff::Activation;
use lnn_physics::System;
use serde::{Deserialize, Serialize};

use super::activation::ActivationText;
use super::data::TrainingData;
use crate::loss::{Loss, LossWeight};
use crate::model::triangle;
use crate::optimiser::{ClippingConfig, OptimiserConfig, Schedule};

/// A model and how it is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    /// What the network stands for.
    pub kind: ModelKind,
    /// Widths of the hidden layers, first to last.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    #[serde(with = "ActivationText")]
    pub activation: Activation,
    /// Distribution of the first weights.
    pub initialisation: Initialisation,
    /// How a state becomes the network's input.
    pub features: FeaturesConfig,
    /// Precision of training.
    pub precision: Precision,
    /// The training recipe.
    pub training: TrainingConfig,
}

impl Default for ModelConfig {
    /// The Lagrangian network of preset `fast`.
    fn default() -> Self {
        Self {
            kind: ModelKind::default(),
            hidden: vec![64, 64, 64],
            activation: Activation::Softplus,
            initialisation: Initialisation::default(),
            features: FeaturesConfig::default(),
            precision: Precision::F32,
            training: TrainingConfig::default(),
        }
    }
}

impl ModelConfig {
    /// Layer sizes `[inputs, hidden…, outputs]` of the main network for d degrees of freedom and c conditional inputs.
    pub fn dimensions(&self, degrees_of_freedom: usize, conditionals: usize) -> Vec<usize> {
        self.kind.dimensions(&self.features, &self.hidden, degrees_of_freedom, conditionals)
    }
}

/// What the network stands for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ModelKind {
    /// L = ½ m |q̇|² + net(features): a Lagrangian, whose Euler–Lagrange equation gives q̈.
    Lnn {
        /// Residual mass m of the quadratic term; 0 leaves the network alone.
        residual_mass: f64,
        /// Eigenvalues of the mass matrix below this fraction of the largest in magnitude count as zero; 1e-6 where it is
        /// left out.
        #[serde(default = "pseudoinverse_tolerance")]
        pseudoinverse_tolerance: f64,
        /// Adds s · net₂(features without velocities), a second network of the same hidden widths; absent, there is
        /// none. For systems whose potential has a much wider range than their kinetic energy.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        potential_scale: Option<f64>,
        /// Whether the residual mass is that of the scaled velocities uⱼ = q̇ⱼ / `velocity_scale`ⱼ, ½ m |u|², and the mass
        /// matrix is judged and inverted in them: so that neither depends on the units of the coordinates.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        scaled_velocities: bool,
    },
    /// L = ½ q̇ᵀ M(q) q̇ − s · net₂(q), M = C Cᵀ + ε I, C = b I + net(q): a deep Lagrangian network (DeLaN).
    Delan {
        /// b, added to the diagonal of the triangle C.
        diagonal: f64,
        /// ε, the smallest possible eigenvalue of the mass matrix.
        regularisation: f64,
        /// s, in the units of the energy.
        potential_scale: f64,
    },
    /// H = net(features): a Hamiltonian network (HNN) that takes q̇ for the momentum.
    Hnn,
    /// H = net(features of (q, p)): a Hamiltonian network in the canonical coordinates of its system, which must offer
    /// them; trained on (dq/dt, dp/dt).
    HnnCanonical {
        /// Adds s · net₂(features without momenta), as for `Lnn`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        potential_scale: Option<f64>,
    },
    /// q̈ = s · net(features): a plain second-order network.
    Baseline {
        /// Scale s of the network's output, in the units of q̈.
        output_scale: f64,
    },
    /// (dq/dt, dq̇/dt) = net(features), with a scale each: a plain network of the whole vector field.
    BaselineFirstOrder {
        /// Scale of the first d outputs, in the units of q̇.
        velocity_scale: f64,
        /// Scale of the last d outputs, in the units of q̈.
        output_scale: f64,
    },
}

impl ModelKind {
    /// Layer sizes `[inputs, hidden…, outputs]` of the main network.
    pub fn dimensions(
        &self,
        features: &FeaturesConfig,
        hidden: &[usize],
        dof: usize,
        conditionals: usize,
    ) -> Vec<usize> {
        let outputs = match self {
            Self::Lnn { .. } | Self::Hnn | Self::HnnCanonical { .. } => 1,
            Self::Delan { .. } => triangle(dof),
            Self::Baseline { .. } => dof,
            Self::BaselineFirstOrder { .. } => 2 * dof,
        };
        let inputs = match self {
            Self::Delan { .. } => features.configuration_inputs(dof, conditionals),
            _ => features.inputs(dof, conditionals),
        };
        [&[inputs], hidden, &[outputs]].concat()
    }

    /// Layer sizes of the network of the configuration alone, if the model has one.
    pub fn potential_dimensions(
        &self,
        features: &FeaturesConfig,
        hidden: &[usize],
        dof: usize,
        conditionals: usize,
    ) -> Option<Vec<usize>> {
        let has_one = matches!(
            self,
            Self::Lnn { potential_scale: Some(_), .. }
                | Self::HnnCanonical { potential_scale: Some(_) }
                | Self::Delan { .. }
        );
        has_one.then(|| [&[features.configuration_inputs(dof, conditionals)], hidden, &[1]].concat())
    }

    /// Names of the kinds that `system` can be learned by, as files spell them.
    pub fn serving(system: &dyn System) -> Vec<&'static str> {
        let mut names = vec!["Lnn", "Delan", "Hnn", "Baseline", "BaselineFirstOrder"];
        if system.canonical().is_some() {
            names.insert(3, "HnnCanonical");
        }
        names
    }

    /// The kind in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Lnn { .. } => "Lagrangian network",
            Self::Delan { .. } => "deep Lagrangian network",
            Self::Hnn => "Hamiltonian network in (q, q̇)",
            Self::HnnCanonical { .. } => "Hamiltonian network",
            Self::Baseline { .. } => "plain network of accelerations",
            Self::BaselineFirstOrder { .. } => "plain network of the vector field",
        }
    }

    /// Whether the motion is made of the network's derivatives and not of its values.
    pub fn differentiates_network(&self) -> bool {
        !matches!(self, Self::Baseline { .. } | Self::BaselineFirstOrder { .. })
    }
}

impl Default for ModelKind {
    /// A Lagrangian network with residual mass 1.
    fn default() -> Self {
        let pseudoinverse_tolerance = pseudoinverse_tolerance();
        Self::Lnn { residual_mass: 1.0, pseudoinverse_tolerance, potential_scale: None, scaled_velocities: false }
    }
}

fn pseudoinverse_tolerance() -> f64 {
    1e-6
}

/// How a state (q, q̇, c) becomes the network's input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeaturesConfig {
    /// Treatment of the coordinates.
    pub angles: AngleFeatures,
    /// Divides the coordinates; must be 1 where they enter as sine and cosine.
    pub position_scale: f64,
    /// Divides the velocities; the momenta of a model in canonical coordinates.
    pub velocity_scale: f64,
    /// Divides the conditionals.
    pub conditional_scale: f64,
    /// Centre and scale of each conditional, where they are not all alike: in place of `conditional_scale`, one entry a
    /// conditional. Empty, that holds for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditionals: Vec<ConditionalFeatures>,
    /// Treatment and scales of each coordinate and its velocity, where they are not all alike: in place of the first
    /// three fields, one entry a coordinate. Empty, those hold for all.
    pub coordinates: Vec<CoordinateFeatures>,
}

/// How one coordinate and its velocity become inputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoordinateFeatures {
    /// Treatment of the coordinate.
    pub angles: AngleFeatures,
    /// Divides the coordinate; must be 1 where it enters as sine and cosine.
    pub position_scale: f64,
    /// Divides its velocity, or its momentum.
    pub velocity_scale: f64,
    /// Taken off the coordinate before it is divided; must be 0 unless it enters as it is.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub position_centre: f64,
}

/// How one conditional becomes an input: (c − centre) / scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConditionalFeatures {
    /// Taken off first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub centre: f64,
    /// Divides.
    pub scale: f64,
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl FeaturesConfig {
    /// How each of the d coordinates becomes inputs.
    ///
    /// `coordinates` of another length than d are given as they are; [`validate`](super::ExperimentConfig::validate)
    /// refuses them.
    pub fn of_coordinates(&self, degrees_of_freedom: usize) -> Vec<CoordinateFeatures> {
        if !self.coordinates.is_empty() {
            return self.coordinates.clone();
        }
        let Self { angles, position_scale, velocity_scale, .. } = *self;
        vec![CoordinateFeatures { angles, position_scale, velocity_scale, position_centre: 0.0 }; degrees_of_freedom]
    }

    /// How each of the c conditionals becomes an input; a list of another length than c is given as it is, as for
    /// [`of_coordinates`](Self::of_coordinates).
    pub fn of_conditionals(&self, conditionals: usize) -> Vec<ConditionalFeatures> {
        if !self.conditionals.is_empty() {
            return self.conditionals.clone();
        }
        vec![ConditionalFeatures { centre: 0.0, scale: self.conditional_scale }; conditionals]
    }

    /// The network's number of inputs for d degrees of freedom and c conditional inputs.
    pub fn inputs(&self, degrees_of_freedom: usize, conditionals: usize) -> usize {
        degrees_of_freedom + self.configuration_inputs(degrees_of_freedom, conditionals)
    }

    /// The inputs of a network that sees no velocity.
    pub fn configuration_inputs(&self, degrees_of_freedom: usize, conditionals: usize) -> usize {
        let inputs = |angles: AngleFeatures| match angles {
            AngleFeatures::SinCos => 2,
            AngleFeatures::Wrap | AngleFeatures::Identity => 1,
        };
        let positions = match &self.coordinates[..] {
            [] => degrees_of_freedom * inputs(self.angles),
            each => each.iter().map(|coordinate| inputs(coordinate.angles)).sum(),
        };
        positions + conditionals
    }
}

impl Default for FeaturesConfig {
    /// [sin q, cos q, q̇ / 5, c].
    fn default() -> Self {
        Self {
            angles: AngleFeatures::SinCos,
            position_scale: 1.0,
            velocity_scale: 5.0,
            conditional_scale: 1.0,
            conditionals: Vec::new(),
            coordinates: Vec::new(),
        }
    }
}

/// Treatment of the coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AngleFeatures {
    /// Each angle enters as its sine and its cosine.
    SinCos,
    /// Each angle is taken modulo 2π into [−π, π), then divided by the position scale.
    Wrap,
    /// Each coordinate is divided by the position scale.
    Identity,
}

/// Distribution of the first weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Initialisation {
    /// The paper's Eq. 16: zero biases, weights N(0, σ²), σ = (1/√n)·{2.2 first layer; 0.58 i hidden layer i;
    /// n output layer}, n the larger of a layer's input and output widths.
    Paper,
    /// Weights N(0, (gain/√fan_in)²) with a gain by the layer's place.
    UnitGain {
        /// Gain of the first layer.
        first: f64,
        /// Gain of the layers between the first and the output layer.
        hidden: f64,
        /// Gain of the output layer.
        output: f64,
        /// Standard deviation of the hidden layers' biases; the output bias is 0.
        bias: f64,
    },
}

impl Default for Initialisation {
    /// Gains 1.5, 2 and 0.3, biases 0.5: measured for softplus Lagrangian networks.
    fn default() -> Self {
        Self::UnitGain { first: 1.5, hidden: 2.0, output: 0.3, bias: 0.5 }
    }
}

/// Precision of training; rollouts are in double precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Precision {
    /// Single.
    F32,
    /// Double.
    F64,
}

/// The training recipe of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Optimiser steps; a schedule with an end must end here.
    pub steps: u64,
    /// States or segments a step.
    pub batch: usize,
    /// Loss on the acceleration, or on the mean rates of change of segments.
    pub loss: Loss,
    /// How much each state of a batch counts.
    pub weight: LossWeight,
    /// Coefficient c of the penalty c‖θ‖² added to the loss (1e-6 in the authors' notebook).
    pub l2_penalty: f64,
    /// Optimiser.
    pub optimiser: OptimiserConfig,
    /// Learning rate against the step.
    pub schedule: Schedule,
    /// Shortening of unusually long gradients.
    pub clipping: ClippingConfig,
    /// Partial gradients that a batch's gradient is summed from, so also the most threads that share a step; absent,
    /// 16, and 4 for networks of more than 100 000 parameters, whose partial gradients fill the caches. Another
    /// number changes the last bits of a run, the number of threads never does.
    pub gradient_parts: Option<usize>,
    /// What to learn from.
    pub data: TrainingData,
}
