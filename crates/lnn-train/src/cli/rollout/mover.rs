//! What moves the states: the processor, or a graphics card.

use std::error::Error;
use std::sync::atomic::AtomicBool;

use lnn_physics::integrators::Method;
use lnn_train::backend::cache::CacheFolder;
use lnn_train::backend::{Card, DeviceMotion, DeviceMotionError, require_motion_kernels};
use lnn_train::model::Model;
use lnn_train::motion::{LearnedMotion, Motion, Starts};

use super::arguments::{Backend, RolloutArguments};
use crate::cli::error::CommandError;
use crate::cli::output::say;

pub(super) enum Mover<'a> {
    Processor(Box<LearnedMotion<'a>>),
    Card(Box<DeviceMotion<'a>>),
}

impl Mover<'_> {
    /// The motions from `starts`, as many and in the same order.
    ///
    /// # Errors
    /// What concerns all motions; that a stop was asked for is a [`MotionError`](lnn_train::motion::MotionError).
    pub(super) fn integrate(
        &mut self,
        method: &Method,
        starts: Starts<'_>,
        stop: &AtomicBool,
    ) -> Result<Vec<Motion>, Box<dyn Error + Send + Sync>> {
        match (self, method) {
            (Self::Processor(learned), method) => Ok(learned.integrate(method, starts, stop)?),
            (Self::Card(learned), Method::Rk4 { dt }) => {
                learned.integrate(*dt, starts, stop).map_err(|error| match error {
                    DeviceMotionError::Motion(error) => error.into(),
                    other => other.into(),
                })
            }
            (Self::Card(_), other) => unreachable!("{other:?} was refused with the arguments"),
        }
    }
}

/// The graphics card, if it was asked for and has kernels for the model.
pub(super) fn open_card(arguments: &RolloutArguments, model: &Model) -> Result<Option<Card>, Box<dyn Error>> {
    match (arguments.backend, &arguments.adapter) {
        (Backend::Cpu, None) => Ok(None),
        (Backend::Cpu, Some(_)) => Err(CommandError::AdapterOfProcessor.into()),
        (Backend::Gpu, adapter) => {
            require_motion_kernels(model)?;
            let card = Card::open(&adapter.clone().unwrap_or_default(), CacheFolder::of_user())?;
            if arguments.output.talks() {
                card.notices().iter().for_each(|notice| say(&format!("note: {notice}")));
            }
            Ok(Some(card))
        }
    }
}

/// Keeps what the card's driver has compiled for later runs; that it cannot be kept is told and ends nothing.
pub(super) fn keep_kernels(card: Option<&Card>, arguments: &RolloutArguments) {
    if let Some(Err(problem)) = card.map(Card::keep_kernels)
        && arguments.output.talks()
    {
        say(&format!("note: {problem}"));
    }
}
