//! Plain networks: the second-order baseline, q̈ = scale · net(features) with q̇ exact, and the whole vector field.

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{MlpShape, Real};

use super::block::{BlockModel, Rates, RatesMut, States, require_vjp};
use super::{ModelError, Networks, positive, require_sizes};

/// What a plain network's outputs are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainOutput {
    /// d accelerations; the rate of q is q̇ itself.
    Acceleration,
    /// 2d rates: those of q, then those of q̇.
    VectorField,
}

/// `q̈ = output_scale · net(features(q, q̇, c))`, or `(dq/dt, dq̇/dt)` with a scale each.
#[derive(Clone, Debug)]
pub struct PlainNetwork {
    shape: MlpShape,
    features: FeatureMap,
    output: PlainOutput,
    /// Units of the rates of q and of q̇.
    scales: [f64; 2],
}

impl PlainNetwork {
    /// A network from features to the d accelerations, in units of `output_scale`.
    ///
    /// # Errors
    /// A network that does not map the features to d outputs, no degree of freedom, or an output scale that
    /// is not a finite number above 0.
    pub fn acceleration(shape: MlpShape, features: FeatureMap, output_scale: f64) -> Result<Self, ModelError> {
        Self::new(shape, features, PlainOutput::Acceleration, [1.0, output_scale])
    }

    /// A network from features to the 2d rates of (q, q̇), in units of `velocity_scale` and `output_scale`.
    ///
    /// # Errors
    /// As for [`acceleration`](Self::acceleration), with 2d outputs.
    pub fn vector_field(
        shape: MlpShape,
        features: FeatureMap,
        velocity_scale: f64,
        output_scale: f64,
    ) -> Result<Self, ModelError> {
        Self::new(shape, features, PlainOutput::VectorField, [velocity_scale, output_scale])
    }

    fn new(shape: MlpShape, features: FeatureMap, output: PlainOutput, scales: [f64; 2]) -> Result<Self, ModelError> {
        let d = features.degrees_of_freedom();
        let outputs = if output == PlainOutput::Acceleration { d } else { 2 * d };
        require_sizes("plain network", &shape, features.len(), outputs)?;
        if d == 0 {
            return Err(ModelError::NoCoordinates);
        }
        for (name, given) in ["the velocity scale", "the output scale"].into_iter().zip(scales) {
            positive(name, given)?;
        }
        Ok(Self { shape, features, output, scales })
    }

    /// The network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// The input features.
    pub fn features(&self) -> &FeatureMap {
        &self.features
    }
    /// What the outputs are.
    pub fn output(&self) -> PlainOutput {
        self.output
    }
    /// What network outputs of 1 mean, in the units of the rates of q and of q̇.
    pub fn scales(&self) -> [f64; 2] {
        self.scales
    }

    pub(super) fn block<T: Real>(&self, capacity: usize, training: bool) -> PlainBlock<T> {
        let purpose = if training { Purpose::Gradient } else { Purpose::Forward };
        let bars = if training { capacity * self.shape.outputs() } else { 0 };
        PlainBlock {
            jets: JetWorkspace::new(&self.shape, 0, capacity, purpose),
            slope: vec![T::ZERO; capacity * self.features.len()],
            output_bar: vec![T::ZERO; bars],
            model: self.clone(),
        }
    }
}

/// A plain network with the buffers of one thread.
#[derive(Debug)]
pub(super) struct PlainBlock<T> {
    model: PlainNetwork,
    jets: JetWorkspace<T>,
    slope: Vec<T>,
    output_bar: Vec<T>,
}

impl<T: Real> BlockModel<T> for PlainBlock<T> {
    fn rates(&mut self, networks: Networks<'_, T>, states: States<'_, T>, rates: RatesMut<'_, T>) {
        let PlainNetwork { features, output, scales, .. } = &self.model;
        let d = features.degrees_of_freedom();
        let rows = states.rows(features);
        rates.require(states.q.len());
        let slope = &mut self.slope[..rows * features.len()];
        features.evaluate(states.q, states.q_dot, states.conditionals, self.jets.start(rows).value, slope);
        self.jets.forward(networks.only());
        let [velocity_scale, scale] = scales.map(T::from_f64);
        let outputs = self.jets.output();
        match output {
            PlainOutput::Acceleration => {
                rates.q.copy_from_slice(states.q_dot);
                for (out, &y) in rates.q_dot.iter_mut().zip(outputs) {
                    *out = scale * y;
                }
            }
            PlainOutput::VectorField => {
                for (row, outputs) in outputs.chunks_exact(2 * d).enumerate() {
                    for i in 0..d {
                        rates.q[row * d + i] = velocity_scale * outputs[i];
                        rates.q_dot[row * d + i] = scale * outputs[d + i];
                    }
                }
            }
        }
    }

    fn vjp(
        &mut self,
        networks: Networks<'_, T>,
        lambda: Rates<'_, T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        states_bar: Option<RatesMut<'_, T>>,
    ) {
        let PlainNetwork { features, output, scales, .. } = &self.model;
        let (d, rows) = (features.degrees_of_freedom(), self.jets.rows());
        let lengths = (gradient.len(), self.model.shape.parameter_count());
        let second_order = *output == PlainOutput::Acceleration;
        require_vjp(rows * d, second_order, &lambda, lengths, states_bar.as_ref());
        let [velocity_scale, scale] = scales.map(T::from_f64);
        let output_bar = &mut self.output_bar[..rows * self.model.shape.outputs()];
        match output {
            PlainOutput::Acceleration => {
                for (bar, &lambda) in output_bar.iter_mut().zip(lambda.q_dot) {
                    *bar = scale * lambda;
                }
            }
            PlainOutput::VectorField => {
                for (row, bar) in output_bar.chunks_exact_mut(2 * d).enumerate() {
                    for i in 0..d {
                        bar[i] = velocity_scale * lambda.q[row * d + i];
                        bar[d + i] = scale * lambda.q_dot[row * d + i];
                    }
                }
            }
        }
        self.jets.reverse(networks.only(), output_bar);
        self.jets.parameter_vjp(accumulate, gradient);
        if let Some(bar) = states_bar {
            bar.q.fill(T::ZERO);
            match output {
                PlainOutput::Acceleration => bar.q_dot.copy_from_slice(lambda.q),
                PlainOutput::VectorField => bar.q_dot.fill(T::ZERO),
            }
            let slope = &self.slope[..rows * features.len()];
            features.add_pull_back(slope, self.jets.input_bar(), bar.q, bar.q_dot);
        }
    }

    fn energy(&mut self, _networks: Networks<'_, T>, _states: States<'_, T>, _energy: &mut [T]) -> bool {
        false
    }

    fn rates_and_energy(
        &mut self,
        networks: Networks<'_, T>,
        states: States<'_, T>,
        rates: RatesMut<'_, T>,
        _energy: &mut [T],
    ) -> bool {
        self.rates(networks, states, rates);
        false
    }
}
