//! For which networks a choice of tiles is good.

use std::fmt;

use lnn_autodiff::MlpShape;

/// Networks and batches that have the same best tiles, near enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShapeClass {
    /// Directions of the jets, d + 1 for a Lagrangian of d coordinates.
    pub tangents: usize,
    /// The widest layer, rounded up to a multiple of 64.
    pub width: usize,
    /// Rows of all models, rounded up to a power of two.
    pub rows: usize,
}

impl ShapeClass {
    /// The class of a network's jets in so many directions, for so many rows of all models together.
    pub fn of(shape: &MlpShape, tangents: usize, rows: usize) -> Self {
        Self { tangents, width: shape.widest().next_multiple_of(64), rows: rows.next_power_of_two() }
    }
}

impl fmt::Display for ShapeClass {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tangents, width, rows } = self;
        write!(formatter, "{tangents} directions, up to {width} wide, {} to {rows} rows", rows / 2 + 1)
    }
}

#[cfg(test)]
mod tests {
    use lnn_autodiff::Activation;

    use super::*;

    #[test]
    fn a_class_has_the_networks_and_batches_near_one_another() {
        let class = |dimensions: &[usize], rows| {
            let shape = MlpShape::new(dimensions, Activation::Softplus).expect("sizes above zero");
            ShapeClass::of(&shape, 3, rows)
        };
        let large = class(&[6, 500, 500, 1], 4096);
        assert_eq!(large, ShapeClass { tangents: 3, width: 512, rows: 4096 });
        assert_eq!(large, class(&[6, 450, 1], 2049));
        assert_ne!(large, class(&[6, 500, 500, 1], 2048));
        assert_ne!(large, class(&[6, 513, 1], 4096));
        assert_eq!(class(&[6, 7, 1], 1), ShapeClass { tangents: 3, width: 64, rows: 1 });
        assert_eq!(large.to_string(), "3 directions, up to 512 wide, 2049 to 4096 rows");
    }
}
