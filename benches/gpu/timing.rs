//! Medians of repeated timings.

use std::error::Error;
use std::time::{Duration, Instant};

use lnn_gpu::device::{Device, DeviceError, Recorder};

/// For so long a device works untimed first: at rest its clock is slower, and its caches are empty.
const WARM_UP: Duration = Duration::from_millis(200);

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Calls `work` until the device is warm.
pub(crate) fn warm_up<E>(mut work: impl FnMut() -> Result<f64, E>) -> Result<(), E> {
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        work()?;
    }
    Ok(())
}

/// Median of what `work` returns for each round, after warming up.
pub(crate) fn rounds(
    rounds: usize,
    mut work: impl FnMut() -> Result<f64, Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    warm_up(&mut work)?;
    (0..rounds).map(|_| work()).collect::<Result<_, _>>().map(median)
}

/// Median seconds of all that `record` records, in one section by the device's clock.
pub(crate) fn section(
    device: &Device,
    rounds: usize,
    mut record: impl FnMut(&mut Recorder),
) -> Result<f64, DeviceError> {
    let times = device.timestamps(1)?;
    let mut round = || {
        let mut recorder = device.recorder("section");
        recorder.section(&times, 0);
        record(&mut recorder);
        recorder.keep_times(&times);
        recorder.submit()?;
        Ok(times.seconds(device)?[0])
    };
    warm_up(&mut round)?;
    (0..rounds).map(|_| round()).collect::<Result<_, _>>().map(median)
}
