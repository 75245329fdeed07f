// The equation of motion of one row, from the network's derivatives: what `pull_back_features`, `assemble_motion`,
// `factor_symmetric` and `solve_symmetric` do one after the other, without a way through memory.

import constants::{D, PAIRS};
import package::shared::symmetric::{DD, Factors, factor, solve};

struct EquationSettings {
    rows: u32,
    features: u32,
    stride: u32,
    // The channel of the network's inputs that is a.
    first_a: u32,
    relative: f32,
    absolute: f32,
    loss_scale: f32,
    per_batch: f32,
    // Of an ensemble those of one model.
    model_rows: u32,
    // Of the coordinates, by four: residual masses, units of the velocities, and 1 / units of the errors.
    masses: array<vec4<f32>, 2>,
    units: array<vec4<f32>, 2>,
    per_unit: array<vec4<f32>, 2>,
}

// (U H U)⁺ U r, and the factors of U H U, from the upper triangle of H by rows, each followed by its entry of (∂²L/∂q̇∂qᵀ) q̇. Of ∂L/∂q, which `force` holds before, U r is made.
fn equation_of_motion(
    force: ptr<function, array<f32, D>>,
    second_derivatives: ptr<function, array<f32, PAIRS>>,
    masses: array<vec4<f32>, 2>,
    units: array<vec4<f32>, 2>,
    tolerance: vec2<f32>,
    factors: ptr<function, Factors>,
) -> array<f32, D> {
    var mass = masses;
    var unit = units;
    var matrix: array<f32, DD>;
    var pair = 0u;
    for (var i = 0u; i < D; i++) {
        let of_row = unit[i / 4u][i % 4u];
        for (var j = i; j < D; j++) {
            let residual = select(0.0, mass[i / 4u][i % 4u], i == j);
            let entry = ((*second_derivatives)[pair] + residual) * of_row * unit[j / 4u][j % 4u];
            matrix[i * D + j] = entry;
            matrix[j * D + i] = entry;
            pair++;
        }
        (*force)[i] = ((*force)[i] - (*second_derivatives)[pair]) * of_row;
        pair++;
    }
    factor(&matrix, tolerance.x, tolerance.y, factors);
    return solve(factors, *force);
}
