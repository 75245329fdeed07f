//! Lagrangian networks on graphics cards: the stages of a training step as WGSL kernels, over wgpu.
//!
//! * [`device`] finds an adapter and opens it, holds typed buffers, makes kernels and records their dispatches.
//! * [`mlp`] is the jet engine for networks of any width.
//! * [`step`] decides on the device what becomes of a step: loss, gradient norm, clipping, skipped steps.
//! * [`optimiser`] updates the parameters: Adam, SOAP.
//! * [`kernels`] is the table of all shaders in `shaders/`, composed and validated when the crate was built.
//!
//! ```no_run
//! use lnn_gpu::device::{Device, DeviceOptions};
//! let device = Device::open(&DeviceOptions::default())?;
//! println!("{}", device.adapter());
//! let numbers = device.buffer::<f32>("numbers", 1000)?;
//! device.upload(&numbers, 0, &[1.0; 1000])?;
//! # Ok::<(), lnn_gpu::device::DeviceError>(())
//! ```
//!
//! Nothing here writes a file or prints.

pub mod device;
pub mod kernels;
pub mod mlp;
pub mod optimiser;
pub mod step;

/// Compiles the program of the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
