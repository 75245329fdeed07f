//! Kernels as a driver compiled them, kept from run to run.

/// What [`Device::pipeline_cache`](super::Device::pipeline_cache) gave: opaque, of one adapter and driver.
///
/// As bytes it carries a checksum, so that only what a driver gave comes back to a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineCacheData(Vec<u8>);

const MAGIC: &[u8; 8] = b"lnnpipe1";

impl PipelineCacheData {
    pub(super) fn new(data: Vec<u8>) -> Self {
        Self(data)
    }

    /// For a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        [MAGIC, &checksum(&self.0).to_le_bytes()[..], &self.0].concat()
    }

    /// From a file; nothing if it is no such file or was damaged.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (sum, data) = rest.split_first_chunk::<8>()?;
        (checksum(data) == u64::from_le_bytes(*sum)).then(|| Self(data.to_vec()))
    }
}

/// FNV-1a of 64 bits.
fn checksum(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// A cache, filled with `data` if the driver takes it; none if the adapter has no caches.
#[allow(unsafe_code)]
pub(super) fn make(device: &wgpu::Device, data: Option<&PipelineCacheData>) -> Option<wgpu::PipelineCache> {
    if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
        return None;
    }
    let data = data.map(|data| &data.0[..]);
    let descriptor = wgpu::PipelineCacheDescriptor { label: Some("lnn"), data, fallback: true };
    // SAFETY: the data came from a cache's `get_data`: a `PipelineCacheData` is made of nothing else, or of bytes whose
    // checksum says so. wgpu compares driver and adapter, and starts with an empty cache if they differ.
    Some(unsafe { device.create_pipeline_cache(&descriptor) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_and_damage_is_seen() {
        let data = PipelineCacheData(vec![1, 2, 3, 250]);
        let bytes = data.to_bytes();
        assert_eq!(PipelineCacheData::from_bytes(&bytes), Some(data));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert_eq!(PipelineCacheData::from_bytes(&damaged), None, "byte {at}");
        }
        assert_eq!(PipelineCacheData::from_bytes(&bytes[..10]), None);
    }
}
