// The standard normal distribution's inverse, and the hyperbolic tangent, in single precision.

import package::shared::binary64::{normalised, single_bits};
import package::shared::float::copy_sign;
import package::shared::wide::{add_wide, negate_wide, shift_left_wide, subtract_wide};

// integer · 2^exponent, the integer of 64 bits.
fn single(integer: vec2<u32>, exponent: i32, negative: bool) -> f32 {
    return bitcast<f32>(single_bits(normalised(integer, exponent, negative)));
}

// N at the centre of the cell of width 2⁻⁵³ that starts at `unit` · 2⁻⁵³ (Wichura 1988, AS 241, PPND7). Distances from a
// half and from the nearer end are formed in whole numbers, so that both keep their digits.
fn standard_normal(unit: vec2<u32>) -> f32 {
    let centre = add_wide(shift_left_wide(unit, 1u), vec2<u32>(1u, 0u));
    let half = vec2<u32>(0u, 0x00200000u);
    let upper = centre.y >= half.y;
    var distance = subtract_wide(half, centre);
    var tail = centre;
    if upper {
        distance = negate_wide(distance);
        tail = subtract_wide(shift_left_wide(half, 1u), centre);
    }
    let q = single(distance, -54, !upper);
    if abs(q) <= 0.425 {
        let r = 0.180625 - q * q;
        let numerator = ((59.109374720 * r + 159.29113202) * r + 50.434271938) * r + 3.3871327179;
        let denominator = ((67.187563600 * r + 78.757757664) * r + 17.895169469) * r + 1.0;
        return q * numerator / denominator;
    }
    let root = sqrt(-log(single(tail, -54, false)));
    if root <= 5.0 {
        let r = root - 1.6;
        let numerator = ((0.17023821103 * r + 1.3067284816) * r + 2.7568153900) * r + 1.4234372777;
        let denominator = (0.12021132975 * r + 0.73700164250) * r + 1.0;
        return copy_sign(numerator / denominator, q);
    }
    let r = root - 5.0;
    let numerator = ((0.017337203997 * r + 0.42868294337) * r + 3.0812263860) * r + 6.6579051150;
    let denominator = (0.012258202635 * r + 0.24197894225) * r + 1.0;
    return copy_sign(numerator / denominator, q);
}

// tanh x: WGSL's own may lose all digits near zero (Moshier, Cephes, tanhf).
fn hyperbolic_tangent(x: f32) -> f32 {
    let size = abs(x);
    if size > 9.0 {
        return copy_sign(1.0, x);
    }
    if size >= 0.625 {
        return copy_sign(1.0 - 2.0 / (exp(2.0 * size) + 1.0), x);
    }
    let z = x * x;
    let series = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z;
    return (series - 3.33332819422e-1) * z * x + x;
}
