//! Four Lagrangian networks of different seeds, trained side by side on a graphics card, their states drawn there too.
//!
//! `cargo run --release --example 08_train_on_a_graphics_card [ADAPTER]`
//!
//! ADAPTER is part of a card's name, or `discrete`, `integrated`, `virtual` or `cpu`, which is software; left out, the
//! best there is.

#![allow(clippy::print_stdout)] // An example talks to its reader.

use lnn::gpu::device::{AdapterChoice, Device, DeviceOptions};
use lnn::physics::sampling::StateSampler;
use lnn::train::backend::DeviceTraining;
use lnn::train::config::preset;
use lnn::train::evaluate::HeldOut;
use lnn::train::experiment::{build_model_for, build_system};
use lnn::train::fit::{Advanced, Trainer};

const SEEDS: [u64; 4] = [0, 1, 2, 3];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let adapter = match std::env::args().nth(1) {
        Some(name) => name.parse::<AdapterChoice>()?,
        None => AdapterChoice::Best,
    };
    let device = Device::open(&DeviceOptions { adapter, ..DeviceOptions::default() })?;
    println!("on {}", device.adapter());

    // A recipe that is small enough for a card in software; its first steps are enough to see something learned.
    let mut config = preset("dblpend", "small")?;
    let recipe = config.models.get_mut("lnn").ok_or("the preset has a Lagrangian network")?;
    recipe.hidden = vec![32, 32];
    recipe.training.schedule = recipe.training.schedule.ending_at(500);

    let system = build_system(&config.system)?;
    let held_out = HeldOut::new(&*system, system.training_distribution(), StateSampler::new(1, 1), 2000)?;
    let model = build_model_for(&config.models["lnn"], &*system)?;
    let mut training = DeviceTraining::of_seeds(&device, &config, "lnn", system, &SEEDS)?;
    let judge = |training: &mut DeviceTraining| -> Result<Vec<f64>, Box<dyn std::error::Error>> {
        let of_member = |member: usize| -> Result<f64, Box<dyn std::error::Error>> {
            let parameters: Vec<f64> = training.parameters(member)?.iter().map(|&p| f64::from(p)).collect();
            Ok(held_out.judge(&model, &parameters, held_out.len()).acceleration_l1)
        };
        (0..SEEDS.len()).map(of_member).collect()
    };

    let before = judge(&mut training)?;
    // Each call makes as many steps as take about a tenth of a second; nothing is read back in between.
    while training.step_count() < 500 {
        training.advance(500, &mut vec![Advanced::default(); SEEDS.len()])?;
    }
    let after = judge(&mut training)?;
    println!("mean |q̈ error| / rad/s²   before   after 500 steps");
    for ((seed, before), after) in SEEDS.iter().zip(&before).zip(&after) {
        println!("seed {seed}                {before:9.2}   {after:15.2}");
    }
    if before.iter().zip(&after).all(|(before, after)| *after < 0.6 * before) {
        Ok(())
    } else {
        Err("training did not help".into())
    }
}
