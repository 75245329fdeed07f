//! A figure of heat maps as data: rows of maps with common scales, without a word on how they are drawn.

use super::axis::Axis;
use super::colour_map::ColourMap;
use super::number::{power_of_ten, significant};
use super::palette::Colour;
use super::picture::Picture;
use super::raster::RasterError;

/// One figure of heat maps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeatFigure {
    /// File stem under `figures/`.
    pub(crate) name: String,
    /// What the figure shows, in words.
    pub(crate) title: String,
    /// What to look for, for the page.
    pub(crate) caption: String,
    /// The scales of the maps.
    pub(crate) keys: Vec<ColourKey>,
    /// Rows from top to bottom on wide screens and in files.
    pub(crate) wide: Vec<HeatRow>,
    /// The same for narrow screens.
    pub(crate) narrow: Vec<HeatRow>,
    /// The horizontal quantity.
    pub(crate) x_label: String,
    /// The vertical quantity.
    pub(crate) y_label: String,
    /// Height of every map over its width; without it maps are of a fixed height.
    pub(crate) aspect: Option<f64>,
}

/// A row of a [`HeatFigure`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeatRow {
    /// What all its maps show; may be empty.
    pub(crate) title: String,
    /// From left to right.
    pub(crate) cells: Vec<HeatCell>,
}

/// A place in a row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HeatCell {
    /// A map.
    Map(Box<HeatMap>),
    /// The colour bars.
    Keys,
}

/// One map on axes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeatMap {
    /// What it shows.
    pub(crate) title: String,
    /// Its colours, which fill both axes.
    pub(crate) picture: Picture,
    /// Horizontal axis.
    pub(crate) x: Axis,
    /// Vertical axis.
    pub(crate) y: Axis,
}

/// A colour bar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ColourKey {
    /// The quantity.
    pub(crate) title: String,
    /// Its colours.
    pub(crate) picture: Picture,
    /// Marks: place from −1 to 1 and text, the most important first.
    pub(crate) ticks: Vec<(f64, String)>,
}

impl ColourKey {
    /// The bar of a scale in the colours of a map.
    ///
    /// # Errors
    /// [`RasterError`].
    pub(crate) fn new(title: String, map: ColourMap, scale: HeatScale) -> Result<Self, RasterError> {
        let colours: Vec<Colour> = map.steps().collect();
        let picture = Picture::new(colours.len() as u32, 1, colours.into_iter())?;
        Ok(Self { title, picture, ticks: scale.ticks() })
    }
}

/// Which colour a value has: a scale that is the same on both sides of 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum HeatScale {
    /// In proportion to the value, up to ± the largest.
    Linear {
        /// The value at the ends, above 0.
        most: f64,
    },
    /// By the logarithm on both sides, in proportion near 0: log(1 + |x|/near) over its value at the ends.
    Logarithmic {
        /// Where proportion ends and the logarithm begins, above 0.
        near: f64,
        /// The value at the ends, above `near`.
        most: f64,
    },
}

impl HeatScale {
    /// A linear scale up to ±`most`; up to ±1 if that is not positive.
    pub(crate) fn linear(most: f64) -> Self {
        Self::Linear { most: if most.is_finite() && most > 0.0 { most } else { 1.0 } }
    }

    /// A logarithmic scale for curves whose largest magnitudes are `sizes`: every one of them is seen, the largest in
    /// full colour, and at most four decades.
    pub(crate) fn logarithmic(sizes: impl IntoIterator<Item = f64>) -> Self {
        let sizes = sizes.into_iter().filter(|size| size.is_finite() && *size > 0.0);
        let (low, most) = sizes.fold((f64::INFINITY, 0f64), |(low, high), size| (low.min(size), high.max(size)));
        let most = if most > 0.0 { most } else { 1.0 };
        Self::Logarithmic { near: (0.1 * low).clamp(1e-4 * most, 0.1 * most), most }
    }

    /// The value at the ends.
    pub(crate) fn most(self) -> f64 {
        match self {
            Self::Linear { most } | Self::Logarithmic { most, .. } => most,
        }
    }

    /// Place of `value` in the map, −1 to 1 and beyond; NaN for NaN.
    pub(crate) fn position(self, value: f64) -> f64 {
        match self {
            Self::Linear { most } => value / most,
            Self::Logarithmic { near, most } => ((value.abs() / near).ln_1p() / (most / near).ln_1p()).copysign(value),
        }
    }

    /// Marks for a colour bar: 0 and round values, the same on both sides.
    pub(crate) fn ticks(self) -> Vec<(f64, String)> {
        let values: Vec<f64> = match self {
            Self::Linear { most } => {
                let axis = Axis::linear_range(-most, most, 4);
                return axis.ticks().iter().map(|value| (self.position(*value), axis.label(*value))).collect();
            }
            Self::Logarithmic { near, most } => {
                let last = (most.log10() + 1e-9).floor() as i32;
                let first = near.log10().ceil() as i32;
                (first..=last).map(|exponent| 10f64.powi(exponent)).collect()
            }
        };
        let mut ticks = vec![(0.0, "0".to_owned())];
        if values.is_empty()
            && let Self::Logarithmic { most, .. } = self
        {
            let text = significant(most, 1);
            ticks.extend([(-1.0, format!("−{text}")), (1.0, text)]);
        }
        // From the ends to the middle: a drawing that has no room for all leaves out the inner ones.
        for value in values.into_iter().rev() {
            let text = power_of_ten(value.log10().round() as i32);
            ticks.extend([(-self.position(value), format!("−{text}")), (self.position(value), text)]);
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_odd_and_reach_their_ends() {
        for scale in [HeatScale::linear(0.5), HeatScale::logarithmic([1e-3, 0.2])] {
            assert!((scale.position(scale.most()) - 1.0).abs() < 1e-15);
            for value in [0.0, 1e-5, 0.01, 0.3] {
                assert_eq!(scale.position(-value), -scale.position(value));
            }
            assert!(scale.position(f64::NAN).is_nan());
            assert!(scale.position(f64::NEG_INFINITY) < -1.0);
            let ticks = scale.ticks();
            assert!(ticks.iter().any(|(place, text)| *place == 0.0 && text.starts_with('0')), "{ticks:?}");
            assert_eq!(
                ticks.iter().filter(|tick| tick.0 < 0.0).count(),
                ticks.iter().filter(|tick| tick.0 > 0.0).count()
            );
        }
    }

    #[test]
    fn the_smaller_of_two_curves_is_seen_on_the_logarithmic_scale() {
        let scale = HeatScale::logarithmic([1e-3, 0.1]);
        let place = scale.position(1e-3);
        // log 11 / log 1001.
        assert!((place - 11f64.ln() / 1001f64.ln()).abs() < 1e-12, "{place}");
        let texts: Vec<String> = scale.ticks().into_iter().map(|tick| tick.1).collect();
        assert_eq!(texts, ["0", "−0.1", "0.1", "−0.01", "0.01", "−0.001", "0.001", "−0.0001", "0.0001"]);
    }

    #[test]
    fn no_values_give_a_usable_scale() {
        for sizes in [vec![], vec![0.0], vec![f64::NAN, f64::INFINITY], vec![3.0], vec![1e-300, 1e300]] {
            let scale = HeatScale::logarithmic(sizes);
            assert!(scale.position(1e-3).is_finite() && scale.position(0.0) == 0.0);
            assert!(scale.ticks().len() >= 3 && scale.ticks().len() < 14, "{:?}", scale.ticks());
        }
        assert_eq!(HeatScale::linear(f64::NAN), HeatScale::Linear { most: 1.0 });
    }
}
