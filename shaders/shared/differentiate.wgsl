// From the network's derivatives of a row through q̈ = U (U H U)⁺ U r and the loss to the directions of the functional whose
// parameter gradient is that of the loss: all that lies between the network's way forth and back.
//
// Where it is a part of a narrow network's whole step, it has what that shares with it from there.

import constants::{D, PAIRS};
import package::shared::feature::{Feature, is_of_position};
import package::shared::float::{is_finite, not_a_number};
import package::shared::loss::loss_component;
import package::shared::motion::{EquationSettings, equation_of_motion};
import package::shared::symmetric::{Factors, NOT_FINITE, is_deficient, project_onto_null_space, solve};
@if(FUSED) import package::shared::narrow::inputs;
@if(FUSED) import package::shared::narrow_functional_pass::coefficients;
@if(FUSED) import package::shared::narrow_jet_pass::second_derivatives;

@if(!FUSED) @group(0) @binding(0) var<uniform> settings: EquationSettings;
@if(FUSED) @group(0) @binding(12) var<storage, read> settings: EquationSettings;
@if(!FUSED) @group(0) @binding(1) var<storage, read> features: array<Feature>;
@if(FUSED) @group(0) @binding(13) var<storage, read> features: array<Feature>;
// [rows, stride].
@if(!FUSED) @group(0) @binding(2) var<storage, read> slopes: array<f32>;
@if(FUSED) @group(0) @binding(14) var<storage, read> slopes: array<f32>;
// ∂L/∂x, [rows, stride].
@if(!FUSED) @group(0) @binding(3) var<storage, read> input_bar: array<vec4<f32>>;
// [rows, PAIRS].
@if(!FUSED) @group(0) @binding(4) var<storage, read> second_derivatives: array<f32>;
// [rows, D].
@if(!FUSED) @group(0) @binding(5) var<storage, read> target_rates: array<f32>;
@if(FUSED) @group(0) @binding(15) var<storage, read> target_rates: array<f32>;
// [rows], if the samples are weighted.
@if(!FUSED) @group(0) @binding(6) var<storage, read> weights: array<f32>;
@if(FUSED) @group(0) @binding(16) var<storage, read> weights: array<f32>;
// u and w over the tangents: [2, rows, D + 1].
@if(!FUSED) @group(0) @binding(7) var<storage, read_write> coefficients: array<f32>;
// The network's inputs, of which one channel [rows, stride] is a.
@if(!FUSED) @group(0) @binding(8) var<storage, read_write> inputs: array<vec4<f32>>;
// [rows]; NaN where an acceleration is not finite.
@if(!FUSED) @group(0) @binding(9) var<storage, read_write> losses: array<f32>;
@if(FUSED) @group(0) @binding(17) var<storage, read_write> losses: array<f32>;
// The vectors of the constant-rank terms: [4, rows, D], zero where the rank is full.
@if(!FUSED) @group(0) @binding(10) var<storage, read_write> terms: array<f32>;
// [models, 3], to which are added: the components whose error is not finite, the matrices that are not, those that are
// deficient.
@if(!FUSED) @group(0) @binding(11) var<storage, read_write> tally: array<atomic<u32>>;
@if(FUSED) @group(0) @binding(18) var<storage, read_write> tally: array<atomic<u32>>;
// What is added to r, [rows, D], if there is such.
@if(!FUSED) @group(0) @binding(12) var<storage, read> forces: array<f32>;
@if(FUSED) @group(0) @binding(19) var<storage, read> forces: array<f32>;

// Whether the samples have weights, and whether r has another part.
override WEIGHTED: u32;
override FORCED: u32;

// ∂L/∂x of input k.
fn input_bar_of(row: u32, k: u32) -> f32 {
    let at = row * settings.stride + k;
    @if(!FUSED) {
        return input_bar[at / 4u][at % 4u];
    }
    @if(FUSED) {
        return second_derivatives[settings.rows * PAIRS + at];
    }
}

fn in_unit(values: array<f32, D>, i: u32) -> f32 {
    var own = values;
    return own[i] * settings.units[i / 4u][i % 4u];
}

// The functionals of the constant-rank terms are −D_(0,left) D_(0,−right) L, with left = H⁺ v and right = P r, and with
// left = P λ and right = H⁺ q̈.
fn write_null_vectors(
    row: u32,
    inverse_v: array<f32, D>,
    null_force: array<f32, D>,
    null_cotangent: array<f32, D>,
    inverse_x: array<f32, D>,
) {
    for (var i = 0u; i < D; i++) {
        let own = vec4(
            in_unit(inverse_v, i),
            in_unit(null_force, i),
            in_unit(null_cotangent, i),
            in_unit(inverse_x, i),
        );
        @if(!FUSED) {
            for (var term = 0u; term < 4u; term++) {
                terms[(term * settings.rows + row) * D + i] = own[term];
            }
        }
        // u and w of two more sweeps.
        @if(FUSED) {
            let sign = vec4(1.0, -1.0, 1.0, -1.0) * own;
            for (var term = 0u; term < 4u; term++) {
                coefficients[((2u + term) * settings.rows + row) * (D + 1u) + i] = sign[term];
            }
        }
    }
    @if(FUSED) {
        for (var term = 0u; term < 4u; term++) {
            coefficients[((2u + term) * settings.rows + row) * (D + 1u) + D] = 0.0;
        }
    }
}

// Whether the gradient of this row has constant-rank terms.
fn differentiate_row(row: u32) -> bool {
    let start4 = row * settings.stride / 4u;
    let own_tally = 3u * (row / settings.model_rows);
    var force: array<f32, D>;
    if FORCED != 0u {
        for (var i = 0u; i < D; i++) {
            force[i] = forces[row * D + i];
        }
    }
    for (var k = 0u; k < settings.features; k++) {
        let feature = features[k];
        if is_of_position(feature.kind) {
            let term = slopes[row * settings.stride + k] * input_bar_of(row, k);
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
        inputs[settings.first_a / 4u + start4 + k / 4u][k % 4u] = a;
    }

    if factors.rank == NOT_FINITE {
        atomicAdd(&tally[own_tally + 1u], 1u);
    }
    if !is_deficient(&factors) {
        write_null_vectors(row, array<f32, D>(), array<f32, D>(), array<f32, D>(), array<f32, D>());
        return false;
    }
    atomicAdd(&tally[own_tally + 2u], 1u);
    let inverse_v = solve(&factors, left);
    let null_force = project_onto_null_space(&factors, force);
    let null_cotangent = project_onto_null_space(&factors, cotangent);
    write_null_vectors(row, inverse_v, null_force, null_cotangent, solve(&factors, solution));
    return true;
}
