//! The choice of tiles by time: that every candidate is timed by either clock, and that the fastest is chosen.

use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::device::AdapterSummary;
use lnn_gpu::mlp::{NarrowJet, TileRole, Tiles};
use lnn_gpu::tuning::{Clock, Tuned, TuningCase, tune};

use crate::ground::device;

fn case(width: usize, rows: usize, models: usize) -> TuningCase {
    let shape = MlpShape::new(&[6, width, width, 1], Activation::Softplus).unwrap();
    TuningCase { shape, tangents: 3, rows, models }
}

#[track_caller]
fn is_complete(tuned: &Tuned, case: &TuningCase, adapter: &AdapterSummary) {
    assert_eq!((tuned.class, &tuned.left_out[..]), (case.class(), &[][..]));
    let mut rest = &tuned.timings[..];
    for &role in case.roles() {
        let candidates = [vec![Tiles::default()], role.candidates(adapter, case.tangents, case.rows)].concat();
        let (own, others) = rest.split_at(candidates.len());
        rest = others;
        assert!(own.iter().all(|timing| timing.role == role && timing.seconds > 0.0), "{role}: {own:?}");
        assert!(candidates.iter().all(|tiles| own.iter().any(|timing| timing.tiles == *tiles)), "{role}: {own:?}");
        assert!(own.windows(2).all(|pair| pair[0].seconds <= pair[1].seconds), "{role}: {own:?}");
        // What is chosen is the first, and nothing else is chosen for this role.
        assert_eq!(tuned.tiles.describe(role), own[0].tiles.describe(role), "{role}");
        assert!(case.operations(role) > 0.0);
    }
    assert_eq!(rest, []);
    assert_eq!(tuned.tiles.check(adapter, case.tangents), Ok(()));
}

#[test]
fn each_candidate_is_timed_by_either_clock_and_the_fastest_chosen() {
    for case in [case(70, 40, 1), case(20, 40, 3)] {
        for clock in [Clock::Device, Clock::Host] {
            let tuned = tune(device(), &case, 1, clock).unwrap();
            is_complete(&tuned, &case, device().adapter());
        }
    }
}

/// The operations of all roles are those of a step by the work's own count: d + 11 products for hidden layers.
#[test]
fn operations_are_those_of_the_step() {
    let narrow = [TileRole::NarrowJet, TileRole::NarrowFunctional];
    for (width, roles) in [(70, &TileRole::TILED[..]), (20, &narrow), (20, &[TileRole::NarrowStep])] {
        let case = case(width, 8, if width <= NarrowJet::WIDEST { 5 } else { 1 });
        assert!(roles.iter().all(|role| case.roles().contains(role)), "{roles:?}");
        let sum: f64 = roles.iter().map(|&role| case.operations(role)).sum();
        let (rows, width) = (case.rows * case.models, width);
        // Of the layer in the middle: value and three tangents, reverse, c, three adjoints, four outer products. The first
        // one has no adjoints to hand on, the last one neither forward passes, nor more than one outer product.
        let products = 13 * width * width + 10 * 6 * width + 2 * width;
        assert_eq!(sum, 2.0 * (rows * products) as f64);
    }
}

#[test]
fn tiles_are_joined_role_by_role() {
    let [first, second] = [TileRole::Forward, TileRole::Reverse]
        .map(|role| *role.candidates(device().adapter(), 3, 512).first().unwrap());
    let both = first.or(second);
    assert_eq!((both.forward, both.reverse), (first.forward, second.reverse));
    assert_eq!(both.or(Tiles::default()), both);
    let other = *TileRole::Forward.candidates(device().adapter(), 3, 512).last().unwrap();
    assert_ne!(other, first);
    assert_eq!(first.or(other), first);
}
