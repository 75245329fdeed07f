//! Where kernels find their constants.

use std::borrow::Cow;

use wgpu::naga::{self, AddressSpace, StorageAccess};

use super::adapter::AdapterSummary;
use crate::kernels::KernelSource;

/// The memory that holds kernels' constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConstantMemory {
    /// Uniform buffers, as the shaders have them.
    Uniform,
    /// Storage buffers that are only read.
    ///
    /// Mesa's software driver takes constants from uniform buffers into a kernel where a branch or a loop depends on them
    /// alone: it translates the kernel anew in each of its dispatches, which takes milliseconds, and keeps all that it
    /// made until the device is closed (seen in Mesa 22.3: 1.5 MB a training step of a wide network).
    Storage,
}

impl ConstantMemory {
    /// What suits an adapter's driver.
    pub(super) fn suited_to(adapter: &AdapterSummary) -> Self {
        if adapter.driver.contains("llvmpipe") { Self::Storage } else { Self::Uniform }
    }

    pub(super) fn binding_type(self) -> wgpu::BufferBindingType {
        match self {
            Self::Uniform => wgpu::BufferBindingType::Uniform,
            Self::Storage => wgpu::BufferBindingType::Storage { read_only: true },
        }
    }

    pub(super) fn usage(self) -> wgpu::BufferUsages {
        match self {
            Self::Uniform => wgpu::BufferUsages::UNIFORM,
            Self::Storage => wgpu::BufferUsages::STORAGE,
        }
    }

    /// What offsets of records are multiples of.
    pub(super) fn alignment(self, limits: &wgpu::Limits) -> u32 {
        match self {
            Self::Uniform => limits.min_uniform_buffer_offset_alignment,
            Self::Storage => limits.min_storage_buffer_offset_alignment,
        }
    }

    /// A kernel's text, or what it is with its constants in storage.
    pub(super) fn shader(self, source: &KernelSource) -> wgpu::ShaderSource<'static> {
        if self == Self::Uniform {
            return wgpu::ShaderSource::Wgsl(source.wgsl.into());
        }
        let mut module = naga::front::wgsl::parse_str(source.wgsl)
            .unwrap_or_else(|error| panic!("kernel {} was valid when the crate was built: {error}", source.name));
        for (_, variable) in module.global_variables.iter_mut() {
            if variable.space == AddressSpace::Uniform {
                variable.space = AddressSpace::Storage { access: StorageAccess::LOAD };
            }
        }
        wgpu::ShaderSource::Naga(Cow::Owned(module))
    }
}
