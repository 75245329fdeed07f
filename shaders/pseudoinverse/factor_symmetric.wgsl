// Eigenfactors of U H U, U = diag(units), for one matrix a thread, with rank.

import constants::D;
import package::shared::dispatch::linear_group;
import package::shared::symmetric::{DD, Factors, NOT_FINITE, PseudoinverseSettings, factor, unit};

@group(0) @binding(0) var<uniform> settings: PseudoinverseSettings;
// H, [rows, D, D]; the upper triangles count.
@group(0) @binding(1) var<storage, read> matrices: array<f32>;
// Eigenvectors in columns, [rows, D, D].
@group(0) @binding(2) var<storage, read_write> vectors: array<f32>;
// λ⁺, [rows, D].
@group(0) @binding(3) var<storage, read_write> inverses: array<f32>;
// [rows]; NOT_FINITE where an entry or an eigenvalue was not finite.
@group(0) @binding(4) var<storage, read_write> ranks: array<u32>;
// To which the matrices that are not finite, and those that are deficient, are added.
@group(0) @binding(5) var<storage, read_write> tally: array<atomic<u32>, 2>;

@compute @workgroup_size(64)
fn factor_symmetric(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    var matrix: array<f32, DD>;
    for (var i = 0u; i < D; i++) {
        for (var j = 0u; j < D; j++) {
            matrix[i * D + j] = matrices[row * DD + i * D + j] * unit(settings, i) * unit(settings, j);
        }
    }
    var factors: Factors;
    factor(&matrix, settings.relative, settings.absolute, &factors);
    for (var i = 0u; i < DD; i++) {
        vectors[row * DD + i] = factors.vectors[i];
    }
    for (var k = 0u; k < D; k++) {
        inverses[row * D + k] = factors.inverses[k];
    }
    ranks[row] = factors.rank;
    if factors.rank == NOT_FINITE {
        atomicAdd(&tally[0], 1u);
    } else if factors.rank < D {
        atomicAdd(&tally[1], 1u);
    }
}
