//! What is kept for a graphics card from one run to the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lnn_gpu::device::AdapterChoice;
use lnn_gpu::mlp::{NarrowTile, Tiles};
use lnn_gpu::tuning::ShapeClass;
use lnn_train::backend::cache::{CacheFolder, TunedTiles};
use lnn_train::backend::{Card, DeviceTraining};
use lnn_train::config::presets;
use lnn_train::experiment::build_system;

use crate::trainings::{BY_ADAM, adam, config, device, first_apart, lagrangian, losses, on_card};

fn open(folder: &Path) -> Card {
    let adapter = AdapterChoice::Name(device().adapter().name.clone());
    Card::open(&adapter, Some(CacheFolder::at(folder))).expect("it was opened before")
}

fn training(card: &Card) -> DeviceTraining {
    let config = config(lagrangian(), adam());
    let system = build_system(&config.system).expect("usable");
    let seeds = [config.seed];
    DeviceTraining::with_tiles(card.device(), &config, presets::LNN, Arc::clone(&system), &seeds, card.tiles())
        .expect("has kernels")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

#[test]
fn compiled_kernels_are_kept_and_damaged_ones_written_anew() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = place.path().join("cache");
    let card = open(&folder);
    assert!(card.notices().is_empty() && files(&folder).is_empty());
    training(&card);
    if card.device().pipeline_cache().is_none() {
        // Such an adapter keeps nothing, and nothing is written.
        assert!(!card.keep_kernels().expect("nothing to do") && files(&folder).is_empty());
        return;
    }
    assert!(card.keep_kernels().expect("writable"), "there are new kernels");
    assert!(!card.keep_kernels().expect("writable"), "they are there already");
    let [file] = &files(&folder)[..] else { panic!("{:?}", files(&folder)) };
    let kept = fs::read(file).expect("written");

    let again = open(&folder);
    assert!(again.notices().is_empty(), "{:?}", again.notices());
    // A run with the kept kernels computes what the first one did.
    let steps = losses(&mut training(&again), 5);
    assert_eq!(first_apart(&steps, &losses(&mut on_card(&config(lagrangian(), adam())), 5), BY_ADAM), None);

    for damaged in [kept[..kept.len() / 2].to_vec(), b"something else".to_vec(), Vec::new()] {
        fs::write(file, &damaged).expect("writable");
        let card = open(&folder);
        let [notice] = card.notices() else { panic!("{:?}", card.notices()) };
        assert!(notice.contains("is damaged") && notice.contains(&*file.display().to_string()), "{notice}");
        training(&card);
        assert!(card.keep_kernels().expect("writable"));
        assert!(open(&folder).notices().is_empty());
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_told_and_ends_nothing() {
    let place = tempfile::tempdir().expect("a folder");
    let file = place.path().join("file");
    fs::write(&file, "kept").expect("writable");
    let card = open(&file.join("cache"));
    training(&card);
    if card.device().pipeline_cache().is_some() {
        let problem = card.keep_kernels().expect_err("a file is no folder").to_string();
        assert!(problem.contains("nothing is kept") && problem.contains("file"), "{problem}");
    }
    assert_eq!(fs::read(&file).expect("there"), b"kept");
}

#[test]
fn tuned_tiles_are_those_of_the_training_and_change_rounding_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let mut card = open(place.path());
    let mut untuned = training(&card);
    assert_eq!(untuned.tiles_in_words(), "default tiles");
    let config = config(lagrangian(), adam());
    let model = &config.models[presets::LNN];
    let shape = lnn_train::experiment::build_model(model, 2).expect("usable").shape().clone();
    let mut tuned = TunedTiles::default();
    // Blocks that no default takes for so few rows.
    let tiles = Tiles { narrow_step: Some(NarrowTile { samples: 8, depth: 32 }), ..Tiles::default() };
    tuned.add(ShapeClass::of(&shape, 3, model.training.batch), tiles);
    // Of another class: it must not be taken.
    tuned.add(ShapeClass::of(&shape, 3, 64 * model.training.batch), Tiles::default());
    card.keep_tiles(tuned.clone()).expect("writable");

    let card = open(place.path());
    assert_eq!((card.tiles(), card.notices()), (&tuned, &[][..]));
    let mut training = training(&card);
    let words = training.tiles_in_words();
    assert!(words.starts_with("tiles tuned for this adapter on 2"), "{words}");
    let (with, without) = (losses(&mut training, 20), losses(&mut untuned, 20));
    assert_eq!(first_apart(&with, &without, BY_ADAM), None, "{with:?}\n{without:?}");
    assert_ne!(with, without, "other tiles of a gradient sum in another order");
}
