//! Buffers for tests of plans: poisoned, with a guard behind their end.

use lnn_gpu::device::{Buffer, Recorder};

use crate::ground::device;

const GUARD: usize = 8;

/// A buffer with `values`, and numbers behind them that must stay NaN.
pub(crate) fn buffer(name: &str, values: &[f32]) -> Buffer<f32> {
    let buffer = device().buffer(name, values.len() + GUARD).unwrap();
    let guarded = [values, &[f32::NAN; GUARD]].concat();
    device().upload(&buffer, 0, &guarded).unwrap();
    buffer
}

/// A buffer of NaN.
pub(crate) fn poisoned(name: &str, length: usize) -> Buffer<f32> {
    buffer(name, &vec![f32::NAN; length])
}

/// What a buffer holds.
///
/// # Panics
/// If something was written behind its end.
pub(crate) fn contents(buffer: &Buffer<f32>) -> Vec<f32> {
    let mut all = vec![0.0; buffer.len()];
    device().download(buffer, 0, &mut all).unwrap();
    let guard = all.split_off(all.len() - GUARD);
    assert!(guard.iter().all(|x| x.is_nan()), "{} was written behind its end", buffer.name());
    all
}

/// Runs what `record` adds to a recording.
pub(crate) fn run(record: impl FnOnce(&mut Recorder)) {
    let mut recorder = device().recorder("test");
    record(&mut recorder);
    recorder.submit().unwrap();
}

/// Rows of n filled up with zeros to a multiple of 4.
pub(crate) fn strided<T: Copy + Default>(values: &[T], n: usize) -> Vec<T> {
    let fill = vec![T::default(); n.next_multiple_of(4) - n];
    values.chunks(n).flat_map(|row| [row, &fill].concat()).collect()
}
