//! Small pictures inside an SVG or a page, so that a heat map is not a hundred thousand rectangles.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, PremultipliedColorU8};

use super::palette::Colour;
use super::raster::RasterError;

/// A picture of square pixels as a data address.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    columns: u32,
    rows: u32,
    address: Arc<str>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Picture({} × {})", self.columns, self.rows)
    }
}

impl Picture {
    /// Paints `colours`, row by row from the top left.
    ///
    /// # Errors
    /// [`RasterError::Size`] without pixels or with too many, [`RasterError::Encode`].
    ///
    /// # Panics
    /// If there are not `columns` colours for each of `rows` rows.
    pub(crate) fn new(
        columns: u32,
        rows: u32,
        colours: impl ExactSizeIterator<Item = Colour>,
    ) -> Result<Self, RasterError> {
        let mut pixels = Pixmap::new(columns, rows).ok_or(RasterError::Size { width: columns, height: rows })?;
        assert_eq!(colours.len(), pixels.pixels().len(), "one colour for each pixel");
        for (pixel, colour) in pixels.pixels_mut().iter_mut().zip(colours) {
            *pixel = PremultipliedColorU8::from_rgba(colour.0, colour.1, colour.2, u8::MAX)
                .expect("no channel of an opaque colour is above its opacity");
        }
        let png = pixels.encode_png().map_err(|error| RasterError::Encode(error.to_string()))?;
        Ok(Self { columns, rows, address: format!("data:image/png;base64,{}", base64(&png)).into() })
    }

    /// The SVG element that fills a rectangle with the picture.
    pub(crate) fn element(&self, x: i32, y: i32, width: u32, height: u32) -> String {
        // Large pixels stay what they are; small ones are smoothed, or a browser leaves some out.
        let large = width >= 24 * self.columns && height >= 24 * self.rows;
        let rendering = if large { "optimizeSpeed" } else { "optimizeQuality" };
        format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             image-rendering=\"{rendering}\" href=\"{}\"/>\n",
            self.address
        )
    }
}

/// Writes bytes as Base64 with padding (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(4 * bytes.len().div_ceil(3));
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().enumerate().fold(0u32, |word, (place, byte)| word | u32::from(*byte) << (16 - 8 * place));
        for place in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("fooba", "Zm9vYmE=")];
        for (text, expected) in vectors {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[0xFB, 0xFF, 0xBF]), "+/+/");
    }

    /// The inverse of [`base64`].
    pub(crate) fn decoded(text: &str) -> Vec<u8> {
        let value = |c: u8| match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(value).collect();
        let bits = |digits: &[u8]| digits.iter().fold(0u32, |word, digit| word << 6 | u32::from(*digit));
        let mut bytes = Vec::new();
        for chunk in digits.chunks(4) {
            let word = bits(chunk) << (6 * (4 - chunk.len()));
            bytes.extend_from_slice(&word.to_be_bytes()[1..chunk.len()]);
        }
        bytes
    }

    #[test]
    fn pixels_arrive_where_they_were_put() {
        let colours =
            [Colour(1, 2, 3), Colour(255, 0, 9), Colour(0, 0, 0), Colour(7, 7, 7), Colour(8, 8, 8), Colour(9, 9, 9)];
        let picture = Picture::new(3, 2, colours.into_iter()).expect("a small picture");
        let element = picture.element(4, 5, 60, 40);
        let from = element.find("base64,").expect("the data") + 7;
        let png = decoded(&element[from..element.len() - 4]);
        let pixels = Pixmap::decode_png(&png).expect("a PNG");
        assert_eq!((pixels.width(), pixels.height()), (3, 2));
        for (pixel, colour) in pixels.pixels().iter().zip(colours) {
            assert_eq!((pixel.red(), pixel.green(), pixel.blue()), (colour.0, colour.1, colour.2));
        }
        assert!(element.contains("x=\"4\" y=\"5\" width=\"60\" height=\"40\""));
        assert!(matches!(Picture::new(0, 2, [].into_iter()), Err(RasterError::Size { width: 0, height: 2 })));
    }
}
