//! What a training step or an integration calls does not allocate.
//!
//! One test in a binary of its own, since the counter sees every thread.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.
#![allow(unsafe_code)] // A counting allocator cannot be written without it.

use std::alloc::{GlobalAlloc, Layout, System as Heap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lnn_graph::fields::{
    ChargedString, ExactWave, Field, FieldDistribution, Orientation, RandomStates, SineGordon, Wave, kink_position,
};
use lnn_graph::topology::{Boundary, Topology};
use lnn_physics::sampling::{Distribution, StateSampler};

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

/// Smallest count of several calls: the test harness's own threads may allocate during one of them.
fn allocations(mut work: impl FnMut()) -> usize {
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

    let ring = Arc::new(Topology::line(20, Boundary::Periodic).unwrap());
    let free = Arc::new(Topology::line(20, Boundary::Free).unwrap());
    let grid = Arc::new(Topology::grid([4, 5], [Boundary::Fixed, Boundary::Periodic]).unwrap());
    let wave = Wave::new(ring.clone(), 1.0).unwrap();
    let sine_gordon = SineGordon::new(free, 4.0, 1.0).unwrap();
    let kink = sine_gordon.kink(10.0, 0.5, Orientation::Kink).unwrap();
    let fields: [Box<dyn Field>; 4] = [
        Box::new(wave.clone()),
        Box::new(Wave::inhomogeneous(grid.clone(), vec![1.5; 20]).unwrap()),
        Box::new(sine_gordon),
        Box::new(ChargedString::new(grid.clone(), 1.0, 0.5).unwrap()),
    ];
    for field in &fields {
        let d = field.unknowns();
        let (state, mut state_dot, mut density) = (vec![0.5; 2 * d], vec![0.0; 2 * d], [0.0; 20]);
        let work = || {
            field.state_derivative_into(&state, &mut state_dot);
            field.energy_density_into(&state[..d], &state[d..], &mut density);
            std::hint::black_box(field.state_energy(&state));
        };
        assert_eq!(allocations(work), 0, "{}", field.name());
    }

    let mut state = [0.0; 40];
    state[3] = 1.0;
    let mut exact = ExactWave::new(&wave, &state).unwrap();
    let work = || {
        exact.state_into(1.5, &mut state);
        kink.state_into(1.5, &mut state);
        std::hint::black_box(kink_position(&state[..20]));
    };
    assert_eq!(allocations(work), 0);

    for (topology, components) in [(&ring, 1), (&grid, 2)] {
        let states = RandomStates {
            smooth_share: 0.3,
            rough_share: 0.3,
            modes: 3,
            field_amplitude: 1.0,
            rate_amplitude: 1.0,
            offset: Some(Distribution::normal(0.0, 1.0).unwrap()),
        };
        let distribution = FieldDistribution::new(topology, components, states).unwrap();
        let mut batch = vec![0.0; 32 * distribution.state_length()];
        let mut step = 0;
        let fill = || {
            step += 1;
            distribution.fill(&StateSampler::new(1, 2), step, 0, &mut batch);
        };
        assert_eq!(allocations(fill), 0);
    }
}
