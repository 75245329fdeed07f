//! One device for all tests of the process, and one kernel run on slices.

use std::io::Write as _;
use std::sync::OnceLock;

use bytemuck::Pod;
use lnn_gpu::device::{Argument, Buffer, Device, DeviceOptions, Uniforms};
use lnn_gpu::kernels::KernelSource;

/// What outputs hold before a kernel runs: a NaN that no arithmetic makes, so that what was not written shows.
const POISON: u32 = 0x7fc0_dead;
/// Words behind each output that must stay as they are.
const GUARD: usize = 64;

/// The device, with checks in the kernels; its adapter is named once, for the summary of `cargo xtask test`.
pub(crate) fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        let device = Device::open(&DeviceOptions::checked()).unwrap_or_else(|error| panic!("{error}"));
        // Past the capture of the test harness, in one piece and on a line of its own.
        let line = format!("\ngraphics adapter: {}\n", device.adapter());
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        device
    })
}

/// Room for the constants of any kernel.
type Record = [u32; 64];

enum Slot {
    Constants(Uniforms<Record>),
    /// Contents, and if they are to be read back their length without guard.
    Words(Buffer<u32>, Option<usize>),
}

/// A kernel with its arguments, in the order of its bindings.
pub(crate) struct Case {
    source: &'static KernelSource,
    overrides: Vec<(&'static str, f64)>,
    slots: Vec<Slot>,
}

impl Case {
    pub(crate) fn new(source: &'static KernelSource) -> Self {
        Self { source, overrides: Vec::new(), slots: Vec::new() }
    }

    pub(crate) fn with_override(mut self, name: &'static str, value: f64) -> Self {
        self.overrides.push((name, value));
        self
    }

    /// Constants of the dispatch.
    pub(crate) fn constants<T: Pod>(mut self, constants: &T) -> Self {
        let mut record: Record = [0; 64];
        bytemuck::bytes_of_mut(&mut record)[..size_of::<T>()].copy_from_slice(bytemuck::bytes_of(constants));
        let uniforms = device().uniforms("constants", 1).unwrap();
        device().upload_uniforms(&uniforms, 0, &[record]).unwrap();
        self.slots.push(Slot::Constants(uniforms));
        self
    }

    /// What the kernel reads.
    pub(crate) fn read<T: Pod>(self, data: &[T]) -> Self {
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(data);
        self.push(words, None)
    }

    /// What the kernel changes; it comes back.
    pub(crate) fn update<T: Pod>(self, data: &[T]) -> Self {
        let mut words: Vec<u32> = bytemuck::pod_collect_to_vec(data);
        let length = words.len();
        words.resize(length + GUARD, POISON);
        self.push(words, Some(length))
    }

    /// What the kernel writes, poisoned before; it comes back.
    pub(crate) fn write(self, length: usize) -> Self {
        self.push(vec![POISON; length + GUARD], Some(length))
    }

    fn push(mut self, words: Vec<u32>, read_back: Option<usize>) -> Self {
        let name = self.source.bindings.get(self.slots.len()).map_or("too many", |binding| binding.name);
        let buffer = device().buffer::<u32>(name, words.len()).unwrap();
        device().upload(&buffer, 0, &words).unwrap();
        self.slots.push(Slot::Words(buffer, read_back));
        self
    }

    /// Runs it once with these workgroups; what it changed and wrote, in the order of the bindings.
    ///
    /// # Panics
    /// If it wrote behind the end of an output.
    pub(crate) fn run(self, workgroups: [u32; 3]) -> Vec<Vec<f32>> {
        let device = device();
        let kernel = device.kernel(self.source, &self.overrides).unwrap();
        let arguments: Vec<Argument<'_>> = self
            .slots
            .iter()
            .map(|slot| match slot {
                Slot::Constants(uniforms) => uniforms.into(),
                Slot::Words(buffer, _) => buffer.into(),
            })
            .collect();
        let bound = kernel.bind(device, &arguments).unwrap();
        let mut recorder = device.recorder(self.source.name);
        recorder.dispatch(&bound, workgroups);
        recorder.submit().unwrap();
        let mut outputs = Vec::new();
        for slot in &self.slots {
            let Slot::Words(buffer, Some(length)) = slot else { continue };
            let mut words = vec![0; buffer.len()];
            device.download(buffer, 0, &mut words).unwrap();
            let guard = &words[*length..];
            assert!(guard.iter().all(|&word| word == POISON), "{} wrote behind {}", self.source.name, buffer.name());
            outputs.push(words[..*length].iter().map(|&word| f32::from_bits(word)).collect());
        }
        outputs
    }
}
