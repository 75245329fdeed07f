//! Diverging colour maps for heat maps, with 0 in the middle.
//!
//! Both halves of a map are straight lines in Oklab (B. Ottosson, *A perceptual color space for image processing*,
//! 2020) from the same white to two colours of equal lightness and chroma. Equal steps of the value are therefore equal
//! steps of colour, and both signs fade alike. The hues are chosen so that the two signs stay apart in the three common
//! kinds of colour blindness.

use super::palette::Colour;

/// Steps of a map from one end to the other; odd, so that the middle is one.
const STEPS: usize = 255;
/// Lightness of the middle.
const WHITE: f64 = 0.97;
/// The colour of places without a value.
pub(crate) const MISSING: Colour = Colour(0xB4, 0xB4, 0xB4);

/// A diverging map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColourMap {
    /// Blue below 0, red above: for a field.
    Field,
    /// Purple below 0, green above: for an error.
    Error,
}

impl ColourMap {
    /// The colour at `position`, −1 to 1; positions beyond are those of the ends, NaN is [`MISSING`].
    pub(crate) fn colour(self, position: f64) -> Colour {
        if position.is_nan() {
            return MISSING;
        }
        // As many steps as a byte tells apart: pictures of few colours compress well.
        let half = (STEPS / 2) as f64;
        let linear = self.linear((position.clamp(-1.0, 1.0) * half).round() / half);
        let [red, green, blue] = linear.map(encode);
        Colour(red, green, blue)
    }

    /// All colours from the lowest to the highest.
    pub(crate) fn steps(self) -> impl Iterator<Item = Colour> {
        let half = (STEPS / 2) as f64;
        (0..STEPS).map(move |step| self.colour(step as f64 / half - 1.0))
    }

    /// Linear sRGB at a position from −1 to 1, not cut to the gamut.
    fn linear(self, position: f64) -> [f64; 3] {
        let (lightness, chroma, below, above) = match self {
            Self::Field => (0.40, 0.135, 256f64, 35f64),
            Self::Error => (0.42, 0.115, 310.0, 140.0),
        };
        let size = position.abs();
        let hue = if position < 0.0 { below } else { above }.to_radians();
        let chroma = chroma * size;
        oklab_to_linear([WHITE + (lightness - WHITE) * size, chroma * hue.cos(), chroma * hue.sin()])
    }
}

/// Linear sRGB of an Oklab colour (Ottosson, 2020).
fn oklab_to_linear([lightness, a, b]: [f64; 3]) -> [f64; 3] {
    let long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ]
}

/// A channel of sRGB from its linear value (IEC 61966-2-1).
fn encode(linear: f64) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let value = if linear <= 0.003_130_8 { 12.92 * linear } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (255.0 * value).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: [ColourMap; 2] = [ColourMap::Field, ColourMap::Error];

    /// The inverse of [`oklab_to_linear`], with the matrices of the same source.
    fn linear_to_oklab([r, g, b]: [f64; 3]) -> [f64; 3] {
        let long = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let medium = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let short = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        [
            0.210_454_255_3 * long + 0.793_617_785_0 * medium - 0.004_072_046_8 * short,
            1.977_998_495_1 * long - 2.428_592_205_0 * medium + 0.450_593_709_9 * short,
            0.025_904_037_1 * long + 0.782_771_766_2 * medium - 0.808_675_766_0 * short,
        ]
    }

    fn decode(Colour(r, g, b): Colour) -> [f64; 3] {
        [r, g, b].map(|channel| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn the_whole_map_is_inside_the_gamut() {
        for map in MAPS {
            for step in -100..=100 {
                let linear = map.linear(f64::from(step) / 100.0);
                // Half a step of a byte near black is 1.5e-4.
                assert!(linear.iter().all(|x| (-1.5e-4..=1.0).contains(x)), "{map:?} {step}: {linear:?}");
            }
        }
    }

    #[test]
    fn equal_steps_of_the_value_are_equal_steps_of_colour_and_both_signs_fade_alike() {
        for map in MAPS {
            let at = |position: f64| linear_to_oklab(decode(map.colour(position)));
            let step = distance(at(-1.0), at(0.0)) / 8.0;
            for k in -8..8 {
                let found = distance(at(f64::from(k) / 8.0), at(f64::from(k + 1) / 8.0));
                // Bytes: three channels rounded by ½ of 255 at both ends, at most 1.2 of Oklab a unit.
                assert!(
                    (found - step).abs() < 2.0 * 1.2 * 3f64.sqrt() * 0.5 / 255.0,
                    "{map:?} {k}: {found} and {step}"
                );
                assert!((at(f64::from(k) / 8.0)[0] - at(f64::from(-k) / 8.0)[0]).abs() < 0.01, "{map:?} {k}");
            }
        }
    }

    #[test]
    fn the_signs_stay_apart_for_colour_blind_readers() {
        // G. M. Machado et al., A physiologically-based model for simulation of color vision deficiency, 2009: severity 1.
        let deficiencies = [
            [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
            [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
            [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
        ];
        for (map, least) in [(ColourMap::Field, 0.2), (ColourMap::Error, 0.1)] {
            for matrix in deficiencies {
                let seen = |position: f64| {
                    let linear = decode(map.colour(position));
                    let dot = |row: [f64; 3]| row.iter().zip(linear).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0);
                    linear_to_oklab(matrix.map(dot))
                };
                for position in [0.5, 1.0] {
                    let apart = distance(seen(-position), seen(position));
                    assert!(apart > least * position, "{map:?} at ±{position}: {apart}");
                }
            }
        }
    }

    #[test]
    fn positions_beyond_are_the_ends_and_no_value_has_its_own_colour() {
        for map in MAPS {
            assert_eq!(map.colour(7.0), map.colour(1.0));
            assert_eq!(map.colour(f64::NEG_INFINITY), map.colour(-1.0));
            assert_eq!(map.colour(f64::NAN), MISSING);
            let steps: Vec<Colour> = map.steps().collect();
            assert_eq!((steps.len(), steps[0], steps[STEPS - 1]), (STEPS, map.colour(-1.0), map.colour(1.0)));
            assert_eq!(steps[STEPS / 2], map.colour(0.0));
            assert!(!steps.contains(&MISSING));
        }
    }
}
