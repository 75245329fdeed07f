//! What a training step or an integration calls does not allocate.
//!
//! One test in a binary of its own, since the counter sees every thread.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.
#![allow(unsafe_code)] // A counting allocator cannot be written without it.

mod fields;
mod models;
mod solve;

use std::alloc::{GlobalAlloc, Layout, System as Heap};
use std::sync::atomic::{AtomicUsize, Ordering};

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        unsafe { Heap.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { Heap.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Smallest count of several calls after the first, which may fill a library's own buffers: the test harness's own
/// threads may allocate during one of them.
pub(crate) fn allocations(mut work: impl FnMut()) -> usize {
    let once = |work: &mut dyn FnMut()| {
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        work();
        ALLOCATIONS.load(Ordering::Relaxed) - before
    };
    work();
    (0..5).map(|_| once(&mut work)).min().unwrap()
}

#[test]
fn hot_paths_do_not_allocate() {
    assert!(allocations(|| drop(std::hint::black_box(vec![0_u8; 100]))) > 0, "the counter counts");
    fields::check();
    solve::check();
    models::check();
}
