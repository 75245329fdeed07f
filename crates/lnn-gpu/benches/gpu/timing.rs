//! Times by the device's clock: the median of several rounds.

use std::time::{Duration, Instant};

use lnn_gpu::device::{Device, DeviceError, Recorder};
use lnn_gpu::kernels::KernelSource;

/// For so long a device works untimed first: at rest its clock is slower, and its caches are empty.
const WARM_UP: Duration = Duration::from_millis(200);

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Median seconds of all that `record` records, in one section.
pub(crate) fn whole(device: &Device, rounds: usize, mut record: impl FnMut(&mut Recorder)) -> Result<f64, DeviceError> {
    let times = device.timestamps(1)?;
    let mut round = || {
        let mut recorder = device.recorder("whole");
        recorder.section(&times, 0);
        record(&mut recorder);
        recorder.keep_times(&times);
        recorder.submit()?;
        Ok(times.seconds(device)?[0])
    };
    let start = Instant::now();
    while start.elapsed() < WARM_UP {
        round()?;
    }
    (0..rounds).map(|_| round()).collect::<Result<_, _>>().map(median)
}

/// The kernel and the median seconds of each dispatch that `record` records.
pub(crate) fn dispatches(
    device: &Device,
    rounds: usize,
    mut record: impl FnMut(&mut Recorder),
) -> Result<Vec<(&'static KernelSource, f64)>, DeviceError> {
    let mut untimed = device.recorder("count");
    record(&mut untimed);
    let count = untimed.dispatches();
    untimed.submit()?;
    let times = device.timestamps(count)?;
    let mut kernels = Vec::new();
    let mut seconds = vec![Vec::with_capacity(rounds); count];
    for _ in 0..rounds {
        let mut recorder = device.recorder("each dispatch");
        recorder.time_each_dispatch(&times);
        record(&mut recorder);
        kernels = recorder.timed_kernels().to_vec();
        recorder.keep_times(&times);
        recorder.submit()?;
        for (all, own) in seconds.iter_mut().zip(times.seconds(device)?) {
            all.push(own);
        }
    }
    Ok(kernels.into_iter().zip(seconds.into_iter().map(median)).collect())
}
