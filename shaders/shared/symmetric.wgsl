// The pseudoinverse of one symmetric D × D matrix: H = V Λ Vᵀ by cyclic Jacobi rotations, H⁺ = V Λ⁺ Vᵀ. The twin is
// `pseudoinverse` of `lnn-autodiff`, and its names and order of operations are kept.

import constants::D;
import package::shared::float::{EPSILON, LARGEST_INVERTED, SMALLEST, copy_sign, is_finite, not_a_number};

const DD = D * D;

// Rank of a matrix that is not finite, or whose eigenvalues nearly overflow.
const NOT_FINITE = 0xffffffffu;

// Quadratic convergence needs some eight; the limit is reached only where an eigenvalue overflowed.
const MAX_SWEEPS = 30u;

// Which eigenvalues count as zero, and the units of the coordinates, by four.
struct PseudoinverseSettings {
    rows: u32,
    relative: f32,
    absolute: f32,
    units: array<vec4<f32>, 2>,
}

struct Factors {
    // Eigenvectors in columns.
    vectors: array<f32, DD>,
    // λ⁺; all NaN where the rank is `NOT_FINITE`.
    inverses: array<f32, D>,
    rank: u32,
}

// (x, y) ← (c x − s y, s x + c y).
fn turn(matrix: ptr<function, array<f32, DD>>, x: u32, y: u32, cosine: f32, sine: f32) {
    let old_x = (*matrix)[x];
    let old_y = (*matrix)[y];
    (*matrix)[x] = cosine * old_x - sine * old_y;
    (*matrix)[y] = sine * old_x + cosine * old_y;
}

// Annihilates entry (p, q), of which only the upper one is there; whether it was not negligible.
fn rotate(a: ptr<function, array<f32, DD>>, vectors: ptr<function, array<f32, DD>>, p: u32, q: u32) -> bool {
    const negligible = 0.25 * EPSILON;
    let off = (*a)[p * D + q];
    let app = (*a)[p * D + p];
    let aqq = (*a)[q * D + q];
    let scale = sqrt(abs(app)) * sqrt(abs(aqq));
    // Below ε² of the larger entry a rotation changes neither, even where the smaller one is zero.
    let larger = max(abs(app), abs(aqq));
    (*a)[p * D + q] = 0.0;
    if abs(off) <= negligible * scale || abs(off) <= negligible * negligible * larger {
        return false;
    }
    let theta = (aqq - app) * 0.5 / off;
    var tangent = copy_sign(1.0, theta) / (abs(theta) + sqrt(theta * theta + 1.0));
    if abs(theta) > 1.0 / EPSILON {
        tangent = 0.5 / theta;
    }
    let cosine = 1.0 / sqrt(tangent * tangent + 1.0);
    let sine = tangent * cosine;
    (*a)[p * D + p] = app - tangent * off;
    (*a)[q * D + q] = aqq + tangent * off;
    for (var k = 0u; k < D; k++) {
        if k != p && k != q {
            turn(a, min(k, p) * D + max(k, p), min(k, q) * D + max(k, q), cosine, sine);
        }
        turn(vectors, k * D + p, k * D + q, cosine, sine);
    }
    return true;
}

// Factors the matrix, whose upper triangle is read and destroyed. λ counts as zero if |λ| ≤ max(relative · max |λ|,
// absolute), and if the device may take it for zero.
fn factor(a: ptr<function, array<f32, DD>>, relative: f32, absolute: f32, factors: ptr<function, Factors>) {
    var finite = true;
    for (var i = 0u; i < DD; i++) {
        finite = finite && is_finite((*a)[i]);
        (*factors).vectors[i] = 0.0;
    }
    for (var k = 0u; k < D; k++) {
        (*factors).vectors[k * D + k] = 1.0;
    }
    var rotated = finite;
    var vectors = (*factors).vectors;
    for (var sweep = 0u; rotated && sweep < MAX_SWEEPS; sweep++) {
        rotated = false;
        for (var p = 0u; p < D; p++) {
            for (var q = p + 1u; q < D; q++) {
                let turned = rotate(a, &vectors, p, q);
                rotated = rotated || turned;
            }
        }
    }
    (*factors).vectors = vectors;
    var largest = 0.0;
    for (var k = 0u; k < D; k++) {
        let value = (*a)[k * D + k];
        finite = finite && is_finite(value) && abs(value) <= LARGEST_INVERTED;
        largest = max(largest, abs(value));
    }
    if !finite || rotated {
        (*factors).rank = NOT_FINITE;
        for (var k = 0u; k < D; k++) {
            (*factors).inverses[k] = not_a_number(k);
        }
        return;
    }
    let threshold = max(relative * largest, absolute);
    var rank = 0u;
    for (var k = 0u; k < D; k++) {
        let value = (*a)[k * D + k];
        let counts = abs(value) > threshold && abs(value) >= SMALLEST;
        (*factors).inverses[k] = 0.0;
        if counts {
            (*factors).inverses[k] = 1.0 / value;
            rank++;
        }
    }
    (*factors).rank = rank;
}

// x = V f(Λ⁺) Vᵀ b.
fn apply(factors: ptr<function, Factors>, weights: array<f32, D>, b: array<f32, D>) -> array<f32, D> {
    var right = b;
    var scaled = weights;
    for (var k = 0u; k < D; k++) {
        var projection = 0.0;
        for (var i = 0u; i < D; i++) {
            projection += (*factors).vectors[i * D + k] * right[i];
        }
        scaled[k] *= projection;
    }
    var x = array<f32, D>();
    for (var i = 0u; i < D; i++) {
        for (var k = 0u; k < D; k++) {
            x[i] += scaled[k] * (*factors).vectors[i * D + k];
        }
    }
    return x;
}

// x = H⁺ b.
fn solve(factors: ptr<function, Factors>, b: array<f32, D>) -> array<f32, D> {
    return apply(factors, (*factors).inverses, b);
}

// x = P b with P = I − H H⁺, the orthogonal projection onto the null space.
fn project_onto_null_space(factors: ptr<function, Factors>, b: array<f32, D>) -> array<f32, D> {
    var weights = array<f32, D>();
    for (var k = 0u; k < D; k++) {
        weights[k] = select(0.0, 1.0, (*factors).inverses[k] == 0.0);
    }
    return apply(factors, weights, b);
}

// Whether the matrix is finite, and its rank below D.
fn is_deficient(factors: ptr<function, Factors>) -> bool {
    return (*factors).rank < D;
}

// Component i of the units.
fn unit(settings: PseudoinverseSettings, i: u32) -> f32 {
    return settings.units[i / 4u][i % 4u];
}
