//! Lagrangian networks on graphics cards: the stages of a training step as WGSL kernels, over wgpu.
//!
//! * [`device`] finds an adapter and opens it, holds typed buffers, makes kernels and records their dispatches.
//! * [`mlp`] is the jet engine for networks of any width.
//! * [`step`] decides on the device what becomes of a step: loss, gradient norm, clipping, skipped steps.
//! * [`optimiser`] updates the parameters: Adam, SOAP.
//! * [`kernels`] is the table of all shaders in `shaders/`, composed and validated when the crate was built.
//! * [`euler_lagrange`] assembles mass matrices and forces, and makes the directions of the way back.
//! * [`features`] makes network inputs of states, and pulls cotangents back.
//! * [`loss`] compares rates with their targets.
//! * [`pseudoinverse`] has eigenfactors, ranks and solves of many small symmetric matrices.
//! * [`rollout`] moves many states forward in time, by a learned Lagrangian or any accelerations.
//! * [`sampling`] draws states, the same as on the processor.
//! * [`target`] has the true accelerations of systems.
//! * [`training`] is the whole step, many steps in one submission.
//! * [`tuning`] finds out which tiles are fastest on a device.
//!
//! A module is a stage of the data flow; what it plans on given buffers is recorded any number of times.
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
pub mod euler_lagrange;
pub mod features;
pub mod kernels;
pub mod loss;
pub mod mlp;
pub mod optimiser;
pub mod pseudoinverse;
pub mod rollout;
pub mod sampling;
mod stage;
pub mod step;
pub mod target;
pub mod training;
pub mod tuning;

pub use stage::Stage;

/// Compiles the program of the README as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
