// From the network's derivatives through q̈ = U (U H U)⁺ U r and the loss to the directions of the functional whose
// parameter gradient is that of the loss, a row a thread: all that lies between the network's way forth and back.

import constants::D;
import package::shared::dispatch::linear_group;
import package::shared::feature::{Feature, is_of_position};
import package::shared::float::{is_finite, not_a_number};
import package::shared::loss::loss_component;
import package::shared::motion::{EquationSettings, PAIRS, equation_of_motion};
import package::shared::symmetric::{Factors, NOT_FINITE, is_deficient, project_onto_null_space, solve};

@group(0) @binding(0) var<uniform> settings: EquationSettings;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
// [rows, stride].
@group(0) @binding(2) var<storage, read> slopes: array<f32>;
@group(0) @binding(3) var<storage, read> x_bar: array<f32>;
// [rows, PAIRS].
@group(0) @binding(4) var<storage, read> second_derivatives: array<f32>;
// [rows, D].
@group(0) @binding(5) var<storage, read> target_rates: array<f32>;
// [rows], if the samples are weighted.
@group(0) @binding(6) var<storage, read> weights: array<f32>;
// u and w over the tangents: [2, rows, D + 1].
@group(0) @binding(7) var<storage, read_write> coefficients: array<f32>;
// The network's inputs, of which one channel [rows, stride] is a.
@group(0) @binding(8) var<storage, read_write> inputs: array<f32>;
// [rows]; NaN where an acceleration is not finite.
@group(0) @binding(9) var<storage, read_write> losses: array<f32>;
// The vectors of the constant-rank terms: [4, rows, D], zero where the rank is full.
@group(0) @binding(10) var<storage, read_write> terms: array<f32>;
// [models, 3], to which are added: the components whose error is not finite, the matrices that are not, those that are
// deficient.
@group(0) @binding(11) var<storage, read_write> tally: array<atomic<u32>>;

// Whether the samples have weights.
override WEIGHTED: u32;

fn write_term(term: u32, row: u32, values: array<f32, D>) {
    var own = values;
    for (var i = 0u; i < D; i++) {
        terms[(term * settings.rows + row) * D + i] = own[i] * settings.units[i / 4u][i % 4u];
    }
}

@compute @workgroup_size(64)
fn differentiate_loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    let own_tally = 3u * (row / settings.model_rows);
    var force: array<f32, D>;
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

    var weight = 1.0;
    if WEIGHTED != 0u {
        weight = weights[row];
    }
    // U λ.
    var cotangent: array<f32, D>;
    var total = 0.0;
    var not_finite = 0u;
    for (var i = 0u; i < D; i++) {
        let unit = settings.units[i / 4u][i % 4u];
        let per_unit = settings.per_unit[i / 4u][i % 4u];
        let acceleration = solution[i] * unit;
        coefficients[(settings.rows + row) * (D + 1u) + i] = acceleration;
        let wanted = target_rates[row * D + i] * per_unit;
        let error = acceleration * per_unit - wanted;
        if is_finite(error) {
            let both = loss_component(settings.loss_scale, error, wanted);
            total += both.x;
            cotangent[i] = settings.per_batch * both.y * weight * per_unit * unit;
        } else {
            not_finite++;
            cotangent[i] = not_a_number(i);
        }
    }
    losses[row] = weight * total;
    if not_finite > 0u {
        losses[row] = not_a_number(not_finite);
        atomicAdd(&tally[own_tally], not_finite);
    }

    let left = solve(&factors, cotangent);
    var v = left;
    for (var i = 0u; i < D; i++) {
        v[i] *= settings.units[i / 4u][i % 4u];
        coefficients[row * (D + 1u) + i] = v[i];
    }
    coefficients[row * (D + 1u) + D] = 0.0;
    coefficients[(settings.rows + row) * (D + 1u) + D] = 1.0;
    for (var k = 0u; k < settings.stride; k++) {
        var a = 0.0;
        if k < settings.features {
            let feature = features[k];
            if is_of_position(feature.kind) {
                for (var i = 0u; i < D; i++) {
                    a += select(0.0, v[i], i == feature.index);
                }
                a *= slopes[row * settings.stride + k];
            }
        }
        inputs[settings.first_a + row * settings.stride + k] = a;
    }

    if factors.rank == NOT_FINITE {
        atomicAdd(&tally[own_tally + 1u], 1u);
    }
    if is_deficient(&factors) {
        atomicAdd(&tally[own_tally + 2u], 1u);
        write_term(0u, row, solve(&factors, left));
        write_term(1u, row, project_onto_null_space(&factors, force));
        write_term(2u, row, project_onto_null_space(&factors, cotangent));
        write_term(3u, row, solve(&factors, solution));
    } else {
        for (var term = 0u; term < 4u; term++) {
            write_term(term, row, array<f32, D>());
        }
    }
}
