//! How a field, its rates and attributes enter the networks.

use lnn_autodiff::features::{Feature, FeatureMap};

use crate::error::DensityError;

/// How the value of a field component enters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FieldValue {
    /// `φ / scale`.
    Plain {
        /// Divisor, in the field's unit.
        scale: f64,
    },
    /// `(sin φ, cos φ)`, for a field where φ and φ + 2π are the same.
    Circular,
}

/// How one component of the field enters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ComponentFeatures {
    /// The value φ.
    pub value: FieldValue,
    /// Divisor of the rate φ̇, in its unit.
    pub rate_scale: f64,
}

/// How the field's components and the attributes of sites and edges enter.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldFeatures {
    /// One entry for each component.
    pub components: Vec<ComponentFeatures>,
    /// Divisors of the attributes of a site.
    pub site_attribute_scales: Vec<f64>,
    /// Divisors of the attributes of an edge; only [`Neighbourhood::Pairs`](crate::Neighbourhood::Pairs) sees them.
    pub edge_attribute_scales: Vec<f64>,
}

impl FieldFeatures {
    /// One component, value and rate as they are, no attributes.
    pub fn scalar() -> Self {
        let component = ComponentFeatures { value: FieldValue::Plain { scale: 1.0 }, rate_scale: 1.0 };
        Self { components: vec![component], site_attribute_scales: Vec::new(), edge_attribute_scales: Vec::new() }
    }

    /// The network inputs for `width` sites, of which pairs see an edge too.
    pub(crate) fn map(&self, width: usize) -> Result<FeatureMap, DensityError> {
        let c = self.components.len();
        if c == 0 {
            return Err(DensityError::NoComponent);
        }
        let places = || (0..width * c).map(|index| (index, self.components[index % c]));
        let circular = || places().filter(|(_, component)| component.value == FieldValue::Circular);
        let mut features: Vec<Feature> = circular().map(|(index, _)| Feature::Sine { index }).collect();
        features.extend(circular().map(|(index, _)| Feature::Cosine { index }));
        features.extend(places().filter_map(|(index, component)| match component.value {
            FieldValue::Plain { scale } => Some(Feature::Position { index, scale, centre: 0.0 }),
            FieldValue::Circular => None,
        }));
        features.extend(places().map(|(index, component)| Feature::Velocity { index, scale: component.rate_scale }));
        let attributes = self.attribute_scales(width);
        features.extend(attributes.enumerate().map(|(index, scale)| Feature::Conditional {
            index,
            scale,
            centre: 0.0,
        }));
        Ok(FeatureMap::new(width * c, self.attribute_scales(width).count(), features)?)
    }

    /// Scales of the attributes that a network of `width` sites sees.
    fn attribute_scales(&self, width: usize) -> impl Iterator<Item = f64> {
        let edge = if width == 2 { &self.edge_attribute_scales[..] } else { &[] };
        self.site_attribute_scales.iter().chain(edge).copied()
    }
}
