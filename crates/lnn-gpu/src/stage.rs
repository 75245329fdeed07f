//! One kernel bound to its buffers, and how many workgroups it takes.

use bytemuck::Pod;

use crate::device::{Argument, BoundKernel, Buffer, Device, DeviceError, Recorder, Uniforms};
use crate::kernels::{KernelFamily, KernelSource};

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
        let kernel = device.kernel(source, &[])?.bind(device, arguments)?;
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
pub(crate) fn variant(family: &'static KernelFamily, d: usize) -> &'static KernelSource {
    family.variant(&[("D", d as u32)]).expect("the build makes a variant for each dimension up to the largest")
}

/// # Panics
/// If the buffer is too short for what is to be bound to it.
pub(crate) fn require<T: Pod>(name: &str, buffer: &Buffer<T>, length: usize) {
    assert!(buffer.len() >= length, "{name}: {} numbers, but {length} are needed", buffer.len());
}
