//! Kernels: compiled once, bound to buffers once.

use std::sync::PoisonError;

use super::{Argument, ConstantMemory, Device, DeviceError, ShaderChecks};
use crate::kernels::{Binding, BindingKind, KernelSource};

/// A variant with its overrides: what distinguishes one compiled kernel from another.
pub(super) type KernelKey = (&'static str, Vec<(String, u64)>);

/// A compiled kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    source: &'static KernelSource,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

/// A kernel with its buffers.
#[derive(Clone, Debug)]
pub struct BoundKernel {
    pub(crate) source: &'static KernelSource,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) group: wgpu::BindGroup,
    /// Bytes from one record of its constants to the next, and their number.
    pub(super) records: Option<(u32, usize)>,
}

impl Device {
    /// Compiles a kernel, or gives the one that was compiled before.
    ///
    /// `overrides` are values of the shader's `override` constants.
    ///
    /// # Errors
    /// The adapter lacks something the kernel needs, or the driver cannot compile it.
    ///
    /// # Panics
    /// If the shader has no such `override`.
    pub fn kernel(&self, source: &'static KernelSource, overrides: &[(&str, f64)]) -> Result<Kernel, DeviceError> {
        let key = (source.name, overrides.iter().map(|(name, value)| ((*name).to_owned(), value.to_bits())).collect());
        let compiled = || self.kernels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = compiled().get(&key) {
            return Ok(kernel.clone());
        }
        let kernel = self.compile(source, overrides)?;
        compiled().insert(key, kernel.clone());
        Ok(kernel)
    }

    fn compile(&self, source: &'static KernelSource, overrides: &[(&str, f64)]) -> Result<Kernel, DeviceError> {
        for (name, _) in overrides {
            assert!(source.overrides.contains(name), "kernel {} has no override {name}", source.name);
        }
        self.require_kernel(source)?;
        let entries: Vec<_> = source.bindings.iter().map(|own| layout_entry(own, self.constants)).collect();
        let descriptor =
            wgpu::ShaderModuleDescriptor { label: Some(source.name), source: self.constants.shader(source) };
        let adapter = || self.adapter.name.clone();
        let made = self.guarded(source.name, 0, || {
            let module = match self.checks {
                ShaderChecks::On => self.raw.create_shader_module(descriptor),
                ShaderChecks::Off => trusted(&self.raw, descriptor),
            };
            let layout = self.raw.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(source.name),
                entries: &entries,
            });
            let pipeline_layout = self.raw.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(source.name),
                bind_group_layouts: &[Some(&layout)],
                ..Default::default()
            });
            let pipeline = self.raw.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(source.name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(source.entry),
                // Our kernels write workgroup memory before they read it.
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: overrides,
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.pipelines.as_ref(),
            });
            Kernel { source, pipeline, layout }
        });
        made.map_err(|error| match error {
            DeviceError::Refusal { message, .. } => {
                DeviceError::Pipeline { kernel: source.name.to_owned(), adapter: adapter(), message }
            }
            other => other,
        })
    }

    /// Whether the adapter has what the kernel needs.
    fn require_kernel(&self, source: &KernelSource) -> Result<(), DeviceError> {
        let what = format!("kernel {}", source.name);
        let limits = &self.limits;
        let uniform =
            |binding: &&Binding| binding.kind == BindingKind::Uniform && self.constants == ConstantMemory::Uniform;
        let storage = source.bindings.iter().filter(|binding| !uniform(binding)).count();
        for (limit, needed, offered) in [
            ("bytes of workgroup memory", source.workgroup_memory, limits.max_compute_workgroup_storage_size),
            ("invocations a workgroup", source.invocations(), limits.max_compute_invocations_per_workgroup),
            ("storage buffers a kernel", storage as u32, limits.max_storage_buffers_per_shader_stage),
        ] {
            self.require(&what, limit, needed.into(), offered.into())?;
        }
        let features = self.raw.features();
        for (needed, feature, name, remedy) in [
            (source.float64, wgpu::Features::SHADER_F64, "double precision", "compute in f32, or on the CPU"),
            (source.subgroup, wgpu::Features::SUBGROUP, "subgroup operations", "update its driver"),
        ] {
            if needed && !features.contains(feature) {
                let adapter = self.adapter.name.clone();
                return Err(DeviceError::Feature { what, feature: name, adapter, remedy });
            }
        }
        Ok(())
    }
}

impl Kernel {
    /// What it was compiled from.
    pub fn source(&self) -> &'static KernelSource {
        self.source
    }

    /// The kernel with `arguments` for its bindings, in the order of their numbers.
    ///
    /// # Errors
    /// The device is lost.
    ///
    /// # Panics
    /// If an argument is missing, too small, or of the wrong kind.
    pub fn bind(&self, device: &Device, arguments: &[Argument<'_>]) -> Result<BoundKernel, DeviceError> {
        let Self { source, pipeline, layout } = self;
        let wanted = source.bindings.len();
        assert!(arguments.len() == wanted, "kernel {} has {wanted} bindings, not {}", source.name, arguments.len());
        let mut entries = Vec::with_capacity(wanted);
        for (own, argument) in source.bindings.iter().zip(arguments) {
            let binding = own.index;
            let place =
                || format!("kernel {}, binding {} `{}`, given {}", source.name, binding, own.name, argument.name);
            let uniform = own.kind == BindingKind::Uniform;
            assert!(uniform == argument.records.is_some(), "{}: expected {:?}", place(), own.kind);
            assert!(argument.bytes >= own.least_bytes.into(), "{}: needs {} bytes", place(), own.least_bytes);
            let resource = wgpu::BufferBinding {
                buffer: argument.raw,
                offset: argument.start,
                size: argument.bytes.try_into().ok(),
            };
            entries.push(wgpu::BindGroupEntry { binding, resource: wgpu::BindingResource::Buffer(resource) });
        }
        let descriptor = wgpu::BindGroupDescriptor { label: Some(source.name), layout, entries: &entries };
        let group = device.guarded(source.name, 0, || device.raw.create_bind_group(&descriptor))?;
        let records = arguments.iter().find_map(|argument| argument.records);
        Ok(BoundKernel { source, pipeline: pipeline.clone(), group, records })
    }
}

fn layout_entry(own: &Binding, constants: ConstantMemory) -> wgpu::BindGroupLayoutEntry {
    let uniform = own.kind == BindingKind::Uniform;
    let ty = match own.kind {
        BindingKind::Uniform => constants.binding_type(),
        kind => wgpu::BufferBindingType::Storage { read_only: kind == BindingKind::Read },
    };
    wgpu::BindGroupLayoutEntry {
        binding: own.index,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: uniform,
            min_binding_size: u64::from(own.least_bytes).try_into().ok(),
        },
        count: None,
    }
}

/// A module without wgpu's own checks, which cost a tuned kernel a large part of its speed.
#[allow(unsafe_code)]
fn trusted(device: &wgpu::Device, descriptor: wgpu::ShaderModuleDescriptor<'_>) -> wgpu::ShaderModule {
    // SAFETY: only shaders of this crate come here. Their loops end, their divisors are not zero, and their indices
    // stay within what they are bound to, for the lengths that the plans of this crate give them; the tests run each
    // of them with the checks on.
    unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
}
