//! Nothing on the hot paths allocates after the first call.
//!
//! One test in a binary of its own, since the counter sees every thread.

#![allow(clippy::unwrap_used)] // In a test, a failed unwrap is a failure with its line.
#![allow(unsafe_code)] // A counting allocator cannot be written without it.

use std::alloc::{GlobalAlloc, Layout, System as Heap};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use lnn_physics::integrators::{DormandPrince, FixedStep, ImplicitMidpoint, Rk4};
use lnn_physics::sampling::StateSampler;
use lnn_physics::systems::{DoublePendulum, SYSTEMS};
use lnn_physics::{EulerLagrange, System};

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

    let system = DoublePendulum::default();
    let mut motion = EulerLagrange::new(system).unwrap();
    let (q, q_dot) = ([0.3, -1.2], [2.0, 0.5]);
    let mut q_ddot = [0.0; 2];
    assert_eq!(allocations(|| motion.acceleration_into(&q, &q_dot, &mut q_ddot).unwrap()), 0);
    assert_eq!(allocations(|| system.acceleration_into(&q, &q_dot, &[], &mut q_ddot)), 0);

    let mut f = |_t: f64, y: &[f64], y_dot: &mut [f64]| {
        system.state_derivative_into(y, &[], y_dot);
        Ok::<(), Infallible>(())
    };
    let mut y = [0.3, -1.2, 2.0, 0.5];
    let mut rk4 = Rk4::new(4);
    assert_eq!(allocations(|| rk4.step(&mut f, 0.0, 0.01, &mut y).unwrap()), 0);
    let mut dormand_prince = DormandPrince::new(4);
    assert_eq!(allocations(|| dormand_prince.step(&mut f, 0.0, 0.01, &mut y).unwrap()), 0);
    let mut midpoint = ImplicitMidpoint::new(4);
    assert_eq!(allocations(|| midpoint.step(&mut f, 0.0, 0.01, &mut y).unwrap()), 0);

    let mut batch = [0.0; 4 * 128];
    let mut step = 0;
    let fill = || {
        step += 1;
        StateSampler::new(1, 2).fill(step, system.training_distribution(), &mut batch);
    };
    assert_eq!(allocations(fill), 0);

    for kind in SYSTEMS {
        let system = kind.build(&BTreeMap::new()).unwrap();
        let (d, distribution) = (system.degrees_of_freedom(), system.training_distribution());
        let mut state = vec![0.0; distribution.len()];
        let fill = || StateSampler::new(1, 2).fill(3, distribution, &mut state);
        assert_eq!(allocations(fill), 0, "{}", kind.name);
        let (q, rest) = state.split_at(d);
        let (q_dot, c) = rest.split_at(d);
        let (canonical, mut p, mut out) = (system.canonical().unwrap(), vec![0.0; d], vec![0.0; d]);
        let work = || {
            system.acceleration_into(q, q_dot, c, &mut out);
            canonical.momentum_into(q, q_dot, c, &mut p);
            canonical.velocity_into(q, &p, c, &mut out);
            canonical.momentum_rate_into(q, q_dot, c, &mut p);
        };
        assert_eq!(allocations(work), 0, "{}", kind.name);
    }
}
