//! Every tile of every product against the CPU engine, and what becomes of tiles that there are not.

use lnn_autodiff::jet::Purpose;
use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::device::{AdapterSummary, DeviceError};
use lnn_gpu::mlp::{GradientTile, MlpJet, MlpParameters, NarrowTile, ProductTile, TileRole, Tiles};

use crate::ground::device;
use crate::mlp_example::Example;

/// Sizes that fill no tile, of both regimes of columns, for every number of directions.
#[test]
fn every_tile_gives_the_same() {
    for tangents in 2..=9 {
        let example = Example::new(&[5, 133, 70, 1], tangents, 37, Activation::Tanh);
        for role in TileRole::TILED {
            // Only the forward pass depends on the number of directions.
            if tangents > 2 && role != TileRole::Forward {
                continue;
            }
            let candidates = role.candidates(device().adapter(), tangents, 37);
            assert!(candidates.len() >= 2, "{role}: {candidates:?}");
            for tiles in candidates {
                let got = example.on_tiles(device(), &tiles);
                example.compare(&got).unwrap_or_else(|far| panic!("{tiles:?}, {tangents} tangents: {far:?}"));
            }
        }
    }
}

/// Every variant of a product is some role's choice, but for those of products that are too small to choose for.
#[test]
fn every_variant_is_among_the_candidates() {
    for role in TileRole::TILED {
        let mut chosen: Vec<Tiles> =
            (0..=9).flat_map(|tangents| role.candidates(device().adapter(), tangents, 512)).collect();
        chosen.dedup();
        let variants = role.family().variants.len();
        let splits = if role == TileRole::WeightGradient { 4 } else { 1 };
        let once = if role == TileRole::Forward { 1 } else { 10 };
        assert!(
            chosen.len() == variants * splits || chosen.len() == once * variants * splits,
            "{role}: {}",
            chosen.len()
        );
    }
}

#[test]
fn all_roles_can_be_chosen_at_once_and_anew_on_the_same_buffers() {
    let example = Example::new(&[4, 130, 67, 1], 3, 50, Activation::Softplus);
    let smallest = |role: TileRole| role.candidates(device().adapter(), 3, 50).pop().expect("some");
    let tiles = TileRole::TILED.into_iter().fold(Tiles::default(), |tiles, role| tiles.or(smallest(role)));
    example.compare(&example.on_tiles(device(), &tiles)).unwrap_or_else(|far| panic!("{tiles:?}: {far:?}"));

    let parameters = MlpParameters::new(device(), &example.shape).unwrap();
    let jet = MlpJet::new(device(), &parameters, 3, 50, Purpose::Functional).unwrap();
    let splits = |splits| Tiles { weight_gradient: Some(GradientTile { side: 64, splits }), ..tiles };
    for wanted in [1, 5, 64] {
        let other = jet.retiled(device(), &parameters, &splits(wanted)).unwrap();
        assert_eq!(other.gradient_parts(), wanted as usize);
        assert_eq!((other.rows(), other.tangents()), (50, 3));
    }
}

#[test]
fn a_tile_that_there_is_not_is_refused_with_those_that_are() {
    let shape = MlpShape::new(&[4, 130, 1], Activation::Softplus).unwrap();
    let parameters = MlpParameters::new(device(), &shape).unwrap();
    let none = Tiles::default();
    let product = Some(ProductTile { samples: 3, columns: 96 });
    for (tiles, kernel) in [
        (Tiles { forward: product, ..none }, "layer_forward"),
        (Tiles { reverse: product, ..none }, "layer_reverse"),
        (Tiles { functional_forward: product, ..none }, "functional_forward"),
        (Tiles { functional_reverse: product, ..none }, "functional_reverse"),
        (Tiles { weight_gradient: Some(GradientTile { side: 32, splits: 1 }), ..none }, "weight_gradient"),
        (Tiles { weight_gradient: Some(GradientTile { side: 64, splits: 0 }), ..none }, "weight_gradient"),
        (Tiles { weight_gradient: Some(GradientTile { side: 64, splits: 65 }), ..none }, "weight_gradient"),
    ] {
        let refused = MlpJet::with_tiles(device(), &parameters, 3, 9, Purpose::Functional, &tiles);
        let Err(DeviceError::NoTile { kernel: named, ref offered, .. }) = refused else {
            panic!("{tiles:?}: {refused:?}")
        };
        assert!(named == kernel && offered.contains("64"), "{refused:?}");
        assert_eq!(tiles.check(device().adapter(), 3).err(), refused.err());
    }
    let block = Some(NarrowTile { samples: 3, depth: 64 });
    for tiles in [
        Tiles { narrow_jet: block, ..none },
        Tiles { narrow_functional: block, ..none },
        Tiles { narrow_step: block, ..none },
    ] {
        assert!(matches!(tiles.check(device().adapter(), 3), Err(DeviceError::NoTile { .. })), "{tiles:?}");
    }
    // A tile for three directions is none for nine.
    let tiles = Tiles { forward: Some(ProductTile { samples: 2, columns: 128 }), ..none };
    assert_eq!(tiles.check(device().adapter(), 3), Ok(()));
    assert!(tiles.check(device().adapter(), 9).is_err());
}

#[test]
fn a_tile_too_large_for_the_adapter_is_refused_by_the_limit() {
    let tile = Some(NarrowTile { samples: 8, depth: 64 });
    let tiles = Tiles { narrow_functional: tile, ..Tiles::default() };
    assert_eq!(tiles.check(device().adapter(), 3), Ok(()));
    let small = AdapterSummary { workgroup_memory: 16 << 10, ..device().adapter().clone() };
    let refused = tiles.check(&small, 3);
    assert!(matches!(refused, Err(DeviceError::Limit { needed: 20_000.., offered: 16_384, .. })), "{refused:?}");
    for role in TileRole::NARROW {
        let fitting = role.candidates(&small, 3, 100);
        assert!(!fitting.is_empty() && fitting.iter().all(|tiles| tiles.check(&small, 3).is_ok()), "{fitting:?}");
    }
}
