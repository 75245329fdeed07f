//! `initialisation.svg`: the standard deviations that a search found, against the width, beside Eq. 16.

use super::super::axis::Axis;
use super::super::figure::{Figure, Key, LegendEntry, Mark, Panel};
use super::super::palette::{Colour, REFERENCE, TRUTH, series};
use super::{MODEL_WIDTH, REFERENCE_WIDTH};
use crate::initialisation_search::{Law, Place, SearchSummary, place_of, published_law};

/// A panel for each place that has deviations: the first layer, the hidden layers, the output layer.
pub(crate) fn figure(summary: &SearchSummary) -> Figure {
    let places = [
        (Place::First, "First layer: σ of the weights"),
        (Place::Hidden, "Hidden layer i: σ / i of the weights"),
        (Place::Output, "Output layer: σ of the weights"),
    ];
    let numbers = summary.cells.iter().map(|cell| cell.hidden_layers - 1).max().unwrap_or(0);
    let mut legend = vec![LegendEntry { label: "found, i = 1 or no i".to_owned(), colour: series(0), key: Key::Dot }];
    legend.extend((2..=numbers).map(|layer| LegendEntry {
        label: format!("found, i = {layer}"),
        colour: series(layer - 1),
        key: Key::Dot,
    }));
    legend.push(LegendEntry { label: "fitted law".to_owned(), colour: TRUTH, key: Key::Line(MODEL_WIDTH) });
    let eq16 = LegendEntry { label: "paper, Eq. 16".to_owned(), colour: REFERENCE, key: Key::Line(REFERENCE_WIDTH) };
    legend.push(eq16);
    Figure {
        name: "initialisation",
        title: "Standard deviations at which gradients are standard normal".to_owned(),
        caption: "Both axes are logarithmic, so that a power law is a straight line. Each dot is one layer of one \
                  network of the grid; the search knew nothing of either line. The hidden layers' σ is divided by \
                  their number i, as in Eq. 16."
            .to_owned(),
        legend,
        panels: places.iter().filter_map(|&(place, title)| panel(summary, place, title)).collect(),
    }
}

fn panel(summary: &SearchSummary, wanted: Place, title: &str) -> Option<Panel> {
    let mut dots: Vec<(usize, (f64, f64))> = Vec::new();
    for cell in &summary.cells {
        for (index, deviation) in cell.deviations.iter().enumerate() {
            let (place, layer) = place_of(index, cell.hidden_layers);
            if place == wanted {
                dots.push((layer, (cell.width as f64, deviation / layer as f64)));
            }
        }
    }
    if dots.is_empty() {
        return None;
    }
    let widths = summary.cells.iter().map(|cell| cell.width);
    let (low, high) = (widths.clone().min()? as f64 / 1.2, widths.max()? as f64 * 1.2);
    let x = Axis::logarithmic([low, high]);
    let line = |law: &Law| -> Vec<(f64, f64)> {
        [low, high].map(|n| (n, law.coefficient * n.powf(law.width_exponent))).to_vec()
    };
    let published = line(&published_law(wanted));
    let fitted = summary.laws.iter().find(|fit| fit.place == wanted && !fit.free_layer_exponent);
    let fitted = fitted.map(|fit| line(&fit.law));
    let lines = published.iter().chain(fitted.iter().flatten()).map(|point| point.1);
    let y = Axis::errors(dots.iter().map(|(_, point)| point.1).chain(lines));
    let straight = |points, colour: Colour, quarter_width| Mark::Line { points, colour, quarter_width };
    let mut marks = vec![straight(published, REFERENCE, REFERENCE_WIDTH)];
    marks.extend(fitted.map(|points| straight(points, TRUTH, MODEL_WIDTH)));
    let mut layers: Vec<usize> = dots.iter().map(|(layer, _)| *layer).collect();
    layers.sort_unstable();
    layers.dedup();
    marks.extend(layers.into_iter().map(|layer| Mark::Dots {
        points: dots.iter().filter(|(number, _)| *number == layer).map(|(_, point)| *point).collect(),
        colour: series(layer - 1),
        filled: true,
    }));
    Some(Panel {
        title: title.to_owned(),
        x,
        y,
        x_label: "width n of the hidden layers".to_owned(),
        height: 170,
        marks,
    })
}
