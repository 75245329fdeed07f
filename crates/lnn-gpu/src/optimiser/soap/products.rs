//! The launches of a step.

use bytemuck::{Pod, Zeroable};

use super::SoapSettings;
use super::layout::{Factor, Job, LaunchPlan, Layout, ParameterBlock, tile_size};
use crate::device::{Argument, BoundKernel, Buffer, Device, DeviceError, Recorder};
use crate::kernels::{self, KernelSource};
use crate::step::StepControl;

/// The arrays that others see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrays<'a> {
    pub(super) gradient: &'a Buffer<f32>,
    pub(super) parameters: &'a Buffer<f32>,
    pub(super) first: &'a Buffer<f32>,
    pub(super) second: &'a Buffer<f32>,
    pub(super) factors: &'a Buffer<f32>,
    pub(super) bases: &'a Buffer<f32>,
}

/// Kernels bound to their arrays, in the order in which they run.
#[derive(Debug)]
pub(super) struct Products {
    update: Vec<(BoundKernel, u32)>,
    averages: Vec<(BoundKernel, u32)>,
    refresh: Vec<(BoundKernel, u32)>,
    models: u32,
}

/// Its twin is `Launch` of `shaders/optimiser/soap_product.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Launch {
    betas: [f32; 4],
    epsilon: f32,
    keep: f32,
    fresh: f32,
    tiles: u32,
    left_model: u32,
    right_model: u32,
    out_model: u32,
    order_model: u32,
    power: u32,
}

/// Its twin is `Factors` of `shaders/shared/soap_factor.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct FactorLaunch {
    count: u32,
    matrix_model: u32,
    order_model: u32,
}

/// What becomes of a product: a flag of the kernel, with the arrays that only it has.
struct Epilogue<'a> {
    flag: &'static str,
    arrays: Vec<Argument<'a>>,
}

impl<'a> Epilogue<'a> {
    fn new<const N: usize>(flag: &'static str, arrays: [Argument<'a>; N]) -> Self {
        Self { flag, arrays: arrays.to_vec() }
    }
}

/// What every launch needs.
struct Launches<'a> {
    device: &'a Device,
    control: &'a StepControl,
    constants: Launch,
    models: usize,
    tile: usize,
}

impl Launches<'_> {
    /// Out = left · right for the jobs of a plan; with `power` 1 times the clipping's factor.
    fn product(
        &self,
        plan: &LaunchPlan,
        [left, right, out]: [&Buffer<f32>; 3],
        power: u32,
        epilogue: Epilogue<'_>,
    ) -> Result<(BoundKernel, u32), DeviceError> {
        let model = |buffer: &Buffer<f32>| (buffer.len() / self.models) as u32;
        let (left_model, right_model, out_model) = (model(left), model(right), model(out));
        let constants =
            Launch { tiles: plan.tiles as u32, left_model, right_model, out_model, power, ..self.constants };
        let constants = self.device.constants("products of SOAP", constants)?;
        let source = kernels::SOAP_PRODUCT
            .flagged(&[("TILE", self.tile as u32)], &[epilogue.flag])
            .expect("each flag is in the table of variants with each tile");
        let mut arguments =
            vec![(&constants).into(), self.control.states().into(), (&plan.words).into(), left.into(), right.into()];
        arguments.push(out.into());
        arguments.extend(epilogue.arrays);
        Ok((self.device.kernel(source, &[])?.bind(self.device, &arguments)?, plan.tiles as u32))
    }
}

impl Products {
    pub(super) fn new(
        device: &Device,
        settings: SoapSettings,
        blocks: &[ParameterBlock],
        layout: &Layout,
        control: &StepControl,
        arrays: Arrays<'_>,
    ) -> Result<Self, DeviceError> {
        let [models, count] = control.lengths();
        let Arrays { gradient, parameters, first, second, factors, bases } = arrays;
        let of_parameters = |name| device.buffer::<f32>(name, models * count);
        let (half, rotated) = (of_parameters("half rotated")?, of_parameters("rotated")?);
        let kept = of_parameters("kept second moment")?;
        let powers = device.buffer::<f32>("power products", models * layout.matrices)?;
        let orders = device.buffer::<u32>("orders of columns", models * layout.orders)?;

        let tile = tile_size(blocks, models);
        let constants = Launch {
            betas: settings.averages.betas(),
            epsilon: settings.averages.epsilon as f32,
            keep: settings.shampoo_beta as f32,
            fresh: (1.0 - settings.shampoo_beta) as f32,
            order_model: layout.orders as u32,
            ..Launch::zeroed()
        };
        let launches = Launches { device, control, constants, models, tile };
        let plan = |jobs: Vec<Job>| LaunchPlan::new(device, &jobs, tile);
        let (left, left_transposed) = (plan(layout.left_products(false))?, plan(layout.left_products(true))?);
        let (right, right_transposed) = (plan(layout.right_products(false))?, plan(layout.right_products(true))?);
        let (gram, power) = (plan(layout.gram_products())?, plan(layout.power_products())?);

        let faults = || control.faults().into();
        let store = || Epilogue::new("STORE", []);
        let moments = Epilogue::new("MOMENTS", [first.into(), second.into(), faults()]);
        let keep = Epilogue::new("KEEP", [second.into(), (&kept).into()]);
        let carry = Epilogue::new("CARRY", [second.into(), (&kept).into(), (&orders).into()]);
        let apply = Epilogue::new("APPLY", [faults()]);
        let average = Epilogue::new("AVERAGE", []);
        let on_factors = FactorKernels::new(&launches, layout, bases, &powers, &orders)?;
        Ok(Self {
            update: vec![
                launches.product(&left_transposed, [bases, gradient, &half], 1, store())?,
                launches.product(&right, [&half, bases, &rotated], 0, moments)?,
                launches.product(&left, [bases, &rotated, &half], 0, store())?,
                launches.product(&right_transposed, [&half, bases, parameters], 0, apply)?,
            ],
            averages: vec![launches.product(&gram, [gradient, gradient, factors], 2, average)?],
            refresh: vec![
                launches.product(&left, [bases, first, &half], 0, store())?,
                launches.product(&right_transposed, [&half, bases, &rotated], 0, keep)?,
                launches.product(&power, [factors, bases, &powers], 0, store())?,
                on_factors.order,
                on_factors.orthonormalise,
                launches.product(&left_transposed, [bases, &rotated, &half], 0, store())?,
                launches.product(&right, [&half, bases, first], 0, carry)?,
            ],
            models: models as u32,
        })
    }

    /// Averages in the rotated space, and the parameters.
    pub(super) fn record_update(&self, recorder: &mut Recorder) {
        self.record(recorder, &self.update);
    }

    /// The gradient into the factors.
    pub(super) fn record_averages(&self, recorder: &mut Recorder) {
        self.record(recorder, &self.averages);
    }

    /// One power iteration of the bases, and the averages carried over.
    pub(super) fn record_refresh(&self, recorder: &mut Recorder) {
        self.record(recorder, &self.refresh);
    }

    fn record(&self, recorder: &mut Recorder, kernels: &[(BoundKernel, u32)]) {
        for (kernel, groups) in kernels {
            recorder.dispatch_models(kernel, *groups, self.models, 0);
        }
    }
}

/// What takes a factor a workgroup.
struct FactorKernels {
    order: (BoundKernel, u32),
    orthonormalise: (BoundKernel, u32),
}

impl FactorKernels {
    fn new(
        launches: &Launches<'_>,
        layout: &Layout,
        bases: &Buffer<f32>,
        powers: &Buffer<f32>,
        orders: &Buffer<u32>,
    ) -> Result<Self, DeviceError> {
        let Launches { device, control, .. } = launches;
        let [count, matrix_model, order_model] =
            [layout.factors.len(), layout.matrices, layout.orders].map(|number| number as u32);
        let constants = device.constants("factors", FactorLaunch { count, matrix_model, order_model })?;
        let places = device.buffer::<Factor>("places of factors", layout.factors.len())?;
        device.upload(&places, 0, &layout.factors)?;
        let start: [Argument<'_>; 3] = [(&constants).into(), control.states().into(), (&places).into()];
        let bind = |source, arrays: [Argument<'_>; 3]| -> Result<_, DeviceError> {
            let arguments = [start, arrays].concat();
            Ok((device.kernel(source, &[])?.bind(device, &arguments)?, count))
        };
        Ok(Self {
            order: bind(kernels::SOAP_ORDER.only(), [bases.into(), powers.into(), orders.into()])?,
            orthonormalise: bind(orthonormaliser(device), [orders.into(), powers.into(), bases.into()])?,
        })
    }
}

/// The variant that makes the most reflections at once in this adapter's workgroup memory.
fn orthonormaliser(device: &Device) -> &'static KernelSource {
    let fits = |variant: &&KernelSource| variant.workgroup_memory <= device.adapter().workgroup_memory;
    let variants = kernels::SOAP_ORTHONORMALISE.variants;
    variants.iter().filter(fits).max_by_key(|variant| variant.workgroup_memory).unwrap_or(&variants[0])
}
