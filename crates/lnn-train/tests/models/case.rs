//! Random models with a block of states and cotangents.

use lnn_autodiff::jet::Accumulate;
use lnn_autodiff::{Activation, MlpShape};
use lnn_train::config::{AngleFeatures, FeaturesConfig, ModelKind};
use lnn_train::model::{BlockModel, Model, Rates, RatesMut, States};
use proptest::prelude::*;

use crate::numbers::Numbers;

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) model: Model,
    pub(crate) parameters: Vec<f64>,
    pub(crate) d: usize,
    pub(crate) rows: usize,
    pub(crate) q: Vec<f64>,
    pub(crate) q_dot: Vec<f64>,
    pub(crate) conditionals: Vec<f64>,
    /// Cotangents of the rates of q and of q̇.
    pub(crate) lambda: [Vec<f64>; 2],
}

/// What a block gives: rates, energies if there are any, and the way back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) rates: [Vec<f64>; 2],
    pub(crate) energy: Vec<f64>,
    pub(crate) gradient: Vec<f64>,
    pub(crate) states_bar: [Vec<f64>; 2],
}

pub(crate) const KINDS: [ModelKind; 8] = [
    ModelKind::Lnn {
        residual_mass: 1.5,
        pseudoinverse_tolerance: 1e-9,
        potential_scale: None,
        scaled_velocities: false,
    },
    ModelKind::Lnn {
        residual_mass: 1.0,
        pseudoinverse_tolerance: 1e-9,
        potential_scale: Some(3.0),
        scaled_velocities: false,
    },
    ModelKind::Lnn {
        residual_mass: 3.0,
        pseudoinverse_tolerance: 1e-9,
        potential_scale: None,
        scaled_velocities: true,
    },
    ModelKind::Delan { diagonal: 1.25, regularisation: 0.25, potential_scale: 2.0 },
    ModelKind::Hnn,
    ModelKind::HnnCanonical { potential_scale: Some(3.0) },
    ModelKind::Baseline { output_scale: 3.0 },
    ModelKind::BaselineFirstOrder { velocity_scale: 2.0, output_scale: 5.0 },
];

impl Found {
    /// The derivative by the number at `place`, counted as in [`Case::moved`].
    pub(crate) fn derivative(&self, place: usize) -> f64 {
        match place.checked_sub(self.gradient.len()) {
            None => self.gradient[place],
            Some(rest) => self.states_bar.concat()[rest],
        }
    }
}

impl Case {
    pub(crate) fn new(
        kind: ModelKind,
        angles: AngleFeatures,
        activation: Activation,
        [d, c, rows]: [usize; 3],
        hidden: &[usize],
        seed: u64,
    ) -> Self {
        let position_scale = if angles == AngleFeatures::SinCos { 1.0 } else { 2.0 };
        let features = FeaturesConfig { angles, position_scale, velocity_scale: 1.5, ..FeaturesConfig::default() };
        let shape = MlpShape::new(&kind.dimensions(&features, hidden, d, c), activation).expect("sizes above 0");
        let model = Model::new(kind, &features, shape, d, c).expect("a model that fits");
        let mut numbers = Numbers::new(seed);
        let parameters = model
            .shapes()
            .flat_map(|shape| shape.layers().to_vec())
            .flat_map(|layer| {
                // A learned curvature well below the residual mass keeps the mass matrix far from singular.
                let weight = numbers.take(layer.inputs * layer.outputs, 0.7 / (layer.inputs as f64).sqrt());
                [weight, numbers.take(layer.outputs, 0.5)].concat()
            })
            .collect();
        let mut take = |width: usize, scale: f64| numbers.take(rows * width, scale);
        Self {
            q: take(d, 2.0),
            q_dot: take(d, 2.0),
            conditionals: take(c, 1.0),
            lambda: [take(d, 1.0), take(d, 1.0)],
            model,
            parameters,
            d,
            rows,
        }
    }

    pub(crate) fn states(&self) -> States<'_, f64> {
        States { q: &self.q, q_dot: &self.q_dot, conditionals: &self.conditionals }
    }

    /// One row's part of a `[rows, width]` array.
    pub(crate) fn row<'a>(&self, array: &'a [f64], row: usize) -> &'a [f64] {
        let width = array.len() / self.rows;
        &array[row * width..(row + 1) * width]
    }

    /// Everything the block can do, in buffers that another block used before.
    pub(crate) fn run(&self) -> Found {
        let mut block = self.model.block::<f64>(self.rows + 1, true);
        let networks = self.model.bind(&self.parameters);
        let poison = vec![f64::NAN; self.rows * self.d];
        let nothing = vec![f64::NAN; self.conditionals.len()];
        self.rates(&mut *block, States { q: &poison, q_dot: &poison, conditionals: &nothing });
        let mut found = Found { rates: self.rates(&mut *block, self.states()), ..Found::default() };
        found.gradient = vec![f64::NAN; self.parameters.len()];
        found.states_bar = [poison.clone(), poison];
        let [q, q_dot] = found.states_bar.each_mut();
        let lambda = Rates { q: &self.lambda[0], q_dot: &self.lambda[1] };
        let states_bar = Some(RatesMut { q, q_dot });
        block.vjp(networks, lambda, Accumulate::Replace, &mut found.gradient, states_bar);
        found.energy = vec![f64::NAN; self.rows];
        if !block.energy(networks, self.states(), &mut found.energy) {
            found.energy.clear();
        }
        found
    }

    fn rates(&self, block: &mut dyn BlockModel<f64>, states: States<'_, f64>) -> [Vec<f64>; 2] {
        let mut rates = [(); 2].map(|()| vec![f64::NAN; self.rows * self.d]);
        let [q, q_dot] = rates.each_mut();
        block.rates(self.model.bind(&self.parameters), states, RatesMut { q, q_dot });
        rates
    }

    /// The case with one number changed by `step`: a parameter, or after these a component of q, then of q̇.
    pub(crate) fn moved(&self, place: usize, step: f64) -> Self {
        let mut case = self.clone();
        match place.checked_sub(self.parameters.len()) {
            None => case.parameters[place] += step,
            Some(rest) if rest < self.q.len() => case.q[rest] += step,
            Some(rest) => case.q_dot[rest - self.q.len()] += step,
        }
        case
    }

    /// The central difference of `scalar` by the number at `place`, and what its truncation may amount to; round-off
    /// comes on top, divided by [`step`](Self::step).
    pub(crate) fn difference(&self, place: usize, scalar: impl Fn(&Self) -> f64) -> (f64, f64) {
        let h = Self::step();
        let slope = |h: f64| (scalar(&self.moved(place, h)) - scalar(&self.moved(place, -h))) / (2.0 * h);
        let (difference, wider) = (slope(h), slope(2.0 * h));
        // The truncation error grows with h², so the wider difference is off by three times the narrow one's more.
        (difference, (wider - difference).abs())
    }

    /// The step of [`difference`](Self::difference).
    pub(crate) fn step() -> f64 {
        f64::EPSILON.cbrt()
    }

    /// Σ λ·rates.
    pub(crate) fn scalar(&self) -> f64 {
        let rates = self.rates(&mut *self.model.block(self.rows, false), self.states());
        rates.iter().flatten().zip(self.lambda.iter().flatten()).map(|(rate, lambda)| rate * lambda).sum()
    }

    /// Longest chain of roundings, as in the engine's own tests, for two networks and a solve.
    pub(crate) fn operations(&self) -> f64 {
        let chain: usize = self.model.shapes().flat_map(MlpShape::dimensions).map(|width| width + 20).sum();
        (chain + 8 * self.rows + 20 * self.d * self.d) as f64
    }
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let kind = prop::sample::select(KINDS.to_vec());
    let angles = prop::sample::select(vec![AngleFeatures::SinCos, AngleFeatures::Wrap, AngleFeatures::Identity]);
    let activation = prop::sample::select(vec![Activation::Softplus, Activation::Tanh, Activation::Silu]);
    let sizes = (1..=4_usize, 0..=2_usize, 1..=5_usize);
    let hidden = prop::collection::vec(1..=20_usize, 1..=3);
    (kind, angles, activation, sizes, hidden, any::<u64>()).prop_map(
        |(kind, angles, activation, (d, c, rows), hidden, seed)| {
            Case::new(kind, angles, activation, [d, c, rows], &hidden, seed)
        },
    )
}
