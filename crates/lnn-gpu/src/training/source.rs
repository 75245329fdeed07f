//! The states of each step's batch, with their true accelerations.

use super::settings::{Source, TrueSystem};
use crate::Stage;
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::sampling::{DrawSettings, StateSampler, Stream};

/// Batches of several steps, one after the other, to be uploaded.
#[derive(Clone, Copy, Debug)]
pub struct Batches<'a> {
    /// (q, q̇, conditionals), `[steps, models, batch, 2d + c]`.
    pub states: &'a [f32],
    /// True accelerations, `[steps, models, batch, d]`.
    pub target: &'a [f32],
    /// Weights of the samples, `[steps, models, batch]`; empty without weights.
    pub weights: &'a [f32],
}

/// The buffers of one batch of all models, and how they are filled.
#[derive(Debug)]
pub(super) struct BatchSource {
    pub(super) states: Buffer<f32>,
    pub(super) target: Buffer<f32>,
    pub(super) weights: Option<Buffer<f32>>,
    filling: Filling,
}

#[derive(Debug)]
enum Filling {
    Drawn {
        states: Box<StateSampler>,
        target: Stage,
    },
    /// Batches of many steps, each with the buffer of one.
    Uploaded(Vec<Pending>),
}

#[derive(Debug)]
struct Pending {
    batches: Buffer<f32>,
    batch: Buffer<f32>,
}

impl Pending {
    fn new(device: &Device, name: &str, batch: &Buffer<f32>, steps: usize) -> Result<Self, DeviceError> {
        Ok(Self { batches: device.buffer(name, steps * batch.len())?, batch: batch.clone() })
    }
}

impl BatchSource {
    /// Of `batch` samples of each of `models` models with states of `state` numbers and `d` coordinates, for up to `steps`
    /// steps at once.
    pub(super) fn new(
        device: &Device,
        source: &Source,
        [models, batch, state, d]: [usize; 4],
        steps: usize,
    ) -> Result<Self, DeviceError> {
        let rows = models * batch;
        let states = device.buffer("states", rows * state)?;
        let target = device.buffer("target", rows * d)?;
        match source {
            Source::Drawn { seeds, domain, distributions, system } => {
                assert_eq!(seeds.len(), models, "a seed for each model");
                assert_eq!(system.state(), state, "a state of the system that is learned");
                let settings = DrawSettings {
                    seeds,
                    domain: *domain,
                    width: state,
                    first_state: 0,
                    rows: batch,
                    first_row: 0,
                    model_rows: batch,
                    draws: steps,
                    tables: 1,
                };
                let sampler = StateSampler::new(device, settings, &states)?;
                sampler.set_table(device, 0, distributions)?;
                let acceleration = match system {
                    TrueSystem::DoublePendulum(pendulum) => {
                        pendulum.acceleration(device, rows, state, &states, &target)?
                    }
                };
                let filling = Filling::Drawn { states: Box::new(sampler), target: acceleration };
                Ok(Self { states, target, weights: None, filling })
            }
            Source::Uploaded { weighted } => {
                let weights = if *weighted { Some(device.buffer("weights", rows)?) } else { None };
                let mut pending = vec![
                    Pending::new(device, "states of steps", &states, steps)?,
                    Pending::new(device, "targets of steps", &target, steps)?,
                ];
                if let Some(weights) = &weights {
                    pending.push(Pending::new(device, "weights of steps", weights, steps)?);
                }
                Ok(Self { states, target, weights, filling: Filling::Uploaded(pending) })
            }
        }
    }

    /// What the next submission draws: the streams from `first` on. Nothing where batches are uploaded.
    pub(super) fn set_streams(&self, device: &Device, first: u64, steps: usize) -> Result<(), DeviceError> {
        let Filling::Drawn { states, .. } = &self.filling else { return Ok(()) };
        let streams: Vec<_> = (first..).take(steps).map(|stream| Stream { stream, table: 0 }).collect();
        states.set_streams(device, 0, &streams)
    }

    /// # Panics
    /// If batches are drawn, or a slice has another length than whole steps of it.
    pub(super) fn upload(&self, device: &Device, steps: usize, batches: Batches<'_>) -> Result<(), DeviceError> {
        let Filling::Uploaded(pending) = &self.filling else { panic!("the batches are drawn on the device") };
        for (Pending { batches: all, batch }, given) in
            pending.iter().zip([batches.states, batches.target, batches.weights])
        {
            assert_eq!(given.len(), steps * batch.len(), "{}: of {steps} steps", batch.name());
            device.upload(all, 0, given)?;
        }
        Ok(())
    }

    /// Fills the buffers for step number `step` of the submission.
    pub(super) fn record(&self, recorder: &mut Recorder, step: usize) {
        match &self.filling {
            Filling::Drawn { states, target } => {
                states.record(recorder, step);
                target.record(recorder);
            }
            Filling::Uploaded(pending) => {
                for Pending { batches, batch } in pending {
                    recorder.copy(batches, step * batch.len(), batch, 0, batch.len());
                }
            }
        }
    }
}
