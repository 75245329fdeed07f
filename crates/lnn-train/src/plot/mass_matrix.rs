//! `mass_matrix`: maps of the learned mass matrix over two variables.

use super::learned::fitted;
use super::motions::subscript;
use super::{Drawing, LearnedView, PlotError};
use crate::report::axis::Axis;
use crate::report::colour_map::ColourMap;
use crate::report::heat::{ColourKey, HeatCell, HeatFigure, HeatMap, HeatRow, HeatScale};
use crate::report::number::significant;
use crate::report::picture::Picture;

/// Points along each side of a map.
const SIDE: usize = 81;
/// Coordinates of which every entry is shown; of more, the entries of two.
const ALL_ENTRIES: usize = 3;
/// Maps in a row at most.
const ABREAST: usize = 4;

/// Maps of the entries of H = ∂²L/∂q̇∂q̇ᵀ and of its smallest eigenvalue λ over two variables; below them those of the true
/// system where it is known.
///
/// Without `over` the variables are the first two coordinates, or the coordinate and its velocity.
///
/// # Errors
/// A model without a mass matrix, or a name that is no variable.
pub fn mass_matrix(view: &LearnedView, over: Option<[&str; 2]>) -> Result<Drawing, PlotError> {
    let d = view.degrees_of_freedom();
    if !view.model().has_mass_matrix() {
        return Err(view.refused("mass matrix", "draw a learned Lagrangian"));
    }
    let [across, up] = match over {
        None => [0, 1],
        Some(names) => [view.place(names[0], "draw a map over")?, view.place(names[1], "draw a map over")?],
    };
    if across == up {
        let valid = view.variables().iter().map(|variable| variable.name.clone()).collect();
        let given = view.variables()[up].name.clone();
        return Err(PlotError::UnknownVariable { given, purpose: "draw a map over besides itself", valid });
    }
    let (x, y) = (&view.variables()[across], &view.variables()[up]);
    // The middles of the pixels, from the top.
    let middle = |(low, high): (f64, f64), index: usize| low + (high - low) * (index as f64 + 0.5) / SIDE as f64;
    let points = view.points(SIDE * SIDE, |index, point| {
        point[across] = middle(x.range, index % SIDE);
        point[up] = middle(y.range, SIDE - 1 - index / SIDE);
    });
    let learned = view.evaluate(&points).mass_matrix;
    let truth: Option<Vec<f64>> = view.system().and_then(|system| {
        let matrix = |point: &Vec<f64>| {
            let dynamics = system.dynamics(&point[..d], &point[d..2 * d], &point[2 * d..]).ok()?;
            Some(dynamics.mass_matrix)
        };
        points.iter().map(matrix).collect::<Option<Vec<_>>>().map(|matrices| matrices.concat())
    });
    let fit = truth.as_ref().and_then(|truth| fitted(truth, &learned, false));

    let entries: Vec<(usize, usize)> = if d <= ALL_ENTRIES {
        (0..d).flat_map(|i| (i..d).map(move |j| (i, j))).collect()
    } else {
        let mut two = [across % d, up % d];
        two.sort_unstable();
        if two[0] == two[1] {
            vec![(two[0], two[0])]
        } else {
            vec![(two[0], two[0]), (two[0], two[1]), (two[1], two[1])]
        }
    };
    let layers = |matrices: &[f64]| -> Vec<Vec<f64>> {
        let matrices = matrices.chunks_exact(d * d);
        let mut layers: Vec<Vec<f64>> =
            entries.iter().map(|&(i, j)| matrices.clone().map(|matrix| matrix[i * d + j]).collect()).collect();
        if d > 1 {
            layers.push(matrices.map(|matrix| smallest_eigenvalue(matrix, d)).collect());
        }
        layers
    };
    let mut names: Vec<String> = entries.iter().map(|(i, j)| format!("H{}{}", subscript(*i), subscript(*j))).collect();
    if d > 1 {
        names.push("least λ".to_owned());
    }
    let mut rows = vec![(view.name().to_owned(), layers(&learned))];
    if let (Some(truth), Some((factor, _))) = (&truth, fit) {
        let title = format!("truth, times {}: a Lagrangian is known up to a factor", significant(factor, 4));
        // Before the eigenvalues: the smallest of −H is minus the largest of H.
        let scaled: Vec<f64> = truth.iter().map(|entry| factor * entry).collect();
        rows.push((title, layers(&scaled)));
    }
    let scales: Vec<HeatScale> = (0..names.len())
        .map(|layer| {
            let values = rows.iter().flat_map(|(_, layers)| layers[layer].iter());
            HeatScale::linear(values.filter(|value| value.is_finite()).fold(0.0, |most, value| most.max(value.abs())))
        })
        .collect();
    let axis = |variable: &super::Variable| {
        let (low, high) = variable.range;
        if variable.angle { Axis::angle_range(low, high, 2) } else { Axis::linear_range(low, high, 3) }
    };
    let mut drawn = Vec::new();
    // As even as possible: four in one row, seven in four and three.
    let abreast = names.len().div_ceil(names.len().div_ceil(ABREAST));
    for first in (0..names.len()).step_by(abreast) {
        let part = first..names.len().min(first + abreast);
        for (title, layers) in &rows {
            let mut cells = Vec::new();
            for layer in part.clone() {
                let scale = scales[layer];
                let colours = layers[layer].iter().map(|value| ColourMap::Field.colour(scale.position(*value)));
                let picture = Picture::new(SIDE as u32, SIDE as u32, colours)?;
                let (low, high) = layers[layer]
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
                let title = format!("{}: {} to {}", names[layer], significant(low, 3), significant(high, 3));
                cells.push(HeatCell::Map(Box::new(HeatMap { title, picture, x: axis(x), y: axis(y) })));
            }
            drawn.push(HeatRow { title: title.clone(), cells });
        }
    }
    drawn.push(HeatRow { title: String::new(), cells: vec![HeatCell::Keys] });
    let key = |(name, scale): (&String, &HeatScale)| ColourKey::new(name.clone(), ColourMap::Field, *scale);
    let figure = HeatFigure {
        name: format!("mass_matrix-{}", view.file_name()),
        title: format!("Learned mass matrix H = ∂²L/∂q̇∂q̇ᵀ of {}{}", view.name(), view.at(&[across, up])),
        caption: String::new(),
        keys: names.iter().zip(&scales).map(key).collect::<Result<_, _>>()?,
        wide: drawn.clone(),
        narrow: drawn,
        x_label: x.label(),
        y_label: y.symbol.clone(),
        aspect: Some(1.0),
    };
    Drawing::of_maps(figure.name.clone(), &figure)
}

/// The smallest eigenvalue of a symmetric matrix `[d, d]`; NaN if it is not finite.
fn smallest_eigenvalue(matrix: &[f64], d: usize) -> f64 {
    use lnn_autodiff::pseudoinverse::{SymmetricFactors, Tolerance};
    let mut factors = SymmetricFactors::new(d, 1);
    factors.factor(matrix, Tolerance::for_dimension::<f64>(d));
    if !factors.is_finite(0) {
        return f64::NAN;
    }
    factors.eigenvalues(0).iter().copied().fold(f64::INFINITY, f64::min)
}
