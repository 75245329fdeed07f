//! The parameters of models of one or several networks, in one buffer.

use lnn_autodiff::MlpShape;

use super::{MlpParameters, ParameterLayout};
use crate::device::{Buffer, Device, DeviceError, PART_BYTES};

/// The parameters of models that have the same networks: flat for the host those of one network after the other, on the
/// device each network's padded and from a place on at which a binding may begin.
#[derive(Clone, Debug)]
pub(crate) struct ModelParameters {
    networks: Vec<MlpParameters>,
    /// Where each network's are in a model's.
    starts: Vec<usize>,
    /// Numbers of one model.
    stride: usize,
    buffer: Buffer<f32>,
}

impl ModelParameters {
    /// Room for the parameters of `models` models with networks of these shapes, zero at first.
    ///
    /// # Errors
    /// They do not fit.
    ///
    /// # Panics
    /// If there are no models or no networks, or several of both.
    pub(crate) fn new(device: &Device, shapes: &[&MlpShape], models: usize) -> Result<Self, DeviceError> {
        assert!(models > 0 && !shapes.is_empty(), "parameters of {models} models of {} networks", shapes.len());
        assert!(models == 1 || shapes.len() == 1, "several models of several networks");
        let layouts: Vec<_> = shapes.iter().map(|shape| ParameterLayout::new(shape)).collect();
        let mut starts = Vec::new();
        let mut stride = 0_usize;
        for layout in &layouts {
            let start = stride.next_multiple_of(PART_BYTES / size_of::<f32>());
            starts.push(start);
            stride = start + layout.padded_len();
        }
        let buffer = device.buffer("parameters", models * stride)?;
        let part = |(layout, &start): (ParameterLayout, &usize)| {
            let length = models * layout.padded_len();
            MlpParameters::of_buffer(layout, buffer.part(start..start + length))
        };
        let networks = layouts.into_iter().zip(&starts).map(part).collect();
        Ok(Self { networks, starts, stride, buffer })
    }

    /// How many models.
    pub(crate) fn models(&self) -> usize {
        self.buffer.len() / self.stride
    }

    /// The parameters of each network: of all models for the only one.
    pub(crate) fn networks(&self) -> &[MlpParameters] {
        &self.networks
    }

    /// Those of all networks of all models.
    pub(crate) fn buffer(&self) -> &Buffer<f32> {
        &self.buffer
    }

    /// A network's part of another buffer of the same lengths.
    pub(crate) fn part(&self, buffer: &Buffer<f32>, network: usize) -> Buffer<f32> {
        let start = self.starts[network];
        buffer.part(start..start + self.networks[network].buffer().len())
    }

    /// Where each network's parameters are in a model's.
    pub(crate) fn starts(&self) -> &[usize] {
        &self.starts
    }

    /// Numbers of one model with padding.
    pub(crate) fn padded_len(&self) -> usize {
        self.stride
    }

    /// Numbers of one model without padding.
    fn flat_len(&self) -> usize {
        self.networks.iter().map(|network| network.layout().shape().parameter_count()).sum()
    }

    /// The padded vector of a model's flat one.
    ///
    /// # Panics
    /// If the length is another.
    pub(crate) fn pack(&self, flat: &[f32]) -> Vec<f32> {
        assert_eq!(flat.len(), self.flat_len(), "parameters of a model");
        let mut padded = vec![0.0; self.stride];
        let mut rest = flat;
        for (network, &start) in self.networks.iter().zip(&self.starts) {
            let layout = network.layout();
            let (own, others) = rest.split_at(layout.shape().parameter_count());
            padded[start..start + layout.padded_len()].copy_from_slice(&layout.pack(own));
            rest = others;
        }
        padded
    }

    /// The flat vector of a model's padded one.
    ///
    /// # Panics
    /// If the length is another.
    pub(crate) fn unpack(&self, padded: &[f32]) -> Vec<f32> {
        assert_eq!(padded.len(), self.stride, "padded parameters of a model");
        let own = |(network, &start): (&MlpParameters, &usize)| {
            let layout = network.layout();
            layout.unpack(&padded[start..start + layout.padded_len()])
        };
        self.networks.iter().zip(&self.starts).flat_map(own).collect()
    }

    /// Replaces them by flat vectors, a model after the other.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If the length is another.
    pub(crate) fn upload(&self, device: &Device, flat: &[f32]) -> Result<(), DeviceError> {
        let (one, models) = (self.flat_len(), self.models());
        assert_eq!(flat.len(), models * one, "parameters of {models} models");
        let padded: Vec<f32> = flat.chunks_exact(one).flat_map(|flat| self.pack(flat)).collect();
        device.upload(&self.buffer, 0, &padded)
    }

    /// The flat vectors, a model after the other.
    ///
    /// # Errors
    /// The device is lost or too slow.
    pub(crate) fn download(&self, device: &Device) -> Result<Vec<f32>, DeviceError> {
        let mut padded = vec![0.0; self.buffer.len()];
        device.download(&self.buffer, 0, &mut padded)?;
        Ok(padded.chunks_exact(self.stride).flat_map(|padded| self.unpack(padded)).collect())
    }

    /// The flat vector of one model.
    ///
    /// # Errors
    /// The device is lost or too slow.
    ///
    /// # Panics
    /// If there is no such model.
    pub(crate) fn download_model(&self, device: &Device, model: usize) -> Result<Vec<f32>, DeviceError> {
        let mut padded = vec![0.0; self.stride];
        device.download(&self.buffer, model * self.stride, &mut padded)?;
        Ok(self.unpack(&padded))
    }
}
