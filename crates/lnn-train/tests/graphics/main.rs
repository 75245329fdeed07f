//! Trainings on a graphics card, software or not, beside those of the processor.

mod agreement;
mod checkpoints;
mod ensemble;
mod faults;
mod program;
mod trainings;
