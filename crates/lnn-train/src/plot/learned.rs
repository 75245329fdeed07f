//! A learned model as a function of its variables, with names, units and ranges.

use std::f64::consts::PI;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lnn_physics::System;

use super::PlotError;
use super::motions::subscript;
use crate::config::AngleFeatures;
use crate::model::{Model, States};
use crate::quantities::{StateEvaluator, StateQuantities};
use crate::store::{Label, LoadedModel};

/// One variable of a model: a coordinate, a velocity or a conditional.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// What a command calls it: `q0`, `q_dot0`, or the conditional's name.
    pub name: String,
    /// What a figure calls it: `θ₁`.
    pub symbol: String,
    /// Its unit; empty if that is not known.
    pub unit: String,
    /// Whether it is an angle.
    pub angle: bool,
    /// Values shown where it varies.
    pub range: (f64, f64),
    /// Value where it does not.
    pub fixed: f64,
}

/// A trained model to be drawn.
pub struct LearnedView {
    path: PathBuf,
    name: String,
    evaluator: StateEvaluator<f64>,
    system: Option<Arc<dyn System>>,
    degrees_of_freedom: usize,
    time_unit: Option<String>,
    /// q, then q̇, then the conditionals: 2d + c.
    variables: Vec<Variable>,
}

impl Variable {
    /// Symbol and unit, for an axis.
    pub(super) fn label(&self) -> String {
        if self.unit.is_empty() { self.symbol.clone() } else { format!("{} ({})", self.symbol, self.unit) }
    }
}

impl LearnedView {
    /// The model that was loaded from `path`, with `system` if that is known; its variables have the names and ranges
    /// that file and system know.
    ///
    /// # Errors
    /// A model in canonical coordinates without a system that has momenta.
    ///
    /// # Panics
    /// If `system` has other coordinates or conditionals than the model;
    /// [`build_system`](crate::store::ModelHeader::build_system) gives one that fits.
    pub fn new(
        path: &Path,
        loaded: &LoadedModel,
        model: &Model,
        system: Option<Arc<dyn System>>,
    ) -> Result<Self, PlotError> {
        let evaluator = StateEvaluator::new(model, &loaded.parameters.to_f64(), system.clone())?;
        let header = &loaded.header;
        if let Some(system) = &system {
            let known = (system.degrees_of_freedom(), system.conditionals().len());
            assert_eq!(
                known,
                (header.degrees_of_freedom, header.conditionals),
                "coordinates and conditionals of the system"
            );
        }
        let of_system = || system.as_ref().map(|system| system.time_unit().to_owned());
        let time_unit = header.time_unit.clone().or_else(of_system);
        let variables = variables(loaded, system.as_deref(), time_unit.as_deref());
        let (path, name) = (path.to_owned(), header.name.clone());
        let degrees_of_freedom = header.degrees_of_freedom;
        Ok(Self { path, name, evaluator, system, degrees_of_freedom, time_unit, variables })
    }

    /// What tells its figures from those of other models in a folder: the file's stem, without `model-`. The model's own
    /// name may be that of another one, and anything.
    pub(super) fn file_name(&self) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        stem.strip_prefix("model-").filter(|rest| !rest.is_empty()).unwrap_or(&stem).to_owned()
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Degrees of freedom.
    pub fn degrees_of_freedom(&self) -> usize {
        self.degrees_of_freedom
    }

    /// Unit of the time, if it is known.
    pub fn time_unit(&self) -> Option<&str> {
        self.time_unit.as_deref()
    }

    /// All variables: q, then q̇, then the conditionals.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Fixes variables at values, by name.
    ///
    /// # Errors
    /// [`PlotError::UnknownVariable`].
    pub fn fix(&mut self, values: &[(String, f64)]) -> Result<(), PlotError> {
        for (name, value) in values {
            let place = self.place(name, "fix")?;
            self.variables[place].fixed = *value;
        }
        Ok(())
    }

    /// Sets the ranges over which variables are shown, by name.
    ///
    /// # Errors
    /// [`PlotError::UnknownVariable`], [`PlotError::Range`].
    pub fn set_ranges(&mut self, ranges: &[(String, f64, f64)]) -> Result<(), PlotError> {
        for (name, low, high) in ranges {
            let place = self.place(name, "give a range")?;
            if !(low.is_finite() && high.is_finite() && low < high) {
                return Err(PlotError::Range { name: name.clone(), low: *low, high: *high });
            }
            self.variables[place].range = (*low, *high);
        }
        Ok(())
    }

    /// Place of a variable.
    pub(super) fn place(&self, name: &str, purpose: &'static str) -> Result<usize, PlotError> {
        let names = || self.variables.iter().map(|variable| variable.name.clone());
        names().position(|known| known == name).ok_or_else(|| PlotError::UnknownVariable {
            given: name.to_owned(),
            purpose,
            valid: names().collect(),
        })
    }

    pub(super) fn model(&self) -> &Model {
        self.evaluator.model()
    }

    pub(super) fn system(&self) -> Option<&dyn System> {
        self.system.as_deref()
    }

    /// Refuses to draw what the model does not have.
    pub(super) fn refused(&self, what: &'static str, remedy: &'static str) -> PlotError {
        PlotError::NotLearned { path: self.path.clone(), what, remedy }
    }

    /// Points `[points, 2d + c]`: the fixed values, with `vary` applied to each.
    pub(super) fn points(&self, count: usize, vary: impl Fn(usize, &mut [f64])) -> Vec<Vec<f64>> {
        let fixed: Vec<f64> = self.variables.iter().map(|variable| variable.fixed).collect();
        let point = |index: usize| {
            let mut point = fixed.clone();
            vary(index, &mut point);
            point
        };
        (0..count).map(point).collect()
    }

    /// What the model gives at points.
    pub(super) fn evaluate(&self, points: &[Vec<f64>]) -> StateQuantities<f64> {
        let d = self.degrees_of_freedom;
        let part = |first: usize, last: usize| -> Vec<f64> {
            points.iter().flat_map(|point| point[first..last].iter().copied()).collect()
        };
        let (q, q_dot, conditionals) = (part(0, d), part(d, 2 * d), part(2 * d, self.variables.len()));
        self.evaluator.evaluate(States { q: &q, q_dot: &q_dot, conditionals: &conditionals })
    }

    /// The learned energies `[frames]` of states `[frames, 2d]` with conditionals `[c]`; empty for a model without.
    ///
    /// # Panics
    /// If a length does not fit the model.
    pub fn energies(&self, states: &[f64], conditionals: &[f64]) -> Vec<f64> {
        let points: Vec<Vec<f64>> =
            states.chunks_exact(2 * self.degrees_of_freedom).map(|state| [state, conditionals].concat()).collect();
        self.evaluate(&points).energy
    }

    /// The values of all variables but those `varied`, in words, for a title; empty if there is none.
    pub(super) fn at(&self, varied: &[usize]) -> String {
        let fixed = self.variables.iter().enumerate().filter(|(place, _)| !varied.contains(place));
        let fixed: Vec<String> = fixed.map(|(_, one)| format!("{} = {}", one.symbol, one.fixed)).collect();
        if fixed.is_empty() { String::new() } else { format!(", at {}", fixed.join(", ")) }
    }
}

fn variables(loaded: &LoadedModel, system: Option<&dyn System>, time: Option<&str>) -> Vec<Variable> {
    let header = &loaded.header;
    let (d, c) = (header.degrees_of_freedom, header.conditionals);
    let features = header.features.of_coordinates(d);
    let drawn = |place: usize| {
        let distribution = system?.training_distribution().get(place)?;
        // Nearly all of a distribution without ends.
        let range = (distribution.at(0.01), distribution.at(0.99));
        (range.0 < range.1).then_some(range)
    };
    let label = |labels: &[Label], index: usize| labels.get(index).cloned();
    let mut variables = Vec::with_capacity(2 * d + c);
    for j in 0..d {
        let own = label(&header.coordinates, j).map(|label| (label.name, label.unit.unwrap_or_default()));
        let known = system.map(|system| &system.coordinates()[j]);
        let known = known.map(|coordinate| (coordinate.symbol.to_owned(), coordinate.unit.to_owned()));
        let (symbol, unit) = known.or(own).unwrap_or_else(|| (format!("q{}", subscript(j)), String::new()));
        let angle = features[j].angles != AngleFeatures::Identity;
        let (centre, scale) = (features[j].position_centre, features[j].position_scale);
        let range = if angle { (-PI, PI) } else { drawn(j).unwrap_or((centre - 2.0 * scale, centre + 2.0 * scale)) };
        variables.push(Variable { name: format!("q{j}"), symbol, unit, angle, range, fixed: centre });
    }
    for j in 0..d {
        let position = &variables[j];
        let symbol = format!("d{}/dt", position.symbol);
        let unit = match (&position.unit[..], time) {
            ("", _) | (_, None) => String::new(),
            (unit, Some(time)) => format!("{unit}/{time}"),
        };
        let scale = features[j].velocity_scale;
        let range = drawn(d + j).unwrap_or((-2.0 * scale, 2.0 * scale));
        variables.push(Variable { name: format!("q_dot{j}"), symbol, unit, angle: false, range, fixed: 0.0 });
    }
    for k in 0..c {
        let known = system.map(|system| &system.conditionals()[k]);
        let own = label(&header.conditional_labels, k);
        let name = known.map(|one| one.name.to_owned()).or_else(|| own.as_ref().map(|label| label.name.clone()));
        let name = name.unwrap_or_else(|| format!("c{k}"));
        let unit = known.map(|one| one.unit.to_owned()).or_else(|| own.and_then(|label| label.unit));
        let (centre, scale) = match header.features.conditionals.get(k) {
            Some(one) => (one.centre, one.scale),
            None => (0.0, header.features.conditional_scale),
        };
        let range = drawn(2 * d + k).unwrap_or((centre - 2.0 * scale, centre + 2.0 * scale));
        let symbol = known.map_or_else(|| name.clone(), |one| one.symbol.to_owned());
        let fixed = drawn(2 * d + k).map_or(centre, |(low, high)| 0.5 * (low + high));
        variables.push(Variable { name, symbol, unit: unit.unwrap_or_default(), angle: false, range, fixed });
    }
    variables
}

/// The factor and the constant with which `truth` comes nearest to `learned`, by least squares; a Lagrangian is known up
/// to both.
pub(super) fn fitted(truth: &[f64], learned: &[f64], with_constant: bool) -> Option<(f64, f64)> {
    let n = truth.len() as f64;
    let mean = |values: &[f64]| if with_constant { values.iter().sum::<f64>() / n } else { 0.0 };
    let (centre, target) = (mean(truth), mean(learned));
    let (mut product, mut square) = (0.0, 0.0);
    for (truth, learned) in truth.iter().zip(learned) {
        product += (truth - centre) * (learned - target);
        square += (truth - centre).powi(2);
    }
    let factor = product / square;
    (factor.is_finite() && square > 0.0).then_some((factor, target - factor * centre))
}
