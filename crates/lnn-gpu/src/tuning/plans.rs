//! Every candidate as a plan that can be recorded, all on the same numbers.

use std::time::Instant;

use lnn_autodiff::features::{Feature, FeatureMap};
use lnn_autodiff::jet::{Accumulate, Purpose};
use lnn_autodiff::pseudoinverse::Tolerance;

use super::{Clock, TuningCase};
use crate::device::{Buffer, Device, DeviceError, Recorder, Timestamps};
use crate::euler_lagrange::{AccelerationLoss, Equation, StepBuffers};
use crate::features::Features;
use crate::loss::Loss;
use crate::mlp::{
    MlpJet, MlpParameters, NarrowJet, NarrowPlan, NarrowStep, ParameterLayout, StepArrays, TileRole, Tiles, stride,
};

/// A timing lasts so long, about, so that its begin and end do not matter.
const SECONDS_A_TIMING: f64 = 2e-3;
/// Most recordings of a part in one timing.
const MOST_REPEATS: usize = 256;

/// A candidate's jet.
enum Jet {
    Tiled(Box<MlpJet>),
    Narrow(Box<NarrowJet>),
    Step(Box<NarrowStep>),
}

/// All candidates of a case.
pub(super) struct Plans {
    candidates: Vec<(TileRole, Tiles)>,
    jets: Vec<Jet>,
    /// How often each is recorded in a timing.
    repeats: Vec<usize>,
    times: Option<Timestamps>,
    pub(super) left_out: Vec<(Tiles, DeviceError)>,
}

impl Plans {
    pub(super) fn new(device: &Device, case: &TuningCase) -> Result<Self, DeviceError> {
        let TuningCase { shape, tangents, rows, models } = case;
        let (tangents, rows, models) = (*tangents, *rows, *models);
        let narrow = NarrowJet::supports(shape);
        assert!(rows > 0 && models > 0, "a tuning for {rows} rows of {models} models");
        assert!(narrow || models == 1, "{models} models side by side of a network {} wide", shape.widest());
        let one = MlpParameters::new(device, shape)?;
        let layout = ParameterLayout::new(shape);
        let parameters = device.buffer("parameters", models * layout.padded_len())?;
        let numbers = layout.pack(&numbers(shape.parameter_count(), 0.1));
        device.upload(&parameters, 0, &numbers.repeat(models))?;
        device.upload(one.buffer(), 0, &numbers)?;

        let first = if narrow { None } else { Some(MlpJet::new(device, &one, tangents, rows, Purpose::Functional)?) };
        if let Some(jet) = &first {
            fill(device, case, [jet.inputs(), jet.output_bar(), jet.coefficients()])?;
        }
        let plan = NarrowPlan {
            layout: &layout,
            parameters: &parameters,
            models,
            tangents,
            rows,
            purpose: Purpose::Functional,
            gradient: None,
            input_cotangents: false,
            workgroup_memory: None,
        };
        let make = |role: TileRole, tiles: &Tiles| {
            Ok(match &first {
                Some(first) => Jet::Tiled(Box::new(first.retiled(device, &one, tiles)?)),
                None if role == TileRole::NarrowStep => Jet::Step(Box::new(step(device, case, plan, tiles)?)),
                None => {
                    let jet = NarrowJet::with_tiles(device, plan, tiles)?;
                    fill(device, case, [jet.inputs(), jet.output_bar(), jet.coefficients()])?;
                    Jet::Narrow(Box::new(jet))
                }
            })
        };
        let (mut candidates, mut jets, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for &role in case.roles() {
            // First what is taken without a choice.
            for tiles in [vec![Tiles::default()], role.candidates(device.adapter(), tangents, rows)].concat() {
                match make(role, &tiles) {
                    Ok(jet) => {
                        candidates.push((role, tiles));
                        jets.push(jet);
                    }
                    Err(
                        error @ (DeviceError::Limit { .. }
                        | DeviceError::Pipeline { .. }
                        | DeviceError::OutOfMemory { .. }
                        | DeviceError::NoTile { .. }),
                    ) => left_out.push((tiles, error)),
                    Err(fault) => return Err(fault),
                }
            }
        }
        let repeats = vec![1; jets.len()];
        Ok(Self { candidates, jets, repeats, times: None, left_out })
    }

    pub(super) fn candidates(&self) -> &[(TileRole, Tiles)] {
        &self.candidates
    }

    /// Each candidate once, from which its repeats follow; the passes before a part leave it numbers to work on.
    pub(super) fn warm_up(&mut self, device: &Device, clock: Clock) -> Result<(), DeviceError> {
        self.times = if clock == Clock::Device { Some(device.timestamps(1)?) } else { None };
        for place in 0..self.jets.len() {
            let mut recorder = device.recorder("tuning, whole");
            let roles: &[TileRole] = match &self.jets[place] {
                Jet::Tiled(_) => &TileRole::TILED,
                Jet::Narrow(_) => &[TileRole::NarrowJet, TileRole::NarrowFunctional],
                Jet::Step(_) => &[TileRole::NarrowStep],
            };
            roles.iter().for_each(|&role| self.jets[place].record(&mut recorder, role));
            recorder.submit()?;
            // The first one is slower than the others: the driver may compile, and the clock of the device rises.
            self.time(device, place, clock)?;
            let seconds = self.time(device, place, clock)?;
            self.repeats[place] = ((SECONDS_A_TIMING / seconds.max(1e-9)).ceil() as usize).clamp(1, MOST_REPEATS);
        }
        Ok(())
    }

    /// Seconds of one recording of the candidate's part.
    pub(super) fn time(&self, device: &Device, place: usize, clock: Clock) -> Result<f64, DeviceError> {
        let (role, _) = self.candidates[place];
        let repeats = self.repeats[place];
        let mut recorder = device.recorder("tuning");
        let times = self.times.as_ref().filter(|_| clock == Clock::Device);
        if let Some(times) = times {
            recorder.section(times, 0);
        }
        (0..repeats).for_each(|_| self.jets[place].record(&mut recorder, role));
        let seconds = match times {
            Some(times) => {
                recorder.keep_times(times);
                recorder.submit()?;
                times.seconds(device)?[0]
            }
            None => {
                let start = Instant::now();
                recorder.submit()?;
                device.wait("a timing")?;
                start.elapsed().as_secs_f64()
            }
        };
        Ok(seconds / repeats as f64)
    }
}

impl Jet {
    fn record(&self, recorder: &mut Recorder, role: TileRole) {
        match self {
            Self::Tiled(jet) => jet.record_role(recorder, role),
            Self::Narrow(jet) if role == TileRole::NarrowJet => jet.record_jet(recorder),
            Self::Narrow(jet) => jet.record_functional_gradient(recorder, Accumulate::Replace),
            Self::Step(step) => step.record(recorder),
        }
    }
}

/// A step of coordinates that no input of the network depends on.
fn step(device: &Device, case: &TuningCase, plan: NarrowPlan<'_>, tiles: &Tiles) -> Result<NarrowStep, DeviceError> {
    let (d, rows, inputs) = (plan.tangents - 1, plan.models * plan.rows, case.shape.inputs());
    let features = (0..inputs).map(|index| Feature::Conditional { index, scale: 1.0, centre: 0.0 }).collect();
    let map = FeatureMap::new(d, inputs, features).unwrap_or_else(|error| panic!("inputs, each of its own: {error}"));
    let features = &Features::new(device, map)?;
    let target = device.buffer("target", rows * d)?;
    device.upload(&target, 0, &numbers(rows * d, 1.0))?;
    let (slopes, losses) = (device.buffer("slopes", rows * features.stride())?, device.buffer("losses", rows)?);
    let tally = device.buffer("tally", 3 * plan.models)?;
    let (masses, tolerance) = (&vec![1.0; d], Tolerance::for_dimension::<f32>(d));
    let equation = Equation { features, rows, masses, units: None, tolerance, forces: None };
    let loss = AccelerationLoss { loss: Loss::L1, batch: plan.rows, units: None, target: &target, weights: None };
    let buffers = StepBuffers { slopes: &slopes, losses: &losses, tally: &tally };
    let step = equation.narrow_step(device, loss, buffers, plan, tiles)?;
    let StepArrays { inputs, output_bar, coefficients } = step.arrays();
    fill(device, case, [inputs, output_bar, coefficients])?;
    Ok(step)
}

/// Numbers like those of a training: zeros would cost less power, and so run at another clock.
fn fill(
    device: &Device,
    case: &TuningCase,
    [inputs, output_bar, coefficients]: [&Buffer<f32>; 3],
) -> Result<(), DeviceError> {
    for (buffer, width) in [(inputs, case.shape.inputs()), (output_bar, case.shape.outputs())] {
        let mut all = numbers(buffer.len(), 1.0);
        all.chunks_exact_mut(stride(width)).for_each(|row| row[width..].fill(0.0));
        device.upload(buffer, 0, &all)?;
    }
    device.upload(coefficients, 0, &numbers(coefficients.len(), 1.0))
}

/// Numbers spread evenly over (−size, size): multiples of the golden ratio modulo 1.
fn numbers(count: usize, size: f32) -> Vec<f32> {
    let even = |place: usize| ((place + 1) as f64 * 0.618_033_988_749_894_9).fract();
    (0..count).map(|place| size * (2.0 * even(place) - 1.0) as f32).collect()
}
