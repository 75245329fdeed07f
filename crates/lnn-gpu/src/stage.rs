//! One kernel bound to its buffers, and how many workgroups it takes.

use bytemuck::Pod;

use crate::device::{Argument, BoundKernel, Buffer, Device, DeviceError, Recorder, Uniforms};
use crate::kernels::{KernelFamily, KernelSource};
use crate::pseudoinverse::MAX_DIMENSION;

/// A dispatch that was planned once and can be recorded any number of times.
#[derive(Clone, Debug)]
pub struct Stage {
    kernel: BoundKernel,
    workgroups: u32,
}

impl Stage {
    /// `source` with `arguments` for its bindings, for `invocations` threads.
    ///
    /// # Errors
    /// The kernel cannot be compiled, or the device is lost.
    ///
    /// # Panics
    /// If an argument is missing, too small, or of the wrong kind.
    pub(crate) fn new(
        device: &Device,
        source: &'static KernelSource,
        arguments: &[Argument<'_>],
        invocations: usize,
    ) -> Result<Self, DeviceError> {
        Self::with_overrides(device, source, &[], arguments, invocations)
    }

    /// As [`new`](Self::new), with values of the shader's `override` constants.
    pub(crate) fn with_overrides(
        device: &Device,
        source: &'static KernelSource,
        overrides: &[(&str, f64)],
        arguments: &[Argument<'_>],
        invocations: usize,
    ) -> Result<Self, DeviceError> {
        let kernel = device.kernel(source, overrides)?.bind(device, arguments)?;
        let threads = source.invocations() as usize;
        let workgroups = u32::try_from(invocations.div_ceil(threads)).unwrap_or(u32::MAX);
        Ok(Self { kernel, workgroups })
    }

    /// Adds the dispatch to a recording, with the first record of its constants.
    pub fn record(&self, recorder: &mut Recorder) {
        self.record_with(recorder, 0);
    }

    /// Adds the dispatch to a recording, with record number `record` of its constants.
    ///
    /// # Panics
    /// If there is no such record.
    pub fn record_with(&self, recorder: &mut Recorder, record: usize) {
        recorder.dispatch_linear(&self.kernel, self.workgroups, record);
    }
}

/// One record of constants, uploaded.
pub(crate) fn constants<T: Pod>(device: &Device, name: &str, record: T) -> Result<Uniforms<T>, DeviceError> {
    let uniforms = device.uniforms(name, 1)?;
    device.upload_uniforms(&uniforms, 0, &[record])?;
    Ok(uniforms)
}

/// The variant of a kernel for d coordinates.
///
/// # Errors
/// There is none for so many.
pub(crate) fn variant(family: &'static KernelFamily, d: usize) -> Result<&'static KernelSource, DeviceError> {
    family.variant(&[("D", d as u32)]).ok_or_else(|| DeviceError::NoKernel {
        kernel: family.name,
        wanted: format!("{d} coordinates"),
        offered: "1 to 8",
    })
}

/// # Panics
/// If the buffer is too short for what is to be bound to it.
pub(crate) fn require<T: Pod>(name: &str, buffer: &Buffer<T>, length: usize) {
    assert!(buffer.len() >= length, "{name}: {} numbers, but {length} are needed", buffer.len());
}

/// A number for each of d coordinates, as constants have it; `otherwise` where none are given.
///
/// # Panics
/// If there are not d of them.
pub(crate) fn for_each(d: usize, given: Option<&[f64]>, otherwise: f32) -> [f32; MAX_DIMENSION] {
    let mut all = [otherwise; MAX_DIMENSION];
    if let Some(given) = given {
        assert_eq!(given.len(), d, "a number for each coordinate");
        for (own, &number) in all.iter_mut().zip(given) {
            *own = number as f32;
        }
    }
    all
}
