//! A network's parameters on a device.

use lnn_autodiff::MlpShape;

use super::stride;
use crate::device::{Buffer, Device, DeviceError};

/// Where the parameters of a network are on a device: per layer its weight `[out, stride(in)]`, then its bias
/// `[stride(out)]`, with zeros as padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterLayout {
    shape: MlpShape,
    /// Of each layer: where its weight and its bias start.
    starts: Vec<[usize; 2]>,
    length: usize,
}

impl ParameterLayout {
    /// The layout of a network's parameters.
    pub fn new(shape: &MlpShape) -> Self {
        let mut length = 0;
        let starts = shape.layers().iter().map(|layer| {
            let weight = length;
            let bias = weight + layer.outputs * stride(layer.inputs);
            length = bias + stride(layer.outputs);
            [weight, bias]
        });
        Self { starts: starts.collect(), length, shape: shape.clone() }
    }

    /// The network's shape.
    pub fn shape(&self) -> &MlpShape {
        &self.shape
    }

    /// How many numbers there are with padding.
    pub fn padded_len(&self) -> usize {
        self.length
    }

    /// Where a layer's weight starts.
    pub(crate) fn weight(&self, layer: usize) -> usize {
        self.starts[layer][0]
    }

    /// Where a layer's bias starts.
    pub(crate) fn bias(&self, layer: usize) -> usize {
        self.starts[layer][1]
    }

    /// The padded vector of a flat one, which is laid out as [`MlpShape`] says.
    ///
    /// # Panics
    /// If the length is another.
    pub fn pack(&self, flat: &[f32]) -> Vec<f32> {
        assert_eq!(flat.len(), self.shape.parameter_count(), "parameters");
        let mut padded = vec![0.0; self.length];
        for (range, [weight, bias]) in self.shape.layers().iter().zip(&self.starts) {
            let rows = padded[*weight..*bias].chunks_exact_mut(stride(range.inputs));
            for (padded, row) in rows.zip(flat[range.weight.clone()].chunks_exact(range.inputs)) {
                padded[..range.inputs].copy_from_slice(row);
            }
            padded[*bias..bias + range.outputs].copy_from_slice(&flat[range.bias.clone()]);
        }
        padded
    }

    /// The flat vector of a padded one.
    ///
    /// # Panics
    /// If the length is another.
    pub fn unpack(&self, padded: &[f32]) -> Vec<f32> {
        assert_eq!(padded.len(), self.length, "padded parameters");
        let mut flat = Vec::with_capacity(self.shape.parameter_count());
        for (range, [weight, bias]) in self.shape.layers().iter().zip(&self.starts) {
            for row in padded[*weight..*bias].chunks_exact(stride(range.inputs)) {
                flat.extend_from_slice(&row[..range.inputs]);
            }
            flat.extend_from_slice(&padded[*bias..bias + range.outputs]);
        }
        flat
    }
}

/// The parameters of a network, or of several of one shape, on a device, which any number of plans may read.
#[derive(Clone, Debug)]
pub struct MlpParameters {
    layout: ParameterLayout,
    buffer: Buffer<f32>,
}

impl MlpParameters {
    /// Room for a network's parameters, zero at first.
    ///
    /// # Errors
    /// They do not fit.
    pub fn new(device: &Device, shape: &MlpShape) -> Result<Self, DeviceError> {
        let layout = ParameterLayout::new(shape);
        let buffer = device.buffer("parameters", layout.padded_len())?;
        Ok(Self { layout, buffer })
    }

    /// Those in this buffer, as many as there are whole networks of them.
    pub(crate) fn of_buffer(layout: ParameterLayout, buffer: Buffer<f32>) -> Self {
        Self { layout, buffer }
    }

    /// How many networks.
    pub fn models(&self) -> usize {
        self.buffer.len() / self.layout.padded_len()
    }

    /// Where those of a network are.
    pub fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    /// The padded vectors, one after the other.
    pub fn buffer(&self) -> &Buffer<f32> {
        &self.buffer
    }

    /// Replaces them by flat vectors, one after the other.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If the length is another.
    pub fn upload(&self, device: &Device, flat: &[f32]) -> Result<(), DeviceError> {
        let (one, all) = (self.layout.shape.parameter_count(), self.models());
        assert_eq!(flat.len(), all * one, "parameters of {all} networks");
        let padded: Vec<f32> = flat.chunks_exact(one).flat_map(|flat| self.layout.pack(flat)).collect();
        device.upload(&self.buffer, 0, &padded)
    }
}

#[cfg(test)]
mod tests {
    use lnn_autodiff::Activation;

    use super::*;

    #[test]
    fn packing_pads_with_zeros_and_unpacking_undoes_it() {
        let shape = MlpShape::new(&[3, 5, 4, 1], Activation::Tanh).unwrap();
        let layout = ParameterLayout::new(&shape);
        let flat: Vec<f32> = (1..=shape.parameter_count()).map(|i| i as f32).collect();
        let padded = layout.pack(&flat);
        assert_eq!(padded.len(), (5 * 4 + 8) + (4 * 8 + 4) + (4 + 4));
        assert_eq!(padded[..8], [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0]);
        assert_eq!(padded[20..28], [16.0, 17.0, 18.0, 19.0, 20.0, 0.0, 0.0, 0.0]);
        assert_eq!(layout.unpack(&padded), flat);
        assert_eq!(padded.iter().filter(|&&x| x == 0.0).count(), padded.len() - flat.len());
    }
}
