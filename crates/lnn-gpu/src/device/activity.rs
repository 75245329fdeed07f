//! How much was made and moved, by which one sees that a training step makes nothing and reads nothing back.

use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers of what was done on a device since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Buffers made, those for downloads included.
    pub buffers: u64,
    /// Writes from the host, each through memory that the driver lends for it.
    pub uploads: u64,
    /// Reads to the host, each of which maps a buffer and waits.
    pub downloads: u64,
    /// Recordings handed to the device.
    pub submissions: u64,
}

/// [`Activity`] as it is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) buffers: AtomicU64,
    pub(super) uploads: AtomicU64,
    pub(super) downloads: AtomicU64,
    pub(super) submissions: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> Activity {
        let Self { buffers, uploads, downloads, submissions } = self;
        let [buffers, uploads, downloads, submissions] =
            [buffers, uploads, downloads, submissions].map(|count| count.load(Ordering::Relaxed));
        Activity { buffers, uploads, downloads, submissions }
    }
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
