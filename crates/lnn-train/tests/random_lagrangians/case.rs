//! Random Lagrangian networks with states and cotangents.

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::{Activation, MlpShape};
use lnn_train::model::{LagrangianNetwork, LagrangianWorkspace, Networks, States};

use crate::numbers::Numbers;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) model: LagrangianNetwork,
    pub(crate) parameters: Vec<f64>,
    pub(crate) rows: usize,
    pub(crate) q: Vec<f64>,
    pub(crate) q_dot: Vec<f64>,
    pub(crate) conditionals: Vec<f64>,
    /// Cotangent of q̈, `[rows, d]`.
    pub(crate) lambda: Vec<f64>,
}

/// One state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State<'a> {
    pub(crate) q: &'a [f64],
    pub(crate) q_dot: &'a [f64],
    pub(crate) conditionals: &'a [f64],
}

/// What a case is made of; `features` come on top of the d velocities.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) d: usize,
    pub(crate) conditionals: usize,
    pub(crate) features: Vec<usize>,
    pub(crate) hidden: Vec<usize>,
    pub(crate) activation: Activation,
    pub(crate) residual_mass: f64,
    pub(crate) rows: usize,
    pub(crate) seed: u64,
}

impl Plan {
    /// Feature number `kind` of every kind, coordinate and scale.
    fn feature(&self, kind: usize) -> Feature {
        let index = kind % self.d;
        let (scale, centre) = ([0.5, 1.0, 3.0][kind % 3], [0.0, 0.7][kind % 2]);
        match kind % 6 {
            0 => Feature::Position { index, scale, centre },
            1 => Feature::WrappedAngle { index, scale },
            2 => Feature::Sine { index },
            3 => Feature::Cosine { index },
            4 if self.conditionals > 0 => Feature::Conditional { index: kind % self.conditionals, scale, centre },
            _ => Feature::Velocity { index, scale },
        }
    }

    pub(crate) fn case(&self) -> Case {
        let velocities = (0..self.d).map(|index| Feature::Velocity { index, scale: 2.0 });
        let features: Vec<_> = self.features.iter().map(|&kind| self.feature(kind)).chain(velocities).collect();
        let sizes = [vec![features.len()], self.hidden.clone(), vec![1]].concat();
        let shape = MlpShape::new(&sizes, self.activation).expect("sizes above 0");
        let map = FeatureMap::new(self.d, self.conditionals, features).expect("indices in range");
        let mut numbers = Numbers::new(self.seed);
        let parameters = shape.layers().iter().flat_map(|layer| {
            let weight = numbers.take(layer.inputs * layer.outputs, 2.0 / (layer.inputs as f64).sqrt());
            [weight, numbers.take(layer.outputs, 0.5)].concat()
        });
        let parameters = parameters.collect();
        Case {
            parameters,
            rows: self.rows,
            // Beyond one turn, so that wrapping is seen.
            q: numbers.take(self.rows * self.d, 8.0),
            q_dot: numbers.take(self.rows * self.d, 2.0),
            conditionals: numbers.take(self.rows * self.conditionals, 1.0),
            lambda: numbers.take(self.rows * self.d, 1.0),
            model: LagrangianNetwork::new(shape, map, self.residual_mass, None).expect("a valid model"),
        }
    }
}

impl Case {
    pub(crate) fn dof(&self) -> usize {
        self.model.features().degrees_of_freedom()
    }
    pub(crate) fn state(&self, row: usize) -> State<'_> {
        let (d, c) = (self.dof(), self.model.features().conditionals());
        State {
            q: &self.q[row * d..(row + 1) * d],
            q_dot: &self.q_dot[row * d..(row + 1) * d],
            conditionals: &self.conditionals[row * c..(row + 1) * c],
        }
    }
    pub(crate) fn lambda(&self, row: usize) -> &[f64] {
        &self.lambda[row * self.dof()..(row + 1) * self.dof()]
    }
    fn bind<'a>(&'a self, parameters: &'a [f64]) -> Networks<'a, f64> {
        self.model.shape().bind(parameters).expect("as many parameters as the shape has").into()
    }
    /// The batched pipeline at other parameters.
    pub(crate) fn evaluate(&self, parameters: &[f64]) -> LagrangianWorkspace<f64> {
        let mut workspace = self.model.workspace(self.rows, true);
        let states = States { q: &self.q, q_dot: &self.q_dot, conditionals: &self.conditionals };
        self.model.evaluate(self.bind(parameters), states, &mut workspace);
        workspace
    }
    /// `∂/∂θ Σ λ·q̈` by the batched adjoint.
    pub(crate) fn gradient(&self, workspace: &mut LagrangianWorkspace<f64>) -> Vec<f64> {
        let mut gradient = vec![0.0; self.parameters.len()];
        self.model.gradient(self.bind(&self.parameters), &self.lambda, workspace, Accumulate::Replace, &mut gradient);
        gradient
    }
    /// n ε: each layer adds its inputs' products and about 20 operations of the activation's derivatives; features,
    /// assembly and solve add some d; a gradient sums four products a row.
    pub(crate) fn unit(&self) -> f64 {
        let chain: usize = self.model.shape().dimensions().iter().map(|width| width + 20).sum();
        (chain + 12 * self.dof() + 4 * self.rows) as f64 * f64::EPSILON
    }
}
