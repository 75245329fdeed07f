//! `--tune`: which tiles are fastest on this adapter, and where that is kept.

use std::error::Error;

use lnn::train::backend::Card;
use lnn_gpu::tuning::{Clock, Tuned, TuningCase, tune};
use serde_json::{Value, json};

use crate::asked::{fitting, none_fits};
use crate::step::{COORDINATES, network};

/// What is to be fast: layers, width, batch and models side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    layers: usize,
    width: usize,
    batch: usize,
    models: usize,
}

/// Those that a tuning is for without a word: the document's cases, and an ensemble of the presets' size.
const SHAPES: [Shape; 5] = [
    Shape { layers: 4, width: 500, batch: 4096, models: 1 },
    Shape { layers: 4, width: 500, batch: 512, models: 1 },
    Shape { layers: 3, width: 600, batch: 512, models: 1 },
    Shape { layers: 3, width: 64, batch: 512, models: 1 },
    Shape { layers: 3, width: 64, batch: 512, models: 64 },
];

/// One a kind of kernels, for a processor.
const QUICK: [Shape; 2] =
    [Shape { layers: 2, width: 72, batch: 40, models: 1 }, Shape { layers: 2, width: 12, batch: 40, models: 2 }];

impl Shape {
    /// As tables have it.
    fn name(self) -> String {
        let Self { layers, width, batch, models } = self;
        let models = if models > 1 { format!(", {models} models") } else { String::new() };
        format!("{layers}×{width}, batch {batch}{models}")
    }

    /// Reads `4x500,4096` or `3x64,512,64`: layers and width, batch, models side by side.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let read = || {
            let mut parts = text.split(',');
            let (layers, width) = parts.next()?.split_once(['x', '×'])?;
            let number = |text: &str| text.trim().parse::<usize>().ok().filter(|&number| number > 0);
            let shape = Self {
                layers: number(layers)?,
                width: number(width)?,
                batch: number(parts.next()?)?,
                models: parts.next().map_or(Some(1), number)?,
            };
            parts.next().is_none().then_some(shape)
        };
        let shape: Self = read().ok_or_else(|| {
            format!("`{text}` is no shape: give layers x width, batch, and for narrow networks models: 4x500,4096 or 3x64,512,64")
        })?;
        if shape.models > 1 && shape.width > 64 {
            return Err(format!(
                "`{text}`: networks wider than 64 are trained one at a time: leave out the number of models"
            ));
        }
        Ok(shape)
    }
}

/// The shapes that were asked for, or the usual ones with all of these words in their names.
pub(crate) fn shapes(quick: bool, asked: &[Shape], words: &[String]) -> Result<Vec<Shape>, String> {
    if !asked.is_empty() {
        return Ok(asked.to_vec());
    }
    let all = if quick { &QUICK[..] } else { &SHAPES };
    let found = fitting(all, words, |shape| shape.name());
    if found.is_empty() { Err(none_fits(words, all.iter().map(|shape| shape.name()))) } else { Ok(found) }
}

/// Tunes each shape, and keeps what is fastest if that is asked for.
pub(crate) fn run(card: &mut Card, shapes: &[Shape], rounds: usize, keep: bool) -> Result<Value, Box<dyn Error>> {
    let clock = if card.device().adapter().timestamps { Clock::Device } else { Clock::Host };
    let mut tiles = card.tiles().clone();
    let mut documents = Vec::new();
    for shape in shapes {
        eprintln!("tuning {}", shape.name());
        let Shape { layers, width, batch: rows, models } = *shape;
        let case = TuningCase { shape: network(&vec![width; layers])?, tangents: COORDINATES + 1, rows, models };
        let tuned = tune(card.device(), &case, rounds, clock)?;
        tiles.add(tuned.class, tuned.tiles);
        documents.push(document(shape, &case, &tuned));
    }
    let file = if keep { card.keep_tiles(tiles)? } else { None };
    let clock = if clock == Clock::Device { "device" } else { "host" };
    Ok(json!({ "clock": clock, "rounds": rounds, "file": file, "keep": keep, "shapes": documents }))
}

fn document(shape: &Shape, case: &TuningCase, tuned: &Tuned) -> Value {
    let timing = |timing: &lnn_gpu::tuning::Timing| {
        let tile = timing.tiles.describe(timing.role);
        json!({
            "role": timing.role.to_string(),
            "tile": tile,
            "seconds": timing.seconds,
            "rate": case.operations(timing.role) / timing.seconds,
        })
    };
    let left_out = tuned.left_out.iter().map(|(tiles, error)| {
        let tile = case.roles().iter().find_map(|&role| tiles.describe(role));
        json!({ "tile": tile, "reason": error.to_string() })
    });
    json!({
        "name": shape.name(),
        "class": tuned.class.to_string(),
        "timings": tuned.timings.iter().map(timing).collect::<Vec<_>>(),
        "left_out": left_out.collect::<Vec<_>>(),
    })
}
