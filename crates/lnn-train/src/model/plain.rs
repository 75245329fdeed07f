//! The plain second-order baseline: q̈ = scale · net(features), q̇ exact.

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{Mlp, MlpShape, Real};

use super::{ModelError, States};

/// `q̈ = output_scale · net(features(q, q̇, c))`.
#[derive(Clone, Debug)]
pub struct PlainNetwork {
    shape: MlpShape,
    features: FeatureMap,
    output_scale: f64,
}

/// Buffers of one block.
#[derive(Clone, Debug)]
pub struct PlainWorkspace<T> {
    jets: JetWorkspace<T>,
    slope: Vec<T>,
    output_bar: Vec<T>,
}

impl PlainNetwork {
    /// A network from features to the d accelerations, in units of `output_scale`.
    ///
    /// # Errors
    /// A network that does not map the features to d outputs, no degree of freedom, or an output scale that
    /// is not a finite number above 0.
    pub fn new(shape: MlpShape, features: FeatureMap, output_scale: f64) -> Result<Self, ModelError> {
        let d = features.degrees_of_freedom();
        if shape.inputs() != features.len() || shape.outputs() != d {
            return Err(ModelError::NetworkSizes {
                model: "plain network",
                inputs: features.len(),
                outputs: d,
                given_inputs: shape.inputs(),
                given_outputs: shape.outputs(),
            });
        }
        if d == 0 {
            return Err(ModelError::NoCoordinates);
        }
        if !(output_scale.is_finite() && output_scale > 0.0) {
            return Err(ModelError::Setting { name: "the output scale", given: output_scale, expected: "above 0" });
        }
        Ok(Self { shape, features, output_scale })
    }

    /// The network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// The input features.
    pub fn features(&self) -> &FeatureMap {
        &self.features
    }
    /// What a network output of 1 means, in the acceleration's unit.
    pub fn output_scale(&self) -> f64 {
        self.output_scale
    }

    /// Buffers for blocks of up to `capacity` rows; `training` adds what the gradient needs.
    pub fn workspace<T: Real>(&self, capacity: usize, training: bool) -> PlainWorkspace<T> {
        let purpose = if training { Purpose::Gradient } else { Purpose::Forward };
        let bars = if training { capacity * self.shape.outputs() } else { 0 };
        PlainWorkspace {
            jets: JetWorkspace::new(&self.shape, 0, capacity, purpose),
            slope: vec![T::ZERO; capacity * self.features.len()],
            output_bar: vec![T::ZERO; bars],
        }
    }

    /// Accelerations `[rows, d]`.
    ///
    /// # Panics
    /// If the block has more rows than the workspace, or a length does not fit.
    pub fn accelerations<T: Real>(
        &self,
        network: Mlp<'_, T>,
        states: States<'_, T>,
        workspace: &mut PlainWorkspace<T>,
        out: &mut [T],
    ) {
        let rows = out.len() / self.shape.outputs();
        let inputs = workspace.jets.start(rows);
        let slope = &mut workspace.slope[..rows * self.features.len()];
        self.features.evaluate(states.q, states.q_dot, states.conditionals, inputs.value, slope);
        workspace.jets.forward(network);
        let scale = T::from_f64(self.output_scale);
        for (out, &y) in out.iter_mut().zip(workspace.jets.output()) {
            *out = scale * y;
        }
    }

    /// Writes or adds `∂(Σ λ·q̈)/∂θ` of the block evaluated last to `gradient`.
    ///
    /// # Panics
    /// If the workspace was not made for training.
    pub fn gradient<T: Real>(
        &self,
        network: Mlp<'_, T>,
        lambda: &[T],
        workspace: &mut PlainWorkspace<T>,
        accumulate: Accumulate,
        gradient: &mut [T],
    ) {
        let scale = T::from_f64(self.output_scale);
        let output_bar = &mut workspace.output_bar[..lambda.len()];
        for (bar, &lambda) in output_bar.iter_mut().zip(lambda) {
            *bar = scale * lambda;
        }
        workspace.jets.reverse(network, output_bar);
        workspace.jets.parameter_vjp(accumulate, gradient);
    }
}
