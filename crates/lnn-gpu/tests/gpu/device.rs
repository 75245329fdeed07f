//! Opening a device, its errors, and what many dispatches in one submission see of each other.

use std::time::{Duration, Instant};

use lnn_gpu::device::{AdapterChoice, BoundKernel, Device, DeviceError, DeviceOptions, PipelineCacheData};
use lnn_gpu::kernels;

use crate::ground::device;

fn error(options: &DeviceOptions) -> DeviceError {
    Device::open(options).expect_err("no such device")
}

#[test]
fn a_name_that_fits_none_is_refused_with_those_there() {
    let adapter = AdapterChoice::Name("no such card".into());
    let error = error(&DeviceOptions { adapter, ..DeviceOptions::default() });
    let message = error.to_string();
    assert!(matches!(error, DeviceError::NoSuchAdapter { .. }), "{message}");
    assert!(message.contains("`no such card`") && message.contains(&device().adapter().name), "{message}");
}

#[test]
fn an_adapter_is_found_by_a_part_of_its_name() {
    let name = device().adapter().name.to_uppercase();
    let adapter = AdapterChoice::Name(name.chars().skip(1).collect());
    let found = Device::open(&DeviceOptions { adapter, ..DeviceOptions::default() }).unwrap();
    assert_eq!(found.adapter().name, device().adapter().name);
}

#[test]
fn a_buffer_beyond_the_limit_names_limit_needed_and_offered() {
    let offered = device().adapter().largest_binding.min(device().adapter().largest_buffer);
    let error = device().buffer::<f32>("activations", (offered / 4 + 4) as usize).expect_err("too large");
    let DeviceError::Limit { needed, offered: said, .. } = error else { panic!("{error}") };
    assert!(needed > said);
    assert_eq!(said, offered);
    assert!(error.to_string().contains("buffer activations"), "{error}");
}

#[test]
fn numbers_come_back_as_they_went() {
    let buffer = device().buffer::<f32>("numbers", 1001).unwrap();
    let numbers: Vec<f32> = (0..1001).map(|i| i as f32 - 0.5).collect();
    device().upload(&buffer, 0, &numbers).unwrap();
    device().upload(&buffer, 7, &[9.0, 10.0]).unwrap();
    let mut back = vec![0.0; 1001];
    device().download(&buffer, 0, &mut back).unwrap();
    let mut part = [0.0; 3];
    device().download(&buffer, 7, &mut part).unwrap();
    assert_eq!(part, [9.0, 10.0, 8.5]);
    assert_eq!((back[6], back[7], back[1000]), (5.5, 9.0, 999.5));
}

#[test]
fn each_dispatch_sees_what_the_ones_before_it_wrote_and_its_own_record() {
    let device = device();
    let kernel = device.kernel(kernels::SUM_BLOCKS.only(), &[]).unwrap();
    let lengths = device.uniforms::<u32>("lengths", 2).unwrap();
    device.upload_uniforms(&lengths, 0, &[5000, 2]).unwrap();
    let (values, sums, total) = (
        device.buffer::<f32>("values", 5000).unwrap(),
        device.buffer::<f32>("sums", 2).unwrap(),
        device.buffer::<f32>("total", 1).unwrap(),
    );
    device.upload(&values, 0, &[1.0; 5000]).unwrap();
    let stages = [
        kernel.bind(device, &[(&lengths).into(), (&values).into(), (&sums).into()]).unwrap(),
        kernel.bind(device, &[(&lengths).into(), (&sums).into(), (&total).into()]).unwrap(),
    ];
    let mut recorder = device.recorder("sum");
    recorder.dispatch_linear(&stages[0], 2, 0);
    recorder.dispatch_linear(&stages[1], 1, 1);
    assert_eq!(recorder.dispatches(), 2);
    recorder.submit().unwrap();
    let mut out = [0.0];
    device.download(&total, 0, &mut out).unwrap();
    assert_eq!(out, [5000.0]);
}

#[test]
#[should_panic(expected = "sum_blocks, binding 0 `lengths`, given values: expected Uniform")]
fn a_wrong_argument_is_refused_by_name() {
    let kernel = device().kernel(kernels::SUM_BLOCKS.only(), &[]).unwrap();
    let values = device().buffer::<f32>("values", 8).unwrap();
    let _ = kernel.bind(device(), &[(&values).into(), (&values).into(), (&values).into()]);
}

#[test]
fn a_refused_command_is_returned_by_the_next_call_and_all_after() {
    // A device of its own, since it is of no use afterwards.
    let device = Device::open(&DeviceOptions::default()).unwrap();
    let kernel = device.kernel(kernels::SUM_BLOCKS.only(), &[]).unwrap();
    let lengths = device.uniforms::<u32>("lengths", 1).unwrap();
    let values = device.buffer::<f32>("values", 8).unwrap();
    // One buffer cannot be read and written by the same dispatch.
    let bound = kernel.bind(&device, &[(&lengths).into(), (&values).into(), (&values).into()]).unwrap();
    let mut recorder = device.recorder("conflict");
    recorder.dispatch(&bound, [1, 1, 1]);
    let error = recorder.submit().expect_err("a conflict");
    assert!(matches!(error, DeviceError::Refusal { .. }), "{error}");
    assert_eq!(device.download(&values, 0, &mut [0.0]).expect_err("again").to_string(), error.to_string());
    assert_eq!(device.buffer::<f32>("more", 8).expect_err("again").to_string(), error.to_string());
}

#[test]
fn a_kernel_that_the_driver_refuses_is_named() {
    let refused = device().kernel(&kernels::LAYER_REVERSE.variants[0], &[("ACTIVATION", -1.0)]);
    let error = refused.expect_err("no such number");
    let DeviceError::Pipeline { kernel, .. } = &error else { panic!("{error}") };
    assert!(kernel.starts_with("layer_reverse"), "{error}");
    assert!(error.to_string().contains("does not compile on"), "{error}");
    // It does no harm to the others.
    device().kernel(&kernels::LAYER_REVERSE.variants[0], &[("ACTIVATION", 1.0)]).unwrap();
}

#[test]
fn waiting_ends_at_the_time_limit() {
    let options = DeviceOptions { time_limit: Duration::ZERO, ..DeviceOptions::default() };
    let device = Device::open(&options).unwrap();
    let kernel = device.kernel(kernels::SUM_BLOCKS.only(), &[]).unwrap();
    let count = 1 << 22;
    let lengths = device.uniforms::<u32>("lengths", 1).unwrap();
    device.upload_uniforms(&lengths, 0, &[count]).unwrap();
    let values = device.buffer::<f32>("values", count as usize).unwrap();
    let sums = device.buffer::<f32>("sums", count as usize / 4096).unwrap();
    let bound = kernel.bind(&device, &[(&lengths).into(), (&values).into(), (&sums).into()]).unwrap();
    let mut recorder = device.recorder("long");
    for _ in 0..64 {
        recorder.dispatch_linear(&bound, count / 4096, 0);
    }
    recorder.submit().unwrap();
    let error = device.wait("the sums").expect_err("not that fast");
    assert!(matches!(error, DeviceError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("the sums did not end within 0 s"), "{error}");
}

#[test]
fn compiled_kernels_are_taken_from_an_earlier_run() {
    let first = Device::open(&DeviceOptions::default()).unwrap();
    first.kernel(kernels::ADAM.only(), &[]).unwrap();
    // An adapter without such a cache gives none, and is opened all the same.
    let bytes = first.pipeline_cache().map(|cache| cache.to_bytes());
    let pipeline_cache = bytes.as_deref().map(|bytes| PipelineCacheData::from_bytes(bytes).expect("undamaged"));
    let second = Device::open(&DeviceOptions { pipeline_cache, ..DeviceOptions::default() }).unwrap();
    second.kernel(kernels::ADAM.only(), &[]).unwrap();
}

#[test]
fn copies_and_zeros_keep_their_place_among_the_dispatches() {
    let device = device();
    let kernel = device.kernel(kernels::SUM_BLOCKS.only(), &[]).unwrap();
    let lengths = device.uniforms::<u32>("lengths", 1).unwrap();
    device.upload_uniforms(&lengths, 0, &[3]).unwrap();
    let values = device.buffer::<f32>("values", 3).unwrap();
    let [first, second] = ["first", "second"].map(|name| device.buffer::<f32>(name, 4).unwrap());
    device.upload(&values, 0, &[1.0, 2.0, 4.0]).unwrap();
    let bound = kernel.bind(device, &[(&lengths).into(), (&values).into(), (&first).into()]).unwrap();
    let mut recorder = device.recorder("copies");
    recorder.dispatch(&bound, [1, 1, 1]);
    recorder.copy(&first, 0, &second, 3, 1);
    recorder.clear(&values);
    recorder.dispatch(&bound, [1, 1, 1]);
    recorder.copy(&first, 0, &second, 1, 1);
    recorder.submit().unwrap();
    let mut out = [9.0; 4];
    device.download(&second, 0, &mut out).unwrap();
    assert_eq!(out, [0.0, 0.0, 0.0, 7.0]);
}

#[test]
fn sections_are_timed_apart() {
    let device = device();
    if !device.adapter().timestamps {
        let error = device.timestamps(1).expect_err("no clock");
        assert!(matches!(error, DeviceError::Feature { .. }), "{error}");
        return;
    }
    let count = 1 << 22;
    let bound = sum_of(count);
    let times = device.timestamps(2).unwrap();
    let start = Instant::now();
    let mut recorder = device.recorder("timed");
    recorder.section(&times, 0);
    recorder.dispatch_linear(&bound, 1, 0);
    recorder.section(&times, 1);
    for _ in 0..8 {
        recorder.dispatch_linear(&bound, count / 4096, 0);
    }
    recorder.keep_times(&times);
    recorder.submit().unwrap();
    let seconds = times.seconds(device).unwrap();
    let wall = start.elapsed().as_secs_f64();
    assert!(seconds[0] < seconds[1], "one workgroup against 8192: {seconds:?}");
    assert!(seconds[1] > 0.0 && seconds.iter().sum::<f64>() <= wall, "{seconds:?} of {wall}");
}

#[test]
fn each_dispatch_can_be_timed_by_itself() {
    let device = device();
    if !device.adapter().timestamps {
        return; // `sections_are_timed_apart` looks at the error.
    }
    let count = 1 << 22;
    let bound = sum_of(count);
    let times = device.timestamps(3).unwrap();
    let mut recorder = device.recorder("timed");
    recorder.time_each_dispatch(&times);
    for workgroups in [1, count / 4096, 1] {
        recorder.dispatch_linear(&bound, workgroups, 0);
    }
    let names: Vec<_> = recorder.timed_kernels().iter().map(|kernel| kernel.entry).collect();
    assert_eq!(names, ["sum_blocks"; 3]);
    recorder.keep_times(&times);
    recorder.submit().unwrap();
    let seconds = times.seconds(device).unwrap();
    assert!(seconds[1] > seconds[0] && seconds[1] > seconds[2], "1024 workgroups between one and one: {seconds:?}");
}

#[test]
#[should_panic(expected = "2 dispatches in 3 sections")]
fn a_section_without_its_dispatch_would_be_waited_for() {
    let device = device();
    let bound = sum_of(4096);
    let times = device.timestamps(3).unwrap();
    let mut recorder = device.recorder("timed");
    recorder.time_each_dispatch(&times);
    recorder.dispatch_linear(&bound, 1, 0);
    recorder.dispatch_linear(&bound, 1, 0);
    recorder.keep_times(&times);
}

/// The kernel `sum_blocks` on `count` numbers, 4096 a workgroup.
fn sum_of(count: u32) -> BoundKernel {
    let device = device();
    let kernel = device.kernel(kernels::SUM_BLOCKS.only(), &[]).unwrap();
    let lengths = device.constants("lengths", count).unwrap();
    let values = device.buffer::<f32>("values", count as usize).unwrap();
    let sums = device.buffer::<f32>("sums", (count as usize / 4096).max(4)).unwrap();
    kernel.bind(device, &[(&lengths).into(), (&values).into(), (&sums).into()]).unwrap()
}
