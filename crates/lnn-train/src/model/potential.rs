//! A network of the configuration alone: scale · net(features without velocities).

use lnn_autodiff::features::FeatureMap;
use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{Mlp, MlpShape, Real};

use super::block::States;
use super::{ModelError, positive, require_sizes};

/// `s · net(features(q, c))`, a term of a Lagrangian or, with the other sign, its potential energy.
#[derive(Clone, Debug)]
pub struct PotentialNetwork {
    shape: MlpShape,
    features: FeatureMap,
    scale: f64,
}

impl PotentialNetwork {
    /// A network from `features` without their velocities to one output.
    ///
    /// # Errors
    /// A network of other sizes, no feature of the configuration, or a scale that is not a finite number above 0.
    pub(super) fn new(shape: MlpShape, features: &FeatureMap, scale: f64) -> Result<Self, ModelError> {
        let features = features.without_velocities()?;
        require_sizes("potential network", &shape, features.len(), 1)?;
        if !shape.activation().has_second_derivative() {
            return Err(ModelError::FlatActivation(shape.activation()));
        }
        positive("the potential's scale", scale)?;
        Ok(Self { shape, features, scale })
    }

    /// The network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }
    /// The features of the configuration.
    pub fn features(&self) -> &FeatureMap {
        &self.features
    }
    /// Factor s of the network's output.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    pub(super) fn workspace<T: Real>(&self, capacity: usize, training: bool) -> PotentialWorkspace<T> {
        let purpose = if training { Purpose::Directional } else { Purpose::Gradient };
        let zeros = |width: usize| vec![T::ZERO; capacity * width];
        PotentialWorkspace {
            jets: JetWorkspace::new(&self.shape, 0, capacity, purpose),
            ones: vec![T::ONE; capacity],
            slope: zeros(self.features.len()),
            a: zeros(if training { self.features.len() } else { 0 }),
            scaled: zeros(self.features.degrees_of_freedom()),
            unused: zeros(self.features.degrees_of_freedom()),
        }
    }
}

/// Buffers of one block of a [`PotentialNetwork`].
#[derive(Clone, Debug)]
pub(super) struct PotentialWorkspace<T> {
    jets: JetWorkspace<T>,
    ones: Vec<T>,
    slope: Vec<T>,
    /// Input tangent, `[rows, features]`.
    a: Vec<T>,
    /// `[rows, d]`.
    scaled: Vec<T>,
    /// Cotangents of velocities, which are zero.
    unused: Vec<T>,
}

impl PotentialNetwork {
    /// Evaluates the block and adds `sign · s ∂net/∂q` to `force` `[rows, d]`.
    pub(super) fn add_gradient<T: Real>(
        &self,
        network: Mlp<'_, T>,
        states: States<'_, T>,
        workspace: &mut PotentialWorkspace<T>,
        with_value: bool,
        sign: T,
        force: &mut [T],
    ) {
        let rows = force.len() / self.features.degrees_of_freedom();
        let PotentialWorkspace { jets, ones, slope, scaled, unused, .. } = workspace;
        let slope = &mut slope[..rows * self.features.len()];
        self.features.evaluate(states.q, states.q_dot, states.conditionals, jets.start(rows).value, slope);
        if with_value {
            jets.forward(network);
        } else {
            jets.forward_derivatives(network);
        }
        jets.reverse(network, &ones[..rows]);
        let (scaled, unused) = (&mut scaled[..force.len()], &mut unused[..force.len()]);
        self.features.pull_back(slope, jets.input_bar(), scaled, unused);
        let factor = sign * T::from_f64(self.scale);
        for (force, &slope) in force.iter_mut().zip(&*scaled) {
            *force += factor * slope;
        }
    }

    /// s · net of the block evaluated last with its value, `[rows]`.
    pub(super) fn values<'a, T: Real>(&self, workspace: &'a PotentialWorkspace<T>) -> impl Iterator<Item = T> + 'a {
        let scale = T::from_f64(self.scale);
        workspace.jets.output().iter().map(move |&value| scale * value)
    }

    /// Writes or adds the parameter gradient of `sign · Σ v · s ∂net/∂q` to `gradient`, and adds its derivative by q to
    /// `q_bar`.
    pub(super) fn vjp<T: Real>(
        &self,
        network: Mlp<'_, T>,
        (sign, v): (T, &[T]),
        workspace: &mut PotentialWorkspace<T>,
        accumulate: Accumulate,
        gradient: &mut [T],
        q_bar: Option<&mut [T]>,
    ) {
        let rows = workspace.jets.rows();
        let PotentialWorkspace { jets, slope, a, scaled, unused, .. } = workspace;
        let (slope, a) = (&slope[..rows * self.features.len()], &mut a[..rows * self.features.len()]);
        let (scaled, unused) = (&mut scaled[..v.len()], &mut unused[..v.len()]);
        let factor = sign * T::from_f64(self.scale);
        for (scaled, &v) in scaled.iter_mut().zip(v) {
            *scaled = factor * v;
        }
        self.features.position_tangent(slope, scaled, a);
        jets.directional_gradient(network, a, accumulate, gradient);
        if let Some(q_bar) = q_bar {
            self.features.add_curvature_pull_back(jets.input(), jets.input_bar(), scaled, q_bar);
            self.features.add_pull_back(slope, jets.input_cotangents(network).value, q_bar, unused);
        }
    }
}
