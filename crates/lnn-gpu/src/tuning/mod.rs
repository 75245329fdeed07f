//! Which tiles are fastest on a device: each candidate timed in turn, several rounds of them.
//!
//! [`tune`] times every tile that a [role](TileRole) of a step can have on this adapter, for one shape of network and batch, and
//! chooses by the median. The result is a value: whoever wants it in a later run keeps it.

mod class;
mod plans;

pub use class::ShapeClass;

use lnn_autodiff::MlpShape;

use self::plans::Plans;
use crate::device::{Device, DeviceError};
use crate::mlp::{NarrowJet, TileRole, Tiles};

/// What is to be fast.
#[derive(Clone, Debug)]
pub struct TuningCase {
    /// The network.
    pub shape: MlpShape,
    /// Directions of its jets, from 2 to 9.
    pub tangents: usize,
    /// Rows of each model, at least 1.
    pub rows: usize,
    /// Models side by side, at least 1; more than 1 only for networks with [fused kernels](NarrowJet::supports).
    pub models: usize,
}

/// By what time is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The device's own, where the adapter [has one](crate::device::AdapterSummary::timestamps).
    Device,
    /// The host's, from submission to the end of the wait: for many dispatches at once.
    Host,
}

/// What one candidate took.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// The part that was timed.
    pub role: TileRole,
    /// The candidate: only this role's tile is set, or none for what is taken without a choice.
    pub tiles: Tiles,
    /// Median over the rounds of this part of one step.
    pub seconds: f64,
}

/// What a tuning found.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// For what it is good.
    pub class: ShapeClass,
    /// The fastest of each role; not set where that is what is taken without a choice.
    pub tiles: Tiles,
    /// Each candidate, role after role, the fastest first.
    pub timings: Vec<Timing>,
    /// Candidates that the device could not run, with the reason.
    pub left_out: Vec<(Tiles, DeviceError)>,
}

impl TuningCase {
    /// The class of shapes that this one stands for.
    pub fn class(&self) -> ShapeClass {
        ShapeClass::of(&self.shape, self.tangents, self.models * self.rows)
    }

    /// The roles that this network's step has.
    pub fn roles(&self) -> &'static [TileRole] {
        if NarrowJet::supports(&self.shape) { &TileRole::NARROW } else { &TileRole::TILED }
    }

    /// Operations of the layer products that this part of a step needs, a multiplication and an addition being two.
    pub fn operations(&self, role: TileRole) -> f64 {
        (0..=self.shape.hidden_layers()).map(|layer| self.layer_operations(role, layer)).sum()
    }

    /// Those of them that are made with the weight of `layer`; 0 where this part has no such product.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn layer_operations(&self, role: TileRole, layer: usize) -> f64 {
        let is_hidden = layer < self.shape.hidden_layers();
        let channels = match role {
            TileRole::Forward if is_hidden => self.tangents + 1,
            TileRole::FunctionalForward if is_hidden => 1,
            // Above the last hidden layer it is elementwise, and below the first nobody asks.
            TileRole::FunctionalReverse if is_hidden && layer > 0 => 3,
            TileRole::Forward | TileRole::FunctionalForward | TileRole::FunctionalReverse => 0,
            TileRole::Reverse => 1,
            // Of the derivatives of f the output layer has but one pair of factors.
            TileRole::WeightGradient => {
                if is_hidden {
                    4
                } else {
                    1
                }
            }
            TileRole::NarrowJet => return self.layer_sum(&[TileRole::Forward, TileRole::Reverse], layer),
            TileRole::NarrowFunctional => {
                let roles = [TileRole::FunctionalForward, TileRole::FunctionalReverse, TileRole::WeightGradient];
                return self.layer_sum(&roles, layer);
            }
            TileRole::NarrowStep => {
                return self.layer_sum(&[TileRole::NarrowJet, TileRole::NarrowFunctional], layer);
            }
        };
        let range = self.shape.layer(layer);
        2.0 * (self.models * self.rows * channels) as f64 * (range.inputs * range.outputs) as f64
    }

    fn layer_sum(&self, roles: &[TileRole], layer: usize) -> f64 {
        roles.iter().map(|&role| self.layer_operations(role, layer)).sum()
    }
}

/// Times every candidate of every role in `rounds` rounds, one after the other within a round, and chooses by the median.
///
/// # Errors
/// The device is lost or does not answer in time, the buffers do not fit, or [`Clock::Device`] is asked for where there is none.
/// A candidate that does not compile or does not fit is [left out](Tuned::left_out).
///
/// # Panics
/// If there are no rounds, rows or models, or several models of a network that has no fused kernels.
pub fn tune(device: &Device, case: &TuningCase, rounds: usize, clock: Clock) -> Result<Tuned, DeviceError> {
    assert!(rounds > 0, "at least one round");
    let mut plans = Plans::new(device, case)?;
    let mut seconds = vec![Vec::with_capacity(rounds); plans.candidates().len()];
    plans.warm_up(device, clock)?;
    for _ in 0..rounds {
        for (place, seconds) in seconds.iter_mut().enumerate() {
            seconds.push(plans.time(device, place, clock)?);
        }
    }
    let mut timings: Vec<Timing> = plans
        .candidates()
        .iter()
        .zip(seconds)
        .map(|(&(role, tiles), seconds)| Timing { role, tiles, seconds: median(seconds) })
        .collect();
    let place = |role: TileRole| case.roles().iter().position(|&own| own == role);
    timings.sort_by(|one, other| {
        (place(one.role).cmp(&place(other.role))).then_with(|| one.seconds.total_cmp(&other.seconds))
    });
    let fastest = |role: TileRole| timings.iter().find(|timing| timing.role == role).map(|timing| timing.tiles);
    let tiles = case.roles().iter().filter_map(|&role| fastest(role)).fold(Tiles::default(), Tiles::or);
    Ok(Tuned { class: case.class(), tiles, timings, left_out: plans.left_out })
}

/// The middle one; of an even number the lower of the two.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[(seconds.len() - 1) / 2]
}
