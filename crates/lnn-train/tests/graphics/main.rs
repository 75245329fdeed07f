//! Trainings on a graphics card, software or not, beside those of the processor.

mod agreement;
mod card;
mod checkpoints;
mod ensemble;
mod faults;
mod program;
mod trainings;
