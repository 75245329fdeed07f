//! Laws σ = a·i^c·n^b fitted to what the searches found, beside the paper's.

use faer::Mat;
use faer::linalg::solvers::SolveLstsq;
use serde::{Deserialize, Serialize};

use super::cell::Cell;

/// A layer's place in a network, as the paper's Eq. 16 tells layers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// From the inputs to the first hidden layer.
    First,
    /// Between two hidden layers; i counts them from 1.
    Hidden,
    /// To the output.
    Output,
}

/// `σ = coefficient · i^layer_exponent · n^width_exponent`, with i = 1 outside the hidden layers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// a.
    pub coefficient: f64,
    /// b, of the width n.
    pub width_exponent: f64,
    /// c, of the hidden layer's number i.
    pub layer_exponent: f64,
}

impl Law {
    /// σ in a layer of `width`, the hidden layer's number being `layer`.
    pub fn deviation(&self, width: usize, layer: usize) -> f64 {
        self.coefficient * (layer as f64).powf(self.layer_exponent) * (width as f64).powf(self.width_exponent)
    }
}

/// A law fitted to the layers of one place in every network of a search.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedLaw {
    /// The layers' place.
    pub place: Place,
    /// Whether the exponent of i was fitted too, instead of being the paper's.
    pub free_layer_exponent: bool,
    /// What was fitted.
    pub law: Law,
    /// Root mean square of ln σ − ln law.
    pub residual: f64,
    /// Deviations that it was fitted to.
    pub deviations: usize,
}

/// The paper's Eq. 16 (arXiv:2003.04630, appendix): `σ = (1/√n)·{2.2; 0.58 i; n}`.
pub fn published_law(place: Place) -> Law {
    let (coefficient, width_exponent, layer_exponent) = match place {
        Place::First => (2.2, -0.5, 0.0),
        Place::Hidden => (0.58, -0.5, 1.0),
        Place::Output => (1.0, 0.5, 0.0),
    };
    Law { coefficient, width_exponent, layer_exponent }
}

/// The place of layer `index` of a network, and the number i in Eq. 16.
pub fn place_of(index: usize, hidden_layers: usize) -> (Place, usize) {
    match index {
        0 => (Place::First, 1),
        _ if index == hidden_layers => (Place::Output, 1),
        _ => (Place::Hidden, index),
    }
}

/// The deviations of Eq. 16 for a network of `hidden_layers` layers of `width`, first to output layer.
pub fn published_deviations(width: usize, hidden_layers: usize) -> Vec<f64> {
    let deviation = |index: usize| {
        let (place, layer) = place_of(index, hidden_layers);
        published_law(place).deviation(width, layer)
    };
    (0..=hidden_layers).map(deviation).collect()
}

/// The laws in the form of Eq. 16, then that of the hidden layers with the exponent of i free, by least squares in ln σ.
///
/// A law whose exponents the cells do not determine is left out: for want of two widths, of any hidden layer, or of
/// two numbers i.
pub fn fit_laws(cells: &[Cell]) -> Vec<FittedLaw> {
    let forms = [(Place::First, false), (Place::Hidden, false), (Place::Output, false), (Place::Hidden, true)];
    forms.into_iter().filter_map(|(place, free)| fit_law(cells, place, free)).collect()
}

fn fit_law(cells: &[Cell], wanted: Place, free_layer_exponent: bool) -> Option<FittedLaw> {
    let mut points = Vec::new();
    for cell in cells {
        for (index, &deviation) in cell.deviations.iter().enumerate() {
            let (place, layer) = place_of(index, cell.hidden_layers);
            if place == wanted {
                points.push([(cell.width as f64).ln(), (layer as f64).ln(), deviation.ln()]);
            }
        }
    }
    let varies = |axis: usize| points.iter().any(|point| point[axis] != points[0][axis]);
    if !varies(0) || free_layer_exponent && !varies(1) {
        return None;
    }
    let fixed = if free_layer_exponent { 0.0 } else { published_law(wanted).layer_exponent };
    let columns = if free_layer_exponent { 3 } else { 2 };
    if points.len() < columns {
        return None;
    }
    let design = Mat::from_fn(points.len(), columns, |row, column| match column {
        0 => 1.0,
        column => points[row][column - 1],
    });
    let target = Mat::from_fn(points.len(), 1, |row, _| points[row][2] - fixed * points[row][1]);
    let solution = design.qr().solve_lstsq(&target);
    let misfit = &design * &solution - &target;
    let residual = (misfit.squared_norm_l2() / points.len() as f64).sqrt();
    let law = Law {
        coefficient: solution[(0, 0)].exp(),
        width_exponent: solution[(1, 0)],
        layer_exponent: if free_layer_exponent { solution[(2, 0)] } else { fixed },
    };
    // Widths and numbers that vary together leave the two exponents undetermined.
    let determined = [law.coefficient, law.width_exponent, law.layer_exponent].iter().all(|value| value.is_finite());
    determined.then_some(FittedLaw { place: wanted, free_layer_exponent, law, residual, deviations: points.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::initialisation_search::Divergences;

    /// Cells whose deviations follow `laws` of first, hidden and output layer, times `noise` of (width, layer).
    fn planted(widths: &[usize], depths: &[usize], laws: [Law; 3], noise: impl Fn(usize, usize) -> f64) -> Vec<Cell> {
        let mut cells = Vec::new();
        for &width in widths {
            for &hidden_layers in depths {
                let deviation = |index: usize| {
                    let (place, layer) = place_of(index, hidden_layers);
                    laws[place as usize].deviation(width, layer) * noise(width, index)
                };
                cells.push(Cell {
                    configuration: String::new(),
                    width,
                    hidden_layers,
                    deviations: (0..=hidden_layers).map(deviation).collect(),
                    divergences: Divergences { gradients: Vec::new(), acceleration: 0.0 },
                    published: Divergences { gradients: Vec::new(), acceleration: 0.0 },
                    evaluations: 0,
                    converged: true,
                });
            }
        }
        cells
    }

    fn law(coefficient: f64, width_exponent: f64, layer_exponent: f64) -> Law {
        Law { coefficient, width_exponent, layer_exponent }
    }

    const PLANTED: [Law; 3] = [
        Law { coefficient: 1.7, width_exponent: -0.4, layer_exponent: 0.0 },
        Law { coefficient: 0.3, width_exponent: -0.7, layer_exponent: 0.25 },
        Law { coefficient: 2.5, width_exponent: 0.6, layer_exponent: 0.0 },
    ];

    fn assert_near(found: Law, wanted: Law, tolerance: f64) {
        let pairs = [
            (found.coefficient.ln(), wanted.coefficient.ln()),
            (found.width_exponent, wanted.width_exponent),
            (found.layer_exponent, wanted.layer_exponent),
        ];
        for (found_value, value) in pairs {
            assert!((found_value - value).abs() <= tolerance, "{found:?} is not {wanted:?}");
        }
    }

    #[test]
    fn planted_exponents_are_recovered() {
        let fits = fit_laws(&planted(&[16, 32, 64, 128], &[2, 3, 4], PLANTED, |_, _| 1.0));
        assert_eq!(fits.len(), 4);
        // Twelve rows with entries up to ln 128, well conditioned.
        let rounding = 1e3 * f64::EPSILON;
        assert_near(fits[0].law, PLANTED[0], rounding);
        assert_near(fits[2].law, PLANTED[2], rounding);
        assert_near(fits[3].law, PLANTED[1], rounding);
        assert!(fits[3].residual < rounding && fits[3].free_layer_exponent);
        let counts: Vec<usize> = fits.iter().map(|fit| fit.deviations).collect();
        assert_eq!(counts, [12, 24, 12, 24]);
        // With i to the power 1 the planted i^0.25 is a misfit.
        assert!(fits[1].residual > 0.1 && fits[1].law.layer_exponent == 1.0, "{:?}", fits[1]);
    }

    #[test]
    fn noise_shows_as_the_residual() {
        let noise = |width: usize, index: usize| {
            if (width.ilog2() as usize + index).is_multiple_of(2) { 1.1 } else { 1.0 / 1.1 }
        };
        let fits = fit_laws(&planted(&[8, 16, 32, 64], &[2, 4], PLANTED, noise));
        let first = &fits[0];
        // Alternating signs over four widths: what a line cannot follow is 80 % of the square.
        assert!((first.residual - 0.8_f64.sqrt() * 1.1_f64.ln()).abs() < 1e-12, "{first:?}");
        assert_near(first.law, PLANTED[0], 0.2);
    }

    #[test]
    fn undetermined_laws_are_left_out() {
        let places = |widths: &[usize], depths: &[usize]| {
            let fits = fit_laws(&planted(widths, depths, PLANTED, |_, _| 1.0));
            fits.iter().map(|fit| (fit.place, fit.free_layer_exponent)).collect::<Vec<_>>()
        };
        assert_eq!(places(&[16], &[2, 3]), []);
        assert_eq!(places(&[16, 32], &[1]), [(Place::First, false), (Place::Output, false)]);
        assert_eq!(places(&[16, 32], &[2]), [(Place::First, false), (Place::Hidden, false), (Place::Output, false)]);
        assert_eq!(fit_laws(&[]), []);
    }

    #[test]
    fn equation_16_is_that_of_the_initialisation() {
        let found = published_deviations(100, 3);
        for (found, wanted) in found.iter().zip([0.22, 0.058, 0.116, 10.0]) {
            // A square root and two products.
            assert!((found - wanted).abs() <= 4.0 * f64::EPSILON * wanted, "{found} is not {wanted}");
        }
        assert_eq!(found.len(), 4);
        assert_near(published_law(Place::Output), law(1.0, 0.5, 0.0), 0.0);
    }
}
