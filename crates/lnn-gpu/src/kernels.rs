//! The table of kernels, made by the build from `shaders/`: a `static` of the file's name for each.
//!
//! A kernel has variants where constants or flags are set at build time; `build/variants.rs` lists them.

/// A shader with all its variants.
#[derive(Debug)]
pub struct KernelFamily {
    /// The file's name without extension, which is its entry point's.
    pub name: &'static str,
    /// At least one.
    pub variants: &'static [KernelSource],
}

/// One validated WGSL text.
#[derive(Debug)]
pub struct KernelSource {
    /// The family's name, and what distinguishes the variant.
    pub name: &'static str,
    /// The entry point.
    pub entry: &'static str,
    /// The text.
    pub wgsl: &'static str,
    /// Bindings of group 0 by their number.
    pub bindings: &'static [Binding],
    /// Invocations of a workgroup by dimension.
    pub workgroup_size: [u32; 3],
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Constants that were set.
    pub constants: &'static [(&'static str, u32)],
    /// Flags that were set.
    pub flags: &'static [&'static str],
    /// Constants that are set when a pipeline is made.
    pub overrides: &'static [&'static str],
    /// Whether it computes in double precision.
    pub float64: bool,
    /// Whether it uses subgroup operations.
    pub subgroup: bool,
}

/// What a binding is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingKind {
    /// Small constants of a dispatch.
    Uniform,
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written, and perhaps read.
    ReadWrite,
}

/// A binding of group 0.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    /// The variable's name.
    pub name: &'static str,
    /// Its number, unlike that of any other.
    pub index: u32,
    /// What it is for.
    pub kind: BindingKind,
    /// Bytes that a bound buffer has at least.
    pub least_bytes: u32,
}

impl KernelFamily {
    /// The only variant.
    ///
    /// # Panics
    /// If there are several.
    pub fn only(&self) -> &'static KernelSource {
        assert!(self.variants.len() == 1, "kernel {} has {} variants: choose one", self.name, self.variants.len());
        &self.variants[0]
    }

    /// The variant with these constants, whatever its others.
    pub fn variant(&self, constants: &[(&str, u32)]) -> Option<&'static KernelSource> {
        self.flagged(constants, &[])
    }

    /// The variant with these constants and flags, whatever its others.
    pub fn flagged(&self, constants: &[(&str, u32)], flags: &[&str]) -> Option<&'static KernelSource> {
        let set = |variant: &&KernelSource| {
            constants.iter().all(|&(name, value)| variant.constant(name) == Some(value))
                && flags.iter().all(|flag| variant.flags.contains(flag))
        };
        self.variants.iter().find(set)
    }

    /// The variant with these flags and no other.
    pub fn with_flags(&self, flags: &[&str]) -> Option<&'static KernelSource> {
        self.variants.iter().find(|variant| variant.flags == flags)
    }
}

impl KernelSource {
    /// The value of a constant of this variant.
    pub fn constant(&self, name: &str) -> Option<u32> {
        self.constants.iter().find(|(own, _)| *own == name).map(|&(_, value)| value)
    }

    /// Invocations of a workgroup.
    pub fn invocations(&self) -> u32 {
        self.workgroup_size.iter().product()
    }
}

include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
