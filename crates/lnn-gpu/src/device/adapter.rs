//! The adapters of this machine, and the choice among them.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use super::DeviceError;

/// What an adapter is, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdapterKind {
    /// A graphics card with its own memory.
    Discrete,
    /// A graphics unit that shares the processor's memory.
    Integrated,
    /// A part of a graphics card, lent to a virtual machine.
    Virtual,
    /// Software on the processor.
    Cpu,
    /// The driver does not say.
    Other,
}

impl AdapterKind {
    /// The word for it, in choices and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discrete => "discrete",
            Self::Integrated => "integrated",
            Self::Virtual => "virtual",
            Self::Cpu => "cpu",
            Self::Other => "other",
        }
    }

    fn of(kind: wgpu::DeviceType) -> Self {
        match kind {
            wgpu::DeviceType::DiscreteGpu => Self::Discrete,
            wgpu::DeviceType::IntegratedGpu => Self::Integrated,
            wgpu::DeviceType::VirtualGpu => Self::Virtual,
            wgpu::DeviceType::Cpu => Self::Cpu,
            wgpu::DeviceType::Other => Self::Other,
        }
    }
}

/// What a person wants to know of an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterSummary {
    /// Its name, by the driver.
    pub name: String,
    /// What it is.
    pub kind: AdapterKind,
    /// Programming interface: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// The driver and its version.
    pub driver: String,
    /// Bytes of one buffer at most.
    pub largest_buffer: u64,
    /// Bytes of one binding at most.
    pub largest_binding: u64,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Invocations of a workgroup at most.
    pub workgroup_invocations: u32,
    /// Storage buffers that one kernel can use.
    pub storage_buffers: u32,
    /// Sizes of a subgroup, smallest and largest.
    pub subgroup_sizes: [u32; 2],
    /// Whether kernels can be timed.
    pub timestamps: bool,
    /// Whether it computes in double precision.
    pub float64: bool,
    /// Whether it has subgroup operations.
    pub subgroup: bool,
}

impl AdapterSummary {
    pub(super) fn of(adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let features = adapter.features();
        let driver = format!("{} {}", info.driver, info.driver_info).trim().to_owned();
        Self {
            name: info.name,
            kind: AdapterKind::of(info.device_type),
            backend: info.backend.to_string(),
            driver,
            largest_buffer: limits.max_buffer_size,
            largest_binding: limits.max_storage_buffer_binding_size,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
            subgroup_sizes: [info.subgroup_min_size, info.subgroup_max_size],
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
            float64: features.contains(wgpu::Features::SHADER_F64),
            subgroup: features.contains(wgpu::Features::SUBGROUP),
        }
    }
}

impl fmt::Display for AdapterSummary {
    /// Name, kind, interface and driver.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}, {}", self.name, self.kind.name(), self.backend)?;
        if !self.driver.is_empty() {
            write!(formatter, ", {}", self.driver)?;
        }
        formatter.write_str(")")
    }
}

/// Which adapter to open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The best kind there is: discrete, integrated, virtual, then software.
    #[default]
    Best,
    /// The first of this kind.
    Kind(AdapterKind),
    /// The first with this in its name, in either case.
    Name(String),
}

impl FromStr for AdapterChoice {
    type Err = Infallible;

    /// `best`, a kind's word, or a part of a name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        let kinds = [AdapterKind::Discrete, AdapterKind::Integrated, AdapterKind::Virtual, AdapterKind::Cpu];
        Ok(match kinds.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text)) {
            Some(kind) => Self::Kind(kind),
            None if text.eq_ignore_ascii_case("best") => Self::Best,
            None => Self::Name(text.to_owned()),
        })
    }
}

impl fmt::Display for AdapterChoice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Best => "best",
            Self::Kind(kind) => kind.name(),
            Self::Name(name) => name,
        })
    }
}

impl AdapterChoice {
    /// The place in `present` of the adapter that is chosen.
    pub(super) fn among(&self, present: &[AdapterSummary]) -> Option<usize> {
        let fits = |adapter: &AdapterSummary| match self {
            Self::Best => true,
            Self::Kind(kind) => adapter.kind == *kind,
            Self::Name(part) => adapter.name.to_lowercase().contains(&part.to_lowercase()),
        };
        let places = (0..present.len()).filter(|&place| fits(&present[place]));
        // Of several as good, the first in the driver's own order.
        places.min_by_key(|&place| present[place].kind)
    }
}

/// The programming interfaces that are tried; OpenGL's compute shaders are too limited for the kernels.
const BACKENDS: wgpu::Backends = wgpu::Backends::VULKAN.union(wgpu::Backends::METAL).union(wgpu::Backends::DX12);

fn enumerate() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = BACKENDS;
    // The driver's validation and debug names cost time in every dispatch; wgpu's own checks are always there. Whoever
    // looks for a fault asks for the others by wgpu's variables, such as `WGPU_VALIDATION=1`.
    descriptor.flags = wgpu::InstanceFlags::empty().with_env();
    pollster::block_on(wgpu::Instance::new(descriptor).enumerate_adapters(BACKENDS))
}

/// All adapters of this machine.
pub fn adapters() -> Vec<AdapterSummary> {
    enumerate().iter().map(AdapterSummary::of).collect()
}

/// The chosen adapter.
pub(super) fn choose(choice: &AdapterChoice) -> Result<(wgpu::Adapter, AdapterSummary), DeviceError> {
    let mut found = enumerate();
    let mut present: Vec<_> = found.iter().map(AdapterSummary::of).collect();
    if present.is_empty() {
        let tried = wgpu::Instance::enabled_backend_features() & BACKENDS;
        let backends = tried.iter_names().map(|(name, _)| name.to_lowercase()).collect::<Vec<_>>().join(", ");
        return Err(DeviceError::NoAdapter { backends });
    }
    match choice.among(&present) {
        Some(place) => Ok((found.swap_remove(place), present.swap_remove(place))),
        None => Err(DeviceError::NoSuchAdapter { wanted: choice.to_string(), present }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str, kind: AdapterKind) -> AdapterSummary {
        AdapterSummary {
            name: name.into(),
            kind,
            backend: "vulkan".into(),
            driver: "driver 1.0".into(),
            largest_buffer: 1 << 30,
            largest_binding: 1 << 27,
            workgroup_memory: 32 << 10,
            workgroup_invocations: 1024,
            storage_buffers: 16,
            subgroup_sizes: [8, 8],
            timestamps: true,
            float64: true,
            subgroup: true,
        }
    }

    #[test]
    fn the_best_kind_wins_whatever_the_order() {
        let present = [
            adapter("llvmpipe", AdapterKind::Cpu),
            adapter("Card B", AdapterKind::Discrete),
            adapter("Card A", AdapterKind::Discrete),
            adapter("Built in", AdapterKind::Integrated),
        ];
        let chosen = |choice: &str| choice.parse::<AdapterChoice>().unwrap().among(&present);
        assert_eq!(chosen("best"), Some(1));
        assert_eq!(chosen("CPU"), Some(0));
        assert_eq!(chosen("integrated"), Some(3));
        assert_eq!(chosen("card a"), Some(2));
        assert_eq!(chosen("virtual"), None);
        assert_eq!(chosen("radeon"), None);
    }

    #[test]
    fn a_choice_that_fits_none_lists_what_there_is() {
        let present = vec![adapter("llvmpipe", AdapterKind::Cpu), adapter("Card", AdapterKind::Discrete)];
        let message = DeviceError::NoSuchAdapter { wanted: "radeon".into(), present }.to_string();
        let wanted = "no graphics adapter fits `radeon`; there are llvmpipe (cpu, vulkan, driver 1.0), Card (discrete, \
                      vulkan, driver 1.0)";
        assert_eq!(message, wanted);
    }
}
