//! What the adapter can do at best: multiplications and additions in registers, copies in memory, and an empty dispatch.

use bytemuck::{Pod, Zeroable};
use lnn_gpu::device::{BoundKernel, Device, DeviceError};
use lnn_gpu::kernels;
use serde_json::{Value, json};

use crate::timing::section;

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Numbers {
    factor: f32,
    term: f32,
    rounds: u32,
    threads: u32,
}

/// Operations of a thread in a round of `multiply_add`: four times eight vectors of four, two each.
const OPERATIONS: f64 = 256.0;

/// Threads of a workgroup of both kernels.
const THREADS: usize = 256;

/// Rates in operations and bytes a second, and the seconds of a dispatch that does nothing.
pub(crate) fn measure(device: &Device, quick: bool, rounds: usize) -> Result<Value, DeviceError> {
    Ok(json!({
        "multiply_add": multiply_add(device, quick, rounds)?,
        "copy": copy(device, quick, rounds)?,
        "empty_dispatch": empty(device, rounds)?,
    }))
}

fn multiply_add(device: &Device, quick: bool, rounds: usize) -> Result<f64, DeviceError> {
    // About a millisecond and a half of a card with 60 TFLOP/s, and many workgroups for each of its multiprocessors.
    let (groups, length) = if quick { (4, 16) } else { (4096, 320) };
    let threads = groups * THREADS;
    let numbers =
        device.constants("numbers", Numbers { factor: 0.5, term: 1.0, rounds: length, threads: threads as u32 })?;
    let sums = device.buffer::<[f32; 4]>("sums", threads)?;
    let kernel = device.kernel(kernels::MULTIPLY_ADD.only(), &[])?;
    let bound = kernel.bind(device, &[(&numbers).into(), (&sums).into()])?;
    let seconds = section(device, rounds, |recorder| recorder.dispatch_linear(&bound, groups as u32, 0))?;
    Ok(OPERATIONS * f64::from(length) * threads as f64 / seconds)
}

fn copy(device: &Device, quick: bool, rounds: usize) -> Result<f64, DeviceError> {
    // Beyond any cache, where the adapter has buffers so large.
    let adapter = device.adapter();
    let largest = adapter.largest_buffer.min(adapter.largest_binding).min(1 << 29) as usize;
    let bytes = if quick { 1 << 16 } else { largest };
    let length = bytes / 16;
    let bound = copying(device, length)?;
    let groups = length.div_ceil(THREADS) as u32;
    let seconds = section(device, rounds, |recorder| recorder.dispatch_linear(&bound, groups, 0))?;
    Ok(2.0 * 16.0 * length as f64 / seconds)
}

fn empty(device: &Device, rounds: usize) -> Result<f64, DeviceError> {
    let bound = copying(device, 1)?;
    section(device, rounds, |recorder| recorder.dispatch(&bound, [1, 1, 1]))
}

/// The copy of `length` vectors of four.
fn copying(device: &Device, length: usize) -> Result<BoundKernel, DeviceError> {
    let (source, copied) = (device.buffer::<[f32; 4]>("source", length)?, device.buffer::<[f32; 4]>("copied", length)?);
    let count4 = device.constants("vectors", length as u32)?;
    let arguments = [(&count4).into(), (&source).into(), (&copied).into()];
    device.kernel(kernels::COPY_NUMBERS.only(), &[])?.bind(device, &arguments)
}
