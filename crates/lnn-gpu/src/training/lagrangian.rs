//! A Lagrangian's passes, from states and true accelerations to each sample's loss and the batch's gradient.

use lnn_autodiff::jet::{Accumulate, Purpose};

use super::network::{Learned, Outcomes};
use super::settings::{LagrangianModel, TrainingSettings};
use super::source::BatchSource;
use crate::Stage;
use crate::device::{Buffer, Device, DeviceError, Recorder};
use crate::euler_lagrange::{
    AccelerationLoss, DifferentiateBuffers, DirectionBuffers, Equation, Motion, PotentialSettings, PotentialTerm,
    StepBuffers, differentiate_output, directions,
};
use crate::features::{Features, SeedBuffers, Tangents};
use crate::mlp::{MlpJet, MlpParameters, NarrowJet, NarrowPlan, NarrowStep, Tiles};
use crate::step::Terms;

/// The passes of the Lagrangian's networks.
#[derive(Debug)]
pub(super) struct Lagrangian {
    features: Stage,
    potential: Option<PotentialTerm>,
    passes: Passes,
}

/// Those of the main network.
#[derive(Debug)]
enum Passes {
    /// Up to 64 wide.
    Narrow(Box<NarrowStep>),
    Tiled(Box<Tiled>),
}

#[derive(Debug)]
struct Tiled {
    jet: MlpJet,
    differentiate_loss: Stage,
    /// The directions of the two constant-rank terms, each of which is a gradient of its own.
    null_directions: [Stage; 2],
}

/// What the passes are planned with.
struct Planner<'a> {
    device: &'a Device,
    features: &'a Features,
    /// Of all models.
    rows: usize,
    equation: Equation<'a>,
    loss: AccelerationLoss<'a>,
    parameters: &'a MlpParameters,
    gradient: &'a Buffer<f32>,
    slopes: &'a Buffer<f32>,
    outcomes: Outcomes<'a>,
    tiles: &'a Tiles,
}

impl Lagrangian {
    pub(super) fn new(
        device: &Device,
        model: &LagrangianModel,
        Learned { parameters, gradient }: Learned<'_>,
        source: &BatchSource,
        settings: &TrainingSettings,
        tiles: &Tiles,
        outcomes: Outcomes<'_>,
    ) -> Result<Self, DeviceError> {
        let features = &Features::new(device, model.features.clone())?;
        let (d, rows) = (features.map().degrees_of_freedom(), settings.models * settings.batch);
        let slopes = device.buffer("slopes", rows * features.stride())?;
        let forces = model.potential.as_ref().map(|_| device.buffer("forces", rows * d)).transpose()?;
        let (masses, units, tolerance) = (&model.masses[..], model.units.as_deref(), model.tolerance);
        let own_gradient = parameters.part(gradient, 0);
        let planner = Planner {
            device,
            features,
            rows,
            equation: Equation { features, rows, masses, units, tolerance, forces: forces.as_ref() },
            loss: AccelerationLoss {
                loss: settings.loss,
                batch: settings.batch,
                units: settings.error_units.as_deref(),
                target: &source.target,
                weights: source.weights.as_ref(),
            },
            parameters: &parameters.networks()[0],
            gradient: &own_gradient,
            slopes: &slopes,
            outcomes,
            tiles,
        };
        // An adapter that binds few arrays takes one network in tiles; several it refuses by that limit.
        let narrow = NarrowJet::supports(&model.shape) && (settings.models > 1 || NarrowStep::fits(device.adapter()));
        let passes = if narrow { planner.narrow(settings.batch)? } else { planner.tiled()? };
        let (inputs, coefficients) = passes.arrays();
        let potential = match model.potential.as_ref().zip(forces.as_ref()) {
            None => None,
            Some((potential, forces)) => {
                let own_gradient = parameters.part(gradient, 1);
                let settings = PotentialSettings {
                    features: &Features::new(device, potential.features.clone())?,
                    scale: potential.scale,
                    parameters: &parameters.networks()[1],
                    rows,
                    states: &source.states,
                    forces,
                    // v is u without its last component.
                    gradient: Some([coefficients, &own_gradient]),
                };
                Some(PotentialTerm::new(device, settings)?)
            }
        };
        let seeds = SeedBuffers { states: &source.states, inputs, slopes: &slopes };
        let features = features.seed(device, rows, Tangents::Lagrangian, seeds)?;
        Ok(Self { features, potential, passes })
    }

    /// From the states to the losses and the gradient.
    pub(super) fn record(&self, recorder: &mut Recorder, terms: Terms) {
        let Self { features, potential, passes } = self;
        if let Some(potential) = potential {
            potential.record_forces(recorder);
        }
        features.record(recorder);
        match passes {
            Passes::Narrow(step) => step.record(recorder),
            Passes::Tiled(tiled) => {
                let Tiled { jet, differentiate_loss, .. } = &**tiled;
                jet.record_forward_derivatives(recorder);
                jet.record_reverse(recorder);
                jet.record_hessian(recorder);
                differentiate_loss.record(recorder);
                jet.record_functional_gradient(recorder, Accumulate::Replace);
            }
        }
        // Before the directions of other terms are where v is.
        if let Some(potential) = potential {
            potential.record_gradient(recorder);
        }
        if let (Passes::Tiled(tiled), Terms::All) = (passes, terms) {
            for directions in &tiled.null_directions {
                directions.record(recorder);
                tiled.jet.record_functional_gradient(recorder, Accumulate::Add);
            }
        }
    }

    /// What a gradient has without being asked: narrow networks have the constant-rank terms of the samples that need them.
    pub(super) fn usual_terms(&self) -> Terms {
        match self.passes {
            Passes::Narrow(_) => Terms::All,
            Passes::Tiled(_) => Terms::FullRank,
        }
    }

    pub(super) fn gradient_parts(&self) -> usize {
        match &self.passes {
            Passes::Narrow(step) => step.gradient_parts(),
            Passes::Tiled(tiled) => tiled.jet.gradient_parts(),
        }
    }
}

impl Passes {
    /// The inputs, and the directions u and w over their tangents.
    fn arrays(&self) -> (&Buffer<f32>, &Buffer<f32>) {
        match self {
            Self::Narrow(step) => (&step.arrays().inputs, &step.arrays().coefficients),
            Self::Tiled(tiled) => (tiled.jet.inputs(), tiled.jet.coefficients()),
        }
    }
}

impl Planner<'_> {
    fn tangents(&self) -> usize {
        self.features.map().degrees_of_freedom() + 1
    }

    /// For `rows` rows of each model.
    fn narrow(&self, rows: usize) -> Result<Passes, DeviceError> {
        let plan = NarrowPlan {
            layout: self.parameters.layout(),
            parameters: self.parameters.buffer(),
            models: self.parameters.models(),
            tangents: self.tangents(),
            rows,
            purpose: Purpose::Functional,
            gradient: Some(self.gradient),
            input_cotangents: false,
            workgroup_memory: None,
        };
        let Outcomes { losses, tally } = self.outcomes;
        let buffers = StepBuffers { slopes: self.slopes, losses, tally };
        self.equation
            .narrow_step(self.device, self.loss, buffers, plan, self.tiles)
            .map(|step| Passes::Narrow(Box::new(step)))
    }

    fn tiled(&self) -> Result<Passes, DeviceError> {
        let Self { device, features, rows, equation, loss, parameters, gradient, slopes, outcomes, tiles } = *self;
        let (tangents, purpose) = (self.tangents(), Purpose::Functional);
        let jet = MlpJet::into_gradient(device, parameters, [tangents, rows], purpose, tiles, Some(gradient))?;
        differentiate_output(device, parameters.layout().shape().outputs(), jet.output_bar())?;
        let terms = device.buffer("constant-rank terms", 4 * rows * (tangents - 1))?;
        // Behind the tangents, the value, x_u and x_w.
        let channel = tangents + 3;
        let Outcomes { losses, tally } = outcomes;
        let buffers = DifferentiateBuffers {
            slopes,
            x_bar: jet.input_bar(),
            second_derivatives: jet.second_derivatives(),
            coefficients: jet.coefficients(),
            inputs: jet.inputs(),
            channel,
            losses,
            terms: &terms,
            tally,
        };
        let differentiate_loss = equation.differentiate_loss(device, loss, buffers)?;
        let null_directions = |motion| {
            let (coefficients, inputs) = (jet.coefficients(), jet.inputs());
            directions(device, features, rows, motion, DirectionBuffers { slopes, coefficients, inputs, channel })
        };
        let null_directions = [
            null_directions(Motion::NullForce { terms: &terms })?,
            null_directions(Motion::NullCotangent { terms: &terms })?,
        ];
        Ok(Passes::Tiled(Box::new(Tiled { jet, differentiate_loss, null_directions })))
    }
}
