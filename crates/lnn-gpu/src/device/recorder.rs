//! Many dispatches in one submission.

use bytemuck::Pod;

use super::activity::count;
use super::timestamps::EachDispatch;
use super::{BoundKernel, Buffer, Device, DeviceError};

/// Commands on their way to the device. Nothing runs before [`submit`](Self::submit).
#[derive(Debug)]
pub struct Recorder {
    device: Device,
    pub(super) encoder: wgpu::CommandEncoder,
    pass: Option<wgpu::ComputePass<'static>>,
    dispatches: usize,
    /// Where each dispatch is timed.
    pub(super) each: Option<EachDispatch>,
}

impl Device {
    /// An empty recording.
    pub fn recorder(&self, name: &str) -> Recorder {
        let encoder = self.raw.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(name) });
        Recorder { device: self.clone(), encoder, pass: None, dispatches: 0, each: None }
    }
}

impl Recorder {
    /// Runs `kernel` with this many workgroups by dimension, with the first record of its constants.
    ///
    /// Each dispatch sees what those before it wrote.
    ///
    /// # Panics
    /// If a dimension has more workgroups than the adapter allows; [`dispatch_linear`](Self::dispatch_linear) folds.
    pub fn dispatch(&mut self, kernel: &BoundKernel, workgroups: [u32; 3]) {
        self.dispatch_record(kernel, workgroups, 0);
    }

    /// As [`dispatch`](Self::dispatch), with record number `record` of the constants.
    ///
    /// # Panics
    /// Also if there is no such record.
    pub fn dispatch_record(&mut self, kernel: &BoundKernel, workgroups: [u32; 3], record: usize) {
        let limit = self.device.limits.max_compute_workgroups_per_dimension;
        let name = kernel.source.name;
        assert!(workgroups.iter().all(|&count| count <= limit), "{name}: {workgroups:?} workgroups, limit {limit}");
        let offset = kernel.records.map(|(stride, records)| {
            assert!(record < records, "{name}: record {record} of {records}");
            stride * record as u32
        });
        if workgroups.contains(&0) {
            return;
        }
        self.begin_own_section(kernel.source);
        let encoder = &mut self.encoder;
        let pass = self.pass.get_or_insert_with(|| pass(encoder, None));
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &kernel.group, offset.as_slice());
        let [x, y, z] = workgroups;
        pass.dispatch_workgroups(x, y, z);
        self.dispatches += 1;
    }

    /// Runs `count` workgroups of a kernel that numbers them with `linear_group`, folded into two dimensions if they
    /// are too many for one. The last row may have more of them than asked for.
    pub fn dispatch_linear(&mut self, kernel: &BoundKernel, count: u32, record: usize) {
        self.dispatch_models(kernel, count, 1, record);
    }

    /// As [`dispatch_linear`](Self::dispatch_linear), `count` workgroups for each of `models` along the third dimension.
    pub fn dispatch_models(&mut self, kernel: &BoundKernel, count: u32, models: u32, record: usize) {
        let widest = self.device.limits.max_compute_workgroups_per_dimension;
        let rows = count.div_ceil(widest).max(1);
        self.dispatch_record(kernel, [count.div_ceil(rows), rows, models], record);
    }

    /// Makes `buffer` zero.
    pub fn clear<T: Pod>(&mut self, buffer: &Buffer<T>) {
        self.end_pass();
        // Not the padding of a binding, which in a part of a buffer is somebody else's.
        let bytes = buffer.byte(buffer.len()) - buffer.byte(0);
        if bytes > 0 {
            self.encoder.clear_buffer(&buffer.raw, buffer.byte(0), Some(bytes));
        }
    }

    /// Copies `count` numbers from element `from` of one buffer to element `to` of another.
    ///
    /// # Panics
    /// If there are not so many in either, or they do not begin and end at whole words of 4 bytes.
    pub fn copy<T: Pod>(&mut self, source: &Buffer<T>, from: usize, target: &Buffer<T>, to: usize, count: usize) {
        for (buffer, start) in [(source, from), (target, to)] {
            assert!(start + count <= buffer.len(), "{}: {count} from {start} of {}", buffer.name(), buffer.len());
        }
        self.end_pass();
        let bytes = (count * size_of::<T>()) as u64;
        self.encoder.copy_buffer_to_buffer(&source.raw, source.byte(from), &target.raw, target.byte(to), bytes);
    }

    /// Begins a pass, timed if so asked.
    pub(super) fn begin_pass(&mut self, times: Option<wgpu::ComputePassTimestampWrites<'_>>) {
        self.end_pass();
        self.pass = Some(pass(&mut self.encoder, times));
    }

    /// Ends the pass, as other commands than dispatches need; the next dispatch begins a new one.
    pub(super) fn end_pass(&mut self) {
        self.pass = None;
    }

    /// How many dispatches were recorded.
    pub fn dispatches(&self) -> usize {
        self.dispatches
    }

    /// Hands the recording to the device, and does not wait.
    ///
    /// # Errors
    /// The device is lost, or refused an earlier command or this one.
    pub fn submit(self) -> Result<(), DeviceError> {
        let Self { device, encoder, pass, .. } = self;
        device.check()?;
        // The pass ends when it is dropped.
        drop(pass);
        count(&device.counters.submissions);
        device.queue.submit([encoder.finish()]);
        device.check()
    }
}

fn pass(
    encoder: &mut wgpu::CommandEncoder,
    timestamp_writes: Option<wgpu::ComputePassTimestampWrites<'_>>,
) -> wgpu::ComputePass<'static> {
    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes }).forget_lifetime()
}
