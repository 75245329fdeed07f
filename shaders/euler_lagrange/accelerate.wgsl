// q̈ = U (U H U)⁺ U r from the network's derivatives, a row a thread.

import constants::{D, PAIRS};
import package::shared::dispatch::linear_group;
import package::shared::feature::{Feature, is_of_position};
import package::shared::motion::{EquationSettings, equation_of_motion};
import package::shared::symmetric::{Factors, NOT_FINITE};

@group(0) @binding(0) var<uniform> settings: EquationSettings;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
// [rows, stride].
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
@group(0) @binding(3) var<storage, read> x_bar: array<f32>;
// [rows, PAIRS].
@group(0) @binding(4) var<storage, read> second_derivatives: array<f32>;
// [rows, D].
@group(0) @binding(5) var<storage, read_write> acceleration: array<f32>;
// Rank of each row's H; NOT_FINITE where it is not finite.
@group(0) @binding(6) var<storage, read_write> ranks: array<u32>;
// Negative eigenvalues of each row's H, but for those that count as zero.
@group(0) @binding(7) var<storage, read_write> negative: array<u32>;
// To which the matrices that are not finite, and those that are deficient, are added.
@group(0) @binding(8) var<storage, read_write> tally: array<atomic<u32>, 2>;
// What is added to r, [rows, D], if there is such.
@group(0) @binding(9) var<storage, read> forces: array<f32>;

// Whether there is.
override FORCED: u32;

@compute @workgroup_size(64)
fn accelerate(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    var force: array<f32, D>;
    if FORCED != 0u {
        for (var i = 0u; i < D; i++) {
            force[i] = forces[row * D + i];
        }
    }
    for (var k = 0u; k < settings.features; k++) {
        let feature = features[k];
        if is_of_position(feature.kind) {
            let term = slopes[row * settings.stride + k] * x_bar[row * settings.stride + k];
            for (var i = 0u; i < D; i++) {
                force[i] += select(0.0, term, i == feature.index);
            }
        }
    }
    var second: array<f32, PAIRS>;
    for (var pair = 0u; pair < PAIRS; pair++) {
        second[pair] = second_derivatives[row * PAIRS + pair];
    }
    // Variables of their own: the translation to SPIR-V takes no pointer to a part of one.
    var factors: Factors;
    let tolerance = vec2<f32>(settings.relative, settings.absolute);
    var solution = equation_of_motion(&force, &second, settings.masses, settings.units, tolerance, &factors);
    for (var i = 0u; i < D; i++) {
        acceleration[row * D + i] = solution[i] * settings.units[i / 4u][i % 4u];
    }
    let rank = factors.rank;
    ranks[row] = rank;
    var below = 0u;
    for (var i = 0u; i < D; i++) {
        below += select(0u, 1u, factors.inverses[i] < 0.0);
    }
    negative[row] = below;
    if rank == NOT_FINITE {
        atomicAdd(&tally[0], 1u);
    } else if rank < D {
        atomicAdd(&tally[1], 1u);
    }
}
