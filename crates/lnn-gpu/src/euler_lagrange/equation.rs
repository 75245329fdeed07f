//! The whole equation of motion of a row in one thread: for training steps and rollouts.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::pseudoinverse::Tolerance;

use super::jet::differentiate_output;
use crate::device::{Buffer, Device, DeviceError};
use crate::features::Features;
use crate::kernels::{ACCELERATE, DIFFERENTIATE_LOSS};
use crate::loss::{Loss, per_unit};
use crate::mlp::{NarrowPlan, NarrowStep, StepArguments, StepArrays, Tiles};
use crate::pseudoinverse::MAX_DIMENSION;
use crate::stage::{Stage, constants, for_each, require, variant};

/// A Lagrangian's equation of motion `q̈ = U (U H U)⁺ U r`, U = diag(units), for a number of rows.
#[derive(Clone, Copy, Debug)]
pub struct Equation<'a> {
    /// The network's inputs.
    pub features: &'a Features,
    /// Number of states.
    pub rows: usize,
    /// Residual masses, `[d]`.
    pub masses: &'a [f64],
    /// Units of the velocities, `[d]`, where they are not all 1.
    pub units: Option<&'a [f64]>,
    /// Which eigenvalues of U H U count as zero.
    pub tolerance: Tolerance,
    /// What is added to r, `[rows, d]`, if there is such.
    pub forces: Option<&'a Buffer<f32>>,
}

/// The buffers of [`Equation::accelerate`].
#[derive(Clone, Copy, Debug)]
pub struct AccelerateBuffers<'a> {
    /// Slopes of the features, `[rows, stride]`.
    pub slopes: &'a Buffer<f32>,
    /// ∂L/∂x of the network, `[rows, stride]`.
    pub x_bar: &'a Buffer<f32>,
    /// D_i D_j L of the [pairs](crate::mlp::hessian_pairs) of d + 1 tangents, `[rows, d (d + 3) / 2]`.
    pub second_derivatives: &'a Buffer<f32>,
    /// Written: q̈, `[rows, d]`; NaN where H is not finite.
    pub acceleration: &'a Buffer<f32>,
    /// Written: the rank of H, `[rows]`; [`NOT_FINITE`](crate::pseudoinverse::NOT_FINITE) where it is not finite.
    pub ranks: &'a Buffer<u32>,
    /// Written: how many eigenvalues of H are negative, `[rows]`; those that count as zero are not.
    pub negative: &'a Buffer<u32>,
    /// The numbers of matrices that are not finite, and of those that are not of full rank, are added to it, `[2]`.
    pub tally: &'a Buffer<u32>,
}

/// The loss of a [`Equation::differentiate_loss`].
#[derive(Clone, Copy, Debug)]
pub struct AccelerationLoss<'a> {
    /// The loss.
    pub loss: Loss,
    /// Samples of the whole batch, by which its gradient is divided; of an ensemble those of one model.
    pub batch: usize,
    /// Units in which each component's error is measured, `[d]`, where they are not all 1.
    pub units: Option<&'a [f64]>,
    /// True accelerations, `[rows, d]`.
    pub target: &'a Buffer<f32>,
    /// By what a sample's loss and gradient are multiplied, `[rows]`, where it is not 1 for all.
    pub weights: Option<&'a Buffer<f32>>,
}

/// The buffers of [`Equation::differentiate_loss`].
#[derive(Clone, Copy, Debug)]
pub struct DifferentiateBuffers<'a> {
    /// Slopes of the features, `[rows, stride]`.
    pub slopes: &'a Buffer<f32>,
    /// ∂L/∂x of the network, `[rows, stride]`.
    pub x_bar: &'a Buffer<f32>,
    /// D_i D_j L of the [pairs](crate::mlp::hessian_pairs) of d + 1 tangents, `[rows, d (d + 3) / 2]`.
    pub second_derivatives: &'a Buffer<f32>,
    /// Written: u and w over the tangents of the inputs, `[2, rows, d + 1]`. q̈ is the first d numbers of w.
    pub coefficients: &'a Buffer<f32>,
    /// The network's inputs, in channels `[rows, stride]`.
    pub inputs: &'a Buffer<f32>,
    /// The channel of `inputs` that is written: the features' tangent along a.
    pub channel: usize,
    /// Written: the loss of each sample, not divided by the batch, `[rows]`; NaN if a component is not finite.
    pub losses: &'a Buffer<f32>,
    /// Written: the vectors of the constant-rank terms, `[4, rows, d]`, zero where the rank is full. Their functionals are
    /// [`Motion::NullForce`](super::Motion::NullForce) and [`Motion::NullCotangent`](super::Motion::NullCotangent).
    pub terms: &'a Buffer<f32>,
    /// To which are added, `[models, 3]`, a model for each batch of rows: components whose error is not finite, matrices that are not finite, matrices that are
    /// not of full rank.
    pub tally: &'a Buffer<u32>,
}

/// The buffers of [`Equation::narrow_step`] beside its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepBuffers<'a> {
    /// Slopes of the features, `[rows, stride]`.
    pub(crate) slopes: &'a Buffer<f32>,
    /// As in [`DifferentiateBuffers`].
    pub(crate) losses: &'a Buffer<f32>,
    /// As in [`DifferentiateBuffers`].
    pub(crate) tally: &'a Buffer<u32>,
}

/// The constants as the kernels see them.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct EquationSettings {
    rows: u32,
    features: u32,
    stride: u32,
    first_a: u32,
    relative: f32,
    absolute: f32,
    loss_scale: f32,
    per_batch: f32,
    model_rows: u32,
    padding: [u32; 3],
    masses: [f32; MAX_DIMENSION],
    units: [f32; MAX_DIMENSION],
    per_unit: [f32; MAX_DIMENSION],
}

impl Equation<'_> {
    fn degrees_of_freedom(&self) -> usize {
        self.features.map().degrees_of_freedom()
    }

    fn settings(&self) -> EquationSettings {
        let d = self.degrees_of_freedom();
        EquationSettings {
            rows: self.rows as u32,
            features: self.features.map().len() as u32,
            stride: self.features.stride() as u32,
            first_a: 0,
            relative: self.tolerance.relative as f32,
            absolute: self.tolerance.absolute as f32,
            loss_scale: 0.0,
            per_batch: 1.0,
            model_rows: self.rows as u32,
            padding: [0; 3],
            masses: for_each(d, Some(self.masses), 0.0),
            units: for_each(d, self.units, 1.0),
            per_unit: [1.0; MAX_DIMENSION],
        }
    }

    fn require_derivatives(&self, slopes: &Buffer<f32>, x_bar: &Buffer<f32>, second_derivatives: &Buffer<f32>) {
        let (rows, stride, d) = (self.rows, self.features.stride(), self.degrees_of_freedom());
        require("slopes", slopes, rows * stride);
        require("the features' cotangent", x_bar, rows * stride);
        require("second derivatives", second_derivatives, rows * d * (d + 3) / 2);
        self.require_forces();
    }

    fn require_forces(&self) {
        if let Some(forces) = self.forces {
            require("forces", forces, self.rows * self.degrees_of_freedom());
        }
    }

    /// Whether the kernels add forces to r. What is bound where there are none is not read.
    fn forced(&self) -> (&'static str, f64) {
        ("FORCED", f64::from(u8::from(self.forces.is_some())))
    }

    /// Plans q̈, after the network's reverse pass and second derivatives.
    ///
    /// # Errors
    /// There is no kernel for so many coordinates, it cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If there is another number of masses or units than coordinates, or a buffer is too short.
    pub fn accelerate(&self, device: &Device, buffers: AccelerateBuffers<'_>) -> Result<Stage, DeviceError> {
        let (d, rows) = (self.degrees_of_freedom(), self.rows);
        let source = variant(&ACCELERATE, d)?;
        let AccelerateBuffers { slopes, x_bar, second_derivatives, acceleration, ranks, negative, tally } = buffers;
        self.require_derivatives(slopes, x_bar, second_derivatives);
        require("accelerations", acceleration, rows * d);
        require("ranks", ranks, rows);
        require("negative eigenvalues", negative, rows);
        require("tally", tally, 2);
        let settings = constants(device, "equation settings", self.settings())?;
        let arguments = [
            (&settings).into(),
            (&self.features.table).into(),
            slopes.into(),
            x_bar.into(),
            second_derivatives.into(),
            acceleration.into(),
            ranks.into(),
            negative.into(),
            tally.into(),
            self.forces.unwrap_or(slopes).into(),
        ];
        Stage::with_overrides(device, source, &[self.forced()], &arguments, rows)
    }

    /// Plans all that lies between the network's way forth and back in a training step: q̈, the loss, v = H⁺ λ, and the
    /// directions of the functional whose parameter gradient is that of the batch's loss.
    ///
    /// # Errors
    /// There is no kernel for so many coordinates, it cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If the batch is empty, there is another number of masses or units than coordinates, or a buffer is too short.
    pub fn differentiate_loss(
        &self,
        device: &Device,
        loss: AccelerationLoss<'_>,
        buffers: DifferentiateBuffers<'_>,
    ) -> Result<Stage, DeviceError> {
        let (d, rows, stride) = (self.degrees_of_freedom(), self.rows, self.features.stride());
        let source = variant(&DIFFERENTIATE_LOSS, d)?;
        let DifferentiateBuffers {
            slopes,
            x_bar,
            second_derivatives,
            coefficients,
            inputs,
            channel,
            losses,
            terms,
            tally,
        } = buffers;
        self.require_derivatives(slopes, x_bar, second_derivatives);
        require("coefficients", coefficients, 2 * rows * (d + 1));
        require("inputs", inputs, (channel + 1) * rows * stride);
        require("constant-rank terms", terms, 4 * rows * d);
        self.require_loss(loss, losses, tally);
        let settings = constants(device, "equation settings", self.loss_settings(loss, channel))?;
        let arguments = [
            (&settings).into(),
            (&self.features.table).into(),
            slopes.into(),
            x_bar.into(),
            second_derivatives.into(),
            loss.target.into(),
            loss.weights.unwrap_or(loss.target).into(),
            coefficients.into(),
            inputs.into(),
            losses.into(),
            terms.into(),
            tally.into(),
            self.forces.unwrap_or(slopes).into(),
        ];
        Stage::with_overrides(device, source, &self.loss_overrides(loss), &arguments, rows)
    }

    /// Plans a whole step of a narrow network, from its inputs to the gradient of the batch's loss, whose rows are those of
    /// one model after those of the other.
    ///
    /// # Errors
    /// The adapter has no room for the kernel, it cannot be compiled, the arrays do not fit, or the device is lost.
    pub(crate) fn narrow_step(
        &self,
        device: &Device,
        loss: AccelerationLoss<'_>,
        StepBuffers { slopes, losses, tally }: StepBuffers<'_>,
        plan: NarrowPlan<'_>,
        tiles: &Tiles,
    ) -> Result<NarrowStep, DeviceError> {
        let (rows, stride) = (self.rows, self.features.stride());
        assert_eq!((plan.models * plan.rows, plan.tangents), (rows, self.degrees_of_freedom() + 1), "rows, tangents");
        require("slopes", slopes, rows * stride);
        self.require_forces();
        self.require_loss(loss, losses, tally);
        // Beside the constants of the jet, which have records.
        let settings = device.buffer("equation settings", 1)?;
        device.upload(&settings, 0, &[self.loss_settings(loss, NarrowStep::channel(plan.tangents))])?;
        let equation = [
            (&settings).into(),
            (&self.features.table).into(),
            slopes.into(),
            loss.target.into(),
            loss.weights.unwrap_or(loss.target).into(),
            losses.into(),
            tally.into(),
            self.forces.unwrap_or(slopes).into(),
        ];
        let step = StepArguments { equation: &equation, overrides: &self.loss_overrides(loss) };
        let step = NarrowStep::new(device, plan, tiles, step)?;
        let StepArrays { output_bar, .. } = step.arrays();
        differentiate_output(device, plan.layout.shape().outputs(), output_bar)?;
        Ok(step)
    }

    fn require_loss(&self, loss: AccelerationLoss<'_>, losses: &Buffer<f32>, tally: &Buffer<u32>) {
        let AccelerationLoss { batch, target, weights, .. } = loss;
        assert!(batch > 0, "a batch has at least one sample");
        require("target", target, self.rows * self.degrees_of_freedom());
        if let Some(weights) = weights {
            require("weights", weights, self.rows);
        }
        require("losses", losses, self.rows);
        require("tally", tally, 3 * self.rows.div_ceil(batch));
    }

    fn loss_settings(&self, loss: AccelerationLoss<'_>, channel: usize) -> EquationSettings {
        let AccelerationLoss { loss, batch, units, .. } = loss;
        EquationSettings {
            first_a: (channel * self.rows * self.features.stride()) as u32,
            loss_scale: loss.scale(),
            per_batch: (1.0 / batch as f64) as f32,
            model_rows: batch as u32,
            per_unit: per_unit(self.degrees_of_freedom(), units),
            ..self.settings()
        }
    }

    /// What is bound for no weights or no forces is not read.
    fn loss_overrides(&self, loss: AccelerationLoss<'_>) -> Vec<(&'static str, f64)> {
        let weighted = ("WEIGHTED", f64::from(u8::from(loss.weights.is_some())));
        [&loss.loss.overrides()[..], &[weighted, self.forced()]].concat()
    }
}
