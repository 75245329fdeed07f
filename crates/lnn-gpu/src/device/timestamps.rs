//! How long sections of a recording took, by the device's own clock.

use super::{Buffer, Device, DeviceError, Recorder};

/// Room for the times of a number of sections.
#[derive(Debug)]
pub struct Timestamps {
    pub(super) queries: wgpu::QuerySet,
    /// Begin and end of each section, in ticks.
    pub(super) ticks: Buffer<u64>,
    sections: u32,
    seconds_a_tick: f64,
}

impl Device {
    /// Room for the times of `sections` sections.
    ///
    /// # Errors
    /// The adapter has no clock for kernels, or too few places for its times.
    ///
    /// # Panics
    /// If there is to be no section.
    pub fn timestamps(&self, sections: usize) -> Result<Timestamps, DeviceError> {
        assert!(sections > 0, "timestamps of no section");
        let what = "timing of kernels";
        if !self.raw.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            let (what, adapter) = (what.to_owned(), self.adapter.name.clone());
            let remedy = "measure by the wall clock, or on another adapter";
            return Err(DeviceError::Feature { what, feature: "timestamp queries", adapter, remedy });
        }
        let count = 2 * sections as u64;
        self.require(what, "timestamps", count, wgpu::QUERY_SET_MAX_QUERIES.into())?;
        let descriptor =
            wgpu::QuerySetDescriptor { label: Some("timestamps"), ty: wgpu::QueryType::Timestamp, count: count as u32 };
        let queries = self.guarded(what, 0, || self.raw.create_query_set(&descriptor))?;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let ticks = self.typed_buffer("timestamps", count as usize, usage)?;
        let seconds_a_tick = 1e-9 * f64::from(self.queue.get_timestamp_period());
        Ok(Timestamps { queries, ticks, sections: sections as u32, seconds_a_tick })
    }
}

impl Timestamps {
    /// Seconds that each section took, after the recording that ended with [`Recorder::keep_times`].
    ///
    /// # Errors
    /// The device is lost or too slow.
    pub fn seconds(&self, device: &Device) -> Result<Vec<f64>, DeviceError> {
        let mut ticks = vec![0_u64; self.ticks.len()];
        device.download(&self.ticks, 0, &mut ticks)?;
        // Some drivers let a section of nothing end before it begins.
        let seconds = |section: &[u64]| section[1].saturating_sub(section[0]) as f64 * self.seconds_a_tick;
        Ok(ticks.chunks_exact(2).map(seconds).collect())
    }
}

impl Recorder {
    /// What is dispatched from here on, up to the next section or [`keep_times`](Self::keep_times), is timed as `section`.
    ///
    /// # Panics
    /// If there is no such section.
    pub fn section(&mut self, timestamps: &Timestamps, section: usize) {
        assert!(section < timestamps.sections as usize, "section {section} of {}", timestamps.sections);
        let begin = 2 * section as u32;
        self.begin_pass(Some(wgpu::ComputePassTimestampWrites {
            query_set: &timestamps.queries,
            beginning_of_pass_write_index: Some(begin),
            end_of_pass_write_index: Some(begin + 1),
        }));
    }

    /// Ends the last section and keeps the times of all, each of which must have been recorded.
    pub fn keep_times(&mut self, timestamps: &Timestamps) {
        self.end_pass();
        let all = 0..2 * timestamps.sections;
        self.encoder.resolve_query_set(&timestamps.queries, all, &timestamps.ticks.raw, 0);
    }
}
