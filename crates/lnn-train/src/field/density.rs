//! The learned density beside the true one, by what no gauge changes.
//!
//! A Lagrangian is known from motions only up to a factor, a constant and total derivatives. Its mass matrix
//! ∂²L/∂φ̇∂φ̇ changes with the factor alone, which is fixed here by the mean of the mass. A field that is alike at all
//! sites has even more Lagrangians: with any A that commutes with its equation of motion, and couples rates of
//! neighbours, A times the equation has the same motions and a Lagrangian of its own. So the response of the force,
//! ∂r/∂φ, is shown with the mass matrix divided out, ∂φ̈/∂φ, which no choice of Lagrangian changes.

use lnn_graph::LagrangianBlock;
use lnn_graph::fields::Field;
use lnn_graph::solve::SolveError;

use super::config::{KnownField, StatesConfig};
use super::model::FieldModel;
use super::record::{DensityComparison, DensityPanel};

/// Points of a panel.
const POINTS: usize = 41;
/// Step of central differences of accelerations: their error h² f‴/6 meets rounding ε/h where h is near ε^(1/3).
const STEP: f64 = 1e-5;

/// A Lagrangian and the truth on one small lattice, at a site and its right neighbour.
struct Comparison<'a> {
    block: LagrangianBlock<f64>,
    parameters: &'a [f64],
    field: &'a dyn Field,
    site: usize,
    neighbour: usize,
}

/// The factor that a learned Lagrangian has over the true one, and the comparison without it; `None` of a model without a
/// Lagrangian. `model` is on the lattice of `known`, whose masses are 1.
///
/// # Errors
/// No memory for sparse factors.
pub(crate) fn compare_density(
    name: &str,
    (model, parameters): (&FieldModel, &[f64]),
    known: &KnownField,
    states: &StatesConfig,
) -> Result<Option<(f64, DensityComparison)>, SolveError> {
    let FieldModel::Lagrangian(lagrangian) = model else { return Ok(None) };
    let field = known.field();
    let site = middle(field);
    let Some(&neighbour) = field.topology().neighbours(site).iter().find(|&&neighbour| neighbour > site) else {
        return Ok(None);
    };
    let block = LagrangianBlock::new(lagrangian, 1, false)?;
    let mut comparison = Comparison { block, parameters, field, site, neighbour };
    let rates = between(-2.0 * states.rate_amplitude, 2.0 * states.rate_amplitude);
    let (masses, couplings): (Vec<f64>, Vec<f64>) = rates.iter().map(|&rate| comparison.masses(rate)).unzip();
    let factor = masses.iter().sum::<f64>() / masses.len() as f64;
    let spread = 2.0 * states.field_amplitude;
    let values = match states.offset {
        Some(offset) => between(offset.low, offset.high),
        None => between(-spread, spread),
    };
    let slopes = between(-spread, spread);
    let centre = states.offset.map_or(0.0, |offset| 0.5 * (offset.low + offset.high));
    let unknowns = field.unknowns();
    let own: Vec<[f64; 2]> = values.iter().map(|&value| comparison.responses(&vec![value; unknowns], site)).collect();
    let others: Vec<[f64; 2]> = slopes
        .iter()
        .map(|&slope| {
            let phi = comparison.sloped(centre, slope);
            comparison.responses(&phi, neighbour)
        })
        .collect();
    let without_factor = |learned: &[f64]| learned.iter().map(|value| value / factor).collect::<Vec<_>>();
    let (masses, couplings) = (without_factor(&masses), without_factor(&couplings));
    let panel = |quantity: &str, argument: &str, x: Vec<f64>, truth: Vec<f64>, learned: &[f64]| DensityPanel {
        quantity: quantity.to_owned(),
        argument: argument.to_owned(),
        x,
        truth,
        learned: learned.to_vec(),
    };
    let column = |pairs: &[[f64; 2]], which: usize| pairs.iter().map(|pair| pair[which]).collect::<Vec<_>>();
    let panels = vec![
        panel("∂²L/∂φ̇ᵢ²", "φ̇ᵢ", rates.clone(), vec![1.0; POINTS], &masses),
        panel("∂²L/∂φ̇ᵢ∂φ̇ⱼ", "φ̇ᵢ", rates, vec![0.0; POINTS], &couplings),
        panel("−∂φ̈ᵢ/∂φᵢ", "φ, the same at all sites", values, column(&own, 0), &column(&own, 1)),
        panel("−∂φ̈ᵢ/∂φⱼ", "φⱼ − φᵢ", slopes, column(&others, 0), &column(&others, 1)),
    ];
    Ok(Some((factor, DensityComparison { model: name.to_owned(), panels })))
}

/// The site in the middle of the lattice, with a neighbour to its right.
fn middle(field: &dyn Field) -> usize {
    let topology = field.topology();
    let Some(positions) = topology.positions() else { return 0 };
    let middle = |axis: usize| positions.iter().fold(0.0_f64, |most, place| most.max(place[axis])) / 2.0;
    let centre = [middle(0).floor(), middle(1).floor()];
    positions.iter().position(|&place| place == centre).unwrap_or(0)
}

/// Evenly spaced points.
fn between(low: f64, high: f64) -> Vec<f64> {
    (0..POINTS).map(|point| low + (high - low) * point as f64 / (POINTS - 1) as f64).collect()
}

impl Comparison<'_> {
    fn unknown(&self, site: usize) -> usize {
        site * self.field.components()
    }

    /// ∂²L/∂φ̇ᵢ² and ∂²L/∂φ̇ᵢ∂φ̇ⱼ where only φ̇ᵢ = `rate` is not 0.
    fn masses(&mut self, rate: f64) -> (f64, f64) {
        let n = self.field.unknowns();
        let (i, j) = (self.unknown(self.site), self.unknown(self.neighbour));
        let (phi, mut phi_dot) = (vec![0.0; n], vec![0.0; n]);
        phi_dot[i] = rate;
        self.block.accelerate(self.parameters, &phi, &phi_dot);
        let matrix = self.block.dense_mass_matrix(0);
        (matrix[i * n + i], matrix[i * n + j])
    }

    /// −∂φ̈ᵢ/∂φ at `site` for the truth and for the model, at rest.
    fn responses(&mut self, phi: &[f64], site: usize) -> [f64; 2] {
        let (i, j) = (self.unknown(self.site), self.unknown(site));
        let rest = vec![0.0; phi.len()];
        let mut accelerations = [[0.0; 2]; 2];
        for (side, step) in [-STEP, STEP].into_iter().enumerate() {
            let mut moved = phi.to_vec();
            moved[j] += step;
            let mut truth = vec![0.0; phi.len()];
            self.field.acceleration_into(&moved, &rest, &mut truth);
            accelerations[side] = [truth[i], self.block.accelerate(self.parameters, &moved, &rest)[i]];
        }
        [0, 1].map(|which| (accelerations[0][which] - accelerations[1][which]) / (2.0 * STEP))
    }

    /// A field that rises by `slope` from site to site along the row around the site, level two sites away.
    fn sloped(&self, centre: f64, slope: f64) -> Vec<f64> {
        let positions = self.field.topology().positions().unwrap_or_default();
        let here = positions.get(self.site).map_or(0.0, |place| place[self.axis()]);
        let c = self.field.components();
        let value = |site: usize| match positions.get(site) {
            Some(place) => centre + slope * (place[self.axis()] - here).clamp(-2.0, 2.0),
            None => centre,
        };
        (0..self.field.unknowns()).map(|unknown| value(unknown / c)).collect()
    }

    /// The axis along which the neighbour lies.
    fn axis(&self) -> usize {
        let positions = self.field.topology().positions().unwrap_or_default();
        usize::from(positions.len() > self.neighbour && positions[self.site][0] == positions[self.neighbour][0])
    }
}
