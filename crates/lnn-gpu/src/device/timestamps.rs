//! How long sections of a recording took, by the device's own clock.

use super::{Buffer, Device, DeviceError, Recorder};
use crate::kernels::KernelSource;

/// Room for the times of a number of sections.
#[derive(Debug)]
pub struct Timestamps {
    pub(super) queries: wgpu::QuerySet,
    /// Begin and end of each section, in ticks.
    pub(super) ticks: Buffer<u64>,
    sections: u32,
    seconds_a_tick: f64,
}

/// The sections of a recording in which each dispatch is one.
#[derive(Debug)]
pub(super) struct EachDispatch {
    queries: wgpu::QuerySet,
    sections: u32,
    /// The kernels of those that were recorded.
    kernels: Vec<&'static KernelSource>,
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
        self.each = None;
        self.begin_section(&timestamps.queries, section as u32);
    }

    /// From here on makes each dispatch a section of its own, in their order from number 0. That keeps dispatches apart that
    /// could overlap: the sum of their times is above that of the whole.
    ///
    /// # Panics
    /// At a dispatch for which there is no room.
    pub fn time_each_dispatch(&mut self, timestamps: &Timestamps) {
        self.end_pass();
        let (queries, sections) = (timestamps.queries.clone(), timestamps.sections);
        self.each = Some(EachDispatch { queries, sections, kernels: Vec::new() });
    }

    /// The kernels of the dispatches since [`time_each_dispatch`](Self::time_each_dispatch), a section each, until the times
    /// are [kept](Self::keep_times).
    pub fn timed_kernels(&self) -> &[&'static KernelSource] {
        self.each.as_ref().map_or(&[], |each| &each.kernels)
    }

    /// Begins a section for a dispatch of `kernel`, if each has one.
    pub(super) fn begin_own_section(&mut self, kernel: &'static KernelSource) {
        let Some(each) = &mut self.each else { return };
        let section = each.kernels.len() as u32;
        assert!(section < each.sections, "dispatch {} of {} that can be timed", section + 1, each.sections);
        each.kernels.push(kernel);
        let queries = each.queries.clone();
        self.begin_section(&queries, section);
    }

    fn begin_section(&mut self, queries: &wgpu::QuerySet, section: u32) {
        self.begin_pass(Some(wgpu::ComputePassTimestampWrites {
            query_set: queries,
            beginning_of_pass_write_index: Some(2 * section),
            end_of_pass_write_index: Some(2 * section + 1),
        }));
    }

    /// Ends the last section and keeps the times of all, each of which must have been recorded.
    ///
    /// # Panics
    /// If each dispatch has a section, and there were fewer of them.
    pub fn keep_times(&mut self, timestamps: &Timestamps) {
        self.end_pass();
        if let Some(each) = self.each.take() {
            // A query that was not made would be waited for.
            let (timed, room) = (each.kernels.len(), each.sections as usize);
            assert!(timed == room, "{timed} dispatches in {room} sections");
        }
        let all = 0..2 * timestamps.sections;
        self.encoder.resolve_query_set(&timestamps.queries, all, &timestamps.ticks.raw, 0);
    }
}
