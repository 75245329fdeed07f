//! Trainings on a graphics card, software or not, beside those of the processor.

mod agreement;
mod card;
mod checkpoints;
mod ensemble;
mod faults;
#[path = "../program/model_files.rs"]
mod model_files;
mod motions;
mod program;
mod trainings;
