//! SVG to PNG with an embedded font, so that the machine needs none.

use std::sync::Arc;

use resvg::tiny_skia::{FilterQuality, Pixmap, PixmapPaint, Transform};
use resvg::usvg::fontdb::{Database, Source};
use resvg::usvg::{Error as SvgError, Group, ImageKind, ImageRendering, Node, Options, Tree};
use thiserror::Error;

/// Pixels of the PNG files a pixel of the figure: sharp on dense screens and in print.
pub(crate) const SCALE: u32 = 2;

/// Why a figure has no PNG.
#[derive(Debug, Error)]
pub enum RasterError {
    /// The document is not valid SVG.
    #[error("the figure's SVG cannot be read: {0}")]
    Svg(#[from] SvgError),
    /// The picture has no pixel or too many.
    #[error("a picture of {width} × {height} pixels cannot be allocated; both must be positive and moderate")]
    Size {
        /// Width asked for, in pixels.
        width: u32,
        /// Height asked for, in pixels.
        height: u32,
    },
    /// The compressed picture could not be written.
    #[error("the figure cannot be encoded as PNG: {0}")]
    Encode(String),
    /// A picture inside the document is not what it says.
    #[error("a picture inside the figure cannot be read as PNG: {0}")]
    Decode(String),
}

/// Rasterises figures; it reads the font once.
pub(crate) struct Rasteriser {
    options: Options<'static>,
}

impl Rasteriser {
    /// Prepares the embedded regular and bold font.
    pub(crate) fn new() -> Self {
        let mut fonts = Database::new();
        for data in [dejavu::sans::regular(), dejavu::sans::bold()] {
            fonts.load_font_source(Source::Binary(Arc::new(data)));
        }
        Self {
            options: Options { font_family: "DejaVu Sans".to_owned(), fontdb: Arc::new(fonts), ..Options::default() },
        }
    }

    /// Renders an SVG document on white at [`SCALE`] times its size, as the bytes of a PNG file.
    pub(crate) fn png(&self, svg: &str) -> Result<Vec<u8>, RasterError> {
        let tree = Tree::from_str(svg, &self.options)?;
        let size = tree.size();
        let pixels = |length: f32| (length * SCALE as f32).round() as u32;
        let (width, height) = (pixels(size.width()), pixels(size.height()));
        let mut picture = Pixmap::new(width, height).ok_or(RasterError::Size { width, height })?;
        picture.fill(resvg::tiny_skia::Color::WHITE);
        let scale = Transform::from_scale(SCALE as f32, SCALE as f32);
        resvg::render(&tree, scale, &mut picture.as_mut());
        draw_pictures(tree.root(), scale, &mut picture)?;
        picture.encode_png().map_err(|error| RasterError::Encode(error.to_string()))
    }
}

/// Draws the PNG pictures of a group, which resvg does only together with decoders of formats that never occur here.
fn draw_pictures(group: &Group, scale: Transform, onto: &mut Pixmap) -> Result<(), RasterError> {
    for node in group.children() {
        match node {
            Node::Group(inner) => draw_pictures(inner, scale, onto)?,
            Node::Image(image) => {
                let ImageKind::PNG(data) = image.kind() else { continue };
                let pixels = Pixmap::decode_png(data).map_err(|error| RasterError::Decode(error.to_string()))?;
                let quality = match image.rendering_mode() {
                    ImageRendering::OptimizeSpeed => FilterQuality::Nearest,
                    _ => FilterQuality::Bilinear,
                };
                let paint = PixmapPaint { quality, ..PixmapPaint::default() };
                let transform = scale.pre_concat(image.abs_transform());
                onto.draw_pixmap(0, 0, pixels.as_ref(), &paint, transform, None);
            }
            Node::Path(_) | Node::Text(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::palette::Colour;
    use crate::report::picture::Picture;

    fn dark_pixels(png: &[u8]) -> usize {
        let picture = Pixmap::decode_png(png).expect("the encoder writes what the decoder reads");
        picture.pixels().iter().filter(|pixel| pixel.red() < 128).count()
    }

    #[test]
    fn text_is_drawn_with_the_embedded_font() {
        let document = |text: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"60\" height=\"30\">\
                 <text x=\"5\" y=\"20\" font-family=\"DejaVu Sans\" font-size=\"16\">{text}</text></svg>"
            )
        };
        let rasteriser = Rasteriser::new();
        let blank = rasteriser.png(&document("")).expect("valid SVG");
        let symbols = rasteriser.png(&document("θ₁ π ²")).expect("valid SVG");
        assert_eq!(dark_pixels(&blank), 0);
        assert!(dark_pixels(&symbols) > 100, "{}", dark_pixels(&symbols));
    }

    #[test]
    fn pictures_fill_their_rectangle() {
        let colours = [Colour(200, 0, 0), Colour(0, 0, 200)];
        let image = Picture::new(2, 1, colours.into_iter()).expect("a small picture").element(10, 5, 60, 30);
        let document = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"50\" height=\"20\" viewBox=\"0 0 100 40\">{image}</svg>"
        );
        let png = Rasteriser::new().png(&document).expect("valid SVG");
        let pixels = Pixmap::decode_png(&png).expect("a PNG");
        // A unit of the document is a pixel here: half of its scale of two.
        let at = |x: u32, y: u32| pixels.pixel(x, y).map(|pixel| (pixel.red(), pixel.green(), pixel.blue()));
        for (x, y, expected) in
            [(12, 20, (200, 0, 0)), (68, 20, (0, 0, 200)), (8, 20, (255, 255, 255)), (12, 37, (255, 255, 255))]
        {
            assert_eq!(at(x, y), Some(expected), "at {x}, {y}");
        }
    }

    #[test]
    fn a_broken_document_is_an_error() {
        let error = Rasteriser::new().png("<svg").expect_err("unclosed");
        assert!(matches!(error, RasterError::Svg(_)));
    }
}
