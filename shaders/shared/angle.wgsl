// Angles modulo a turn, in whole numbers: exact for every finite angle, whatever a compiler does with sums of floating
// numbers, and with sines that are right to the last digits, which those of WGSL are not.

import package::shared::float::{is_finite, not_a_number};
import package::shared::wide::{add_wide, leading_zeros_wide, multiply_words, negate_wide, shift_left_wide, shift_right_wide};
import package::shared::wide::subtract_wide;

const TURN = 6.2831855;

// The largest number below π, which needs no wrapping.
const BELOW_HALF_TURN = 3.1415925;

struct SineCosine {
    sine: f32,
    cosine: f32,
}

// 32 zero bits, then those of 1/2π behind its point.
fn inverse_turn(word: u32) -> u32 {
    switch word {
        case 1u: { return 0x28be60dbu; }
        case 2u: { return 0x9391054au; }
        case 3u: { return 0x7f09d5f4u; }
        case 4u: { return 0x7d4d3770u; }
        case 5u: { return 0x36d8a566u; }
        case 6u: { return 0x4f10e410u; }
        case 7u: { return 0x7f9458eau; }
        default: { return 0u; }
    }
}

// The part of x/2π behind the point, in units of 2⁻⁶⁴ turns, for a finite x (Payne and Hanek 1983).
fn turns(x: f32) -> vec2<u32> {
    let bits = bitcast<u32>(x);
    let significand = (bits & 0x7fffffu) | 0x800000u;
    // |x| is significand · 2^(exponent − 150). Bits of 1/2π that make whole turns are left out.
    let exponent = (bits >> 23u) & 0xffu;
    let start = max(exponent, 119u) - 118u;
    let word = start >> 5u;
    let shift = start & 31u;
    let first = shift_left_wide(vec2<u32>(inverse_turn(word + 1u), inverse_turn(word)), shift).y;
    let second = shift_left_wide(vec2<u32>(inverse_turn(word + 2u), inverse_turn(word + 1u)), shift).y;
    let third = shift_left_wide(vec2<u32>(inverse_turn(word + 3u), inverse_turn(word + 2u)), shift).y;
    let low = vec2<u32>(multiply_words(significand, third).y, 0u);
    let product = add_wide(low, multiply_words(significand, second));
    var fraction = vec2<u32>(product.x, product.y + significand * first);
    if exponent < 119u {
        fraction = shift_right_wide(fraction, 119u - exponent);
    }
    if x < 0.0 {
        return negate_wide(fraction);
    }
    return fraction;
}

// The angle in [−π, π) of so many 2⁻⁶⁴ turns.
fn radians_of(fraction: vec2<u32>) -> f32 {
    let negative = (fraction.y & 0x80000000u) != 0u;
    var size = fraction;
    if negative {
        size = negate_wide(fraction);
    }
    let zeros = leading_zeros_wide(size);
    if zeros >= 64u {
        return 0.0;
    }
    let top = shift_left_wide(size, zeros).y;
    let rounded = f32((top >> 8u) + ((top >> 7u) & 1u));
    let radians = rounded * bitcast<f32>((103u - zeros) << 23u) * TURN;
    return select(radians, -radians, negative);
}

// Sine and cosine of so many 2⁻⁶⁴ turns.
fn sine_cosine_of(fraction: vec2<u32>) -> SineCosine {
    let quadrant = (fraction.y + 0x20000000u) >> 30u;
    return in_quadrant(quadrant, radians_of(subtract_wide(fraction, vec2<u32>(0u, quadrant << 30u))));
}

// Sine and cosine of quadrant · π/2 + r for |r| ≤ π/4 (Moshier, Cephes, sinf).
fn in_quadrant(quadrant: u32, r: f32) -> SineCosine {
    let z = r * r;
    let sine = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
    let cosine = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0;
    let swapped = (quadrant & 1u) != 0u;
    let s = select(sine, cosine, swapped);
    let c = select(cosine, sine, swapped);
    return SineCosine(
        select(s, -s, (quadrant & 2u) != 0u),
        select(c, -c, ((quadrant + 1u) & 2u) != 0u),
    );
}

// Sine and cosine of an angle in radians; NaN of one that is not finite.
fn sine_cosine(x: f32) -> SineCosine {
    if !is_finite(x) {
        let lost = not_a_number(bitcast<u32>(x));
        return SineCosine(lost, lost);
    }
    if abs(x) <= 0.785 {
        return in_quadrant(0u, x);
    }
    return sine_cosine_of(turns(x));
}

// The angle's representative in [−π, π); NaN of one that is not finite.
fn wrap(x: f32) -> f32 {
    if !is_finite(x) {
        return not_a_number(bitcast<u32>(x));
    }
    if abs(x) <= BELOW_HALF_TURN {
        return x;
    }
    return radians_of(turns(x));
}
