//! Typed buffers on the device, made once.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::atomic::Ordering;

use bytemuck::Pod;

use super::activity::count;
use super::{Device, DeviceError};

/// Bytes of which a part of a buffer begins at a multiple: a binding does so on some adapters, and on none at one of more.
pub(crate) const PART_BYTES: usize = 256;

/// Numbers in the device's memory.
#[derive(Clone, Debug)]
pub struct Buffer<T> {
    pub(super) raw: wgpu::Buffer,
    pub(super) name: String,
    /// Place of its first number in `raw`.
    first: usize,
    length: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    /// Those of its numbers that are in `range`, as a buffer.
    ///
    /// # Panics
    /// If there are none, they are not all there, or do not begin at a multiple of [`PART_BYTES`].
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        let Range { start, end } = range;
        let place = || format!("{}: part {start}..{end} of {}", self.name, self.length);
        let aligned = (start * size_of::<T>()).is_multiple_of(PART_BYTES);
        assert!(start < end && end <= self.length && aligned, "{}", place());
        Self { first: self.first + start, length: end - start, ..self.clone() }
    }

    /// Where number `index` is on the device, in bytes.
    pub(super) fn byte(&self, index: usize) -> u64 {
        ((self.first + index) * size_of::<T>()) as u64
    }

    /// Its bytes on the device.
    pub(super) fn bytes(&self) -> u64 {
        storage_bytes::<T>(self.length)
    }

    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What it was called when it was made.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Constants of dispatches: records of one kind, of which each dispatch sees one.
///
/// The constants of many steps are uploaded at once, and each step's dispatch names its record.
#[derive(Clone, Debug)]
pub struct Uniforms<T> {
    pub(super) raw: wgpu::Buffer,
    pub(super) name: String,
    records: usize,
    pub(super) stride: u32,
    element: PhantomData<T>,
}

impl<T: Pod> Uniforms<T> {
    /// How many records there are.
    pub fn records(&self) -> usize {
        self.records
    }
}

/// What is bound to one binding of a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Argument<'a> {
    pub(super) raw: &'a wgpu::Buffer,
    pub(super) name: &'a str,
    /// Where it begins, and its length.
    pub(super) start: u64,
    pub(super) bytes: u64,
    /// Of uniforms: bytes from one record to the next, and their number.
    pub(super) records: Option<(u32, usize)>,
}

impl<'a, T: Pod> From<&'a Buffer<T>> for Argument<'a> {
    fn from(buffer: &'a Buffer<T>) -> Self {
        Self { raw: &buffer.raw, name: &buffer.name, start: buffer.byte(0), bytes: buffer.bytes(), records: None }
    }
}

impl<'a, T: Pod> From<&'a Uniforms<T>> for Argument<'a> {
    fn from(uniforms: &'a Uniforms<T>) -> Self {
        let records = Some((uniforms.stride, uniforms.records));
        Self { raw: &uniforms.raw, name: &uniforms.name, start: 0, bytes: record_bytes::<T>(), records }
    }
}

/// Bytes of so many numbers on the device: kernels read four at a time, and a binding is never empty.
fn storage_bytes<T>(length: usize) -> u64 {
    (length.max(1) as u64 * size_of::<T>() as u64).next_multiple_of(16)
}

/// Bytes of a record on the device, where a structure's size is a multiple of its largest alignment.
fn record_bytes<T>() -> u64 {
    (size_of::<T>() as u64).next_multiple_of(16)
}

impl Device {
    /// Room for `length` numbers, zero at first; `name` appears in messages.
    ///
    /// # Errors
    /// It is larger than a buffer or a binding of the adapter may be, or there is not enough memory.
    pub fn buffer<T: Pod>(&self, name: &str, length: usize) -> Result<Buffer<T>, DeviceError> {
        use wgpu::BufferUsages;
        self.typed_buffer(name, length, BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST)
    }

    pub(super) fn typed_buffer<T: Pod>(
        &self,
        name: &str,
        length: usize,
        usage: wgpu::BufferUsages,
    ) -> Result<Buffer<T>, DeviceError> {
        let bytes = storage_bytes::<T>(length);
        let what = format!("buffer {name}");
        self.require(&what, "bytes a buffer", bytes, self.limits.max_buffer_size)?;
        self.require(&what, "bytes a binding", bytes, self.limits.max_storage_buffer_binding_size)?;
        let raw = self.raw_buffer(name, bytes, usage)?;
        Ok(Buffer { raw, name: name.to_owned(), first: 0, length, element: PhantomData })
    }

    /// Room for `records` records of constants.
    ///
    /// # Errors
    /// As [`buffer`](Self::buffer).
    ///
    /// # Panics
    /// If there is to be none.
    pub fn uniforms<T: Pod>(&self, name: &str, records: usize) -> Result<Uniforms<T>, DeviceError> {
        assert!(records > 0, "uniforms {name}: at least one record");
        let alignment = u64::from(self.constants.alignment(&self.limits));
        let stride = record_bytes::<T>().next_multiple_of(alignment);
        let bytes = stride * records as u64;
        // Offsets into it are of 32 bits.
        let largest = self.limits.max_buffer_size.min(u64::from(u32::MAX));
        self.require(&format!("uniforms {name}"), "bytes a buffer", bytes, largest)?;
        let raw = self.raw_buffer(name, bytes, self.constants.usage() | wgpu::BufferUsages::COPY_DST)?;
        Ok(Uniforms { raw, name: name.to_owned(), records, stride: stride as u32, element: PhantomData })
    }

    pub(super) fn raw_buffer(
        &self,
        name: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, DeviceError> {
        let descriptor = wgpu::BufferDescriptor { label: Some(name), size: bytes, usage, mapped_at_creation: false };
        count(&self.counters.buffers);
        let buffer = self.guarded(name, bytes, || self.raw.create_buffer(&descriptor))?;
        self.allocated.fetch_add(bytes, Ordering::Relaxed);
        Ok(buffer)
    }
}
