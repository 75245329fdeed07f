//! What the heat maps of one motion share: which numbers, in which colours.

use super::super::measure::{field, largest};
use crate::field::{FieldMotion, FieldTrajectory};
use crate::report::colour_map::ColourMap;
use crate::report::figures::amount;
use crate::report::heat::{ColourKey, HeatScale};
use crate::report::number::significant;
use crate::report::palette::ModelStyle;
use crate::report::raster::RasterError;

/// The component of the field that is shown.
const COMPONENT: usize = 0;

/// One motion as numbers to be coloured: φ and its errors, frame by frame.
pub(super) struct Maps<'a> {
    motion: &'a FieldMotion,
    /// The models that have states, in the report's order.
    pub(super) models: Vec<(&'a ModelStyle, &'a FieldTrajectory)>,
    /// Largest finite |φ − φ*| of each model.
    errors: Vec<f64>,
    field: HeatScale,
    error: HeatScale,
}

impl<'a> Maps<'a> {
    /// Of `motion`; `None` if there is no truth to compare with.
    pub(super) fn new(motion: &'a FieldMotion, models: &'a [ModelStyle]) -> Option<Self> {
        if motion.truth.is_empty() {
            return None;
        }
        let models: Vec<(&ModelStyle, &FieldTrajectory)> = models
            .iter()
            .filter_map(|model| Some((model, motion.models.get(&model.name)?)))
            .filter(|(_, trajectory)| !trajectory.states.is_empty())
            .collect();
        let frames = 0..motion.times.len();
        let most = largest(frames.clone().flat_map(|frame| field(motion, &motion.truth, frame, COMPONENT)));
        let errors: Vec<f64> = models
            .iter()
            .map(|(_, trajectory)| largest(frames.clone().flat_map(|frame| error(motion, trajectory, frame))))
            .collect();
        // A model that runs away must not take the colours from the others.
        let bounded = errors.iter().map(|error| if most > 0.0 { error.min(2.0 * most) } else { *error });
        Some(Self {
            motion,
            field: HeatScale::linear(most),
            error: HeatScale::logarithmic(bounded.collect::<Vec<_>>()),
            models,
            errors,
        })
    }

    /// The colour bars.
    ///
    /// # Errors
    /// [`RasterError`].
    pub(super) fn keys(&self) -> Result<Vec<ColourKey>, RasterError> {
        let symbol = if self.motion.components == 1 { "field φ" } else { "field φ, first component" };
        let mut keys = vec![ColourKey::new(symbol.to_owned(), ColourMap::Field, self.field)?];
        if !self.models.is_empty() {
            let title = format!("error φ − φ*, to ±{}", significant(self.error.most(), 2));
            keys.push(ColourKey::new(title, ColourMap::Error, self.error)?);
        }
        Ok(keys)
    }

    /// Place on the colour map of the true φ at each site.
    pub(super) fn truth(&self, frame: usize) -> Vec<f64> {
        let values = field(self.motion, &self.motion.truth, frame, COMPONENT);
        values.map(|value| self.field.position(value)).collect()
    }

    /// The same of model `index`; empty after its last frame.
    pub(super) fn model(&self, index: usize, frame: usize) -> Vec<f64> {
        let values = field(self.motion, &self.models[index].1.states, frame, COMPONENT);
        values.map(|value| self.field.position(value)).collect()
    }

    /// Place on the colour map of the error of model `index` at each site; empty after its last frame.
    pub(super) fn error(&self, index: usize, frame: usize) -> Vec<f64> {
        error(self.motion, self.models[index].1, frame).map(|value| self.error.position(value)).collect()
    }

    /// Title of a map of model `index`: its name, and when it stopped if it did.
    pub(super) fn title(&self, index: usize) -> String {
        let (model, trajectory) = self.models[index];
        let frames = trajectory.energy.len();
        match frames.checked_sub(1) {
            Some(last) if frames < self.motion.times.len() => {
                format!("{}, stopped at t = {}", model.label, amount(self.motion.times[last]))
            }
            _ => model.label.clone(),
        }
    }

    /// Title of a map of the error of model `index`.
    pub(super) fn error_title(&self, index: usize) -> String {
        format!("{} − truth, ≤ {}", self.models[index].0.label, significant(self.errors[index], 2))
    }

    /// What the colours mean, for a caption.
    pub(super) fn caption(&self) -> &'static str {
        "Colours of the field are in proportion to φ, and white is 0. Colours of the errors are logarithmic on both sides of \
         0 and the same for all models, so that errors of different sizes are seen beside each other; the number above \
         each map is the largest one. Grey: no state, as the rollout had stopped."
    }
}

fn error<'a>(motion: &'a FieldMotion, trajectory: &'a FieldTrajectory, frame: usize) -> impl Iterator<Item = f64> + 'a {
    let truth = field(motion, &motion.truth, frame, COMPONENT);
    field(motion, &trajectory.states, frame, COMPONENT).zip(truth).map(|(model, truth)| model - truth)
}
