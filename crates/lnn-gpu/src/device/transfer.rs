//! Between the host's memory and the device's.

use std::sync::PoisonError;

use bytemuck::Pod;

use super::activity::count;
use super::{Buffer, Device, DeviceError, Uniforms};

impl Device {
    /// Writes `data` into `buffer` from element `start` on, before whatever is submitted next.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If it does not fit, or is no whole number of 4 bytes.
    pub fn upload<T: Pod>(&self, buffer: &Buffer<T>, start: usize, data: &[T]) -> Result<(), DeviceError> {
        let (end, name) = (start + data.len(), buffer.name());
        assert!(end <= buffer.len(), "{name}: elements {start} to {end} of {}", buffer.len());
        self.check()?;
        count(&self.counters.uploads);
        self.queue.write_buffer(&buffer.raw, buffer.byte(start), bytemuck::cast_slice(data));
        Ok(())
    }

    /// Writes `data` into the records from number `start` on.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If there are not so many records.
    pub fn upload_uniforms<T: Pod>(&self, uniforms: &Uniforms<T>, start: usize, data: &[T]) -> Result<(), DeviceError> {
        let end = start + data.len();
        assert!(end <= uniforms.records(), "{}: records {start} to {end} of {}", uniforms.name, uniforms.records());
        self.check()?;
        if data.is_empty() {
            return Ok(());
        }
        // In one piece, however many they are: each write takes memory of the driver's.
        let stride = uniforms.stride as usize;
        let mut bytes = vec![0; data.len() * stride];
        for (place, record) in bytes.chunks_exact_mut(stride).zip(data) {
            place[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(record));
        }
        count(&self.counters.uploads);
        self.queue.write_buffer(&uniforms.raw, (start * stride) as u64, &bytes);
        Ok(())
    }

    /// Constants that stay the same over all dispatches.
    ///
    /// # Errors
    /// As [`uniforms`](Self::uniforms).
    pub fn constants<T: Pod>(&self, name: &str, data: T) -> Result<Uniforms<T>, DeviceError> {
        let uniforms = self.uniforms(name, 1)?;
        self.upload_uniforms(&uniforms, 0, &[data])?;
        Ok(uniforms)
    }

    /// Reads `out.len()` numbers from element `start` on, after all that was submitted before.
    ///
    /// # Errors
    /// The device is lost, or has not done what was submitted within the time limit.
    ///
    /// # Panics
    /// If there are not so many, or they are no whole number of 4 bytes.
    pub fn download<T: Pod>(&self, buffer: &Buffer<T>, start: usize, out: &mut [T]) -> Result<(), DeviceError> {
        let (end, name) = (start + out.len(), buffer.name());
        assert!(end <= buffer.len(), "{name}: elements {start} to {end} of {}", buffer.len());
        self.check()?;
        if out.is_empty() {
            return Ok(());
        }
        count(&self.counters.downloads);
        let bytes = size_of_val(out) as u64;
        let mut kept = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out, so that a buffer whose mapping failed is not used again.
        let staging = match kept.take().filter(|staging| staging.size() >= bytes) {
            Some(staging) => staging,
            None => {
                let size = bytes.next_power_of_two().max(4096);
                self.raw_buffer("download", size, wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ)?
            }
        };
        let mut encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("download") });
        encoder.copy_buffer_to_buffer(&buffer.raw, buffer.byte(start), &staging, 0, bytes);
        let submission = self.queue.submit([encoder.finish()]);
        let (sender, receiver) = std::sync::mpsc::channel();
        staging.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
            // Nobody listens any more if the wait timed out.
            let _ = sender.send(result);
        });
        self.wait_for(&format!("the download of {name}"), Some(submission))?;
        let refusal = |message: String| DeviceError::Refusal { adapter: self.adapter.name.clone(), message };
        // The mapping is reported by whichever thread polls the device, which may be another one that is about to.
        match receiver.recv_timeout(self.time_limit) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(refusal(error.to_string())),
            Err(error) => return Err(refusal(format!("{name} was not mapped: {error}"))),
        }
        let view = staging.get_mapped_range(0..bytes).map_err(|error| refusal(error.to_string()))?;
        bytemuck::cast_slice_mut::<T, u8>(out).copy_from_slice(&view);
        drop(view);
        staging.unmap();
        *kept = Some(staging);
        Ok(())
    }
}
