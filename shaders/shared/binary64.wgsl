// Sums and products of double precision in whole numbers, rounded as a processor does: to nearest, ties to even. A number
// is ± significand · 2^exponent, the significand zero or with its highest bit set. The exponent has no limits, so that
// what would be subnormal keeps its digits; in single precision, which is what these numbers end in, that is zero.

import package::shared::wide::{
    add_wide, leading_zeros_wide, multiply_words, shift_left_wide, shift_right_wide, subtract_wide
};

struct Binary64 {
    significand: vec2<u32>,
    exponent: i32,
    negative: bool,
}

// integer · 2^exponent, unrounded.
fn normalised(integer: vec2<u32>, exponent: i32, negative: bool) -> Binary64 {
    let zeros = leading_zeros_wide(integer);
    return Binary64(shift_left_wide(integer, zeros), exponent - i32(zeros), negative);
}

// From the bits, low word first, of a finite number.
fn from_bits(bits: vec2<u32>) -> Binary64 {
    let field = (bits.y >> 20u) & 0x7ffu;
    let hidden = select(0u, 0x100000u, field > 0u);
    let integer = vec2<u32>(bits.x, (bits.y & 0xfffffu) | hidden);
    return normalised(integer, i32(max(field, 1u)) - 1075, (bits.y >> 31u) != 0u);
}

fn is_zero(x: Binary64) -> bool {
    return (x.significand.x | x.significand.y) == 0u;
}

// To 53 bits; the lowest of the 64 also stands for all that was cut off below it.
fn rounded(x: Binary64) -> Binary64 {
    let cut = x.significand.x & 0x7ffu;
    let odd = (x.significand.x & 0x800u) != 0u;
    let kept = vec2<u32>(x.significand.x & 0xfffff800u, x.significand.y);
    if cut > 0x400u || (cut == 0x400u && odd) {
        let up = add_wide(kept, vec2<u32>(0x800u, 0u));
        if up.y < kept.y {
            return Binary64(vec2<u32>(0u, 0x80000000u), x.exponent + 1, x.negative);
        }
        return Binary64(up, x.exponent, x.negative);
    }
    return Binary64(kept, x.exponent, x.negative);
}

// A shift to the right that keeps in the lowest bit whether any that fell out was set.
fn shift_right_sticky(a: vec2<u32>, by: u32) -> vec2<u32> {
    let shifted = shift_right_wide(a, by);
    let back = shift_left_wide(shifted, by);
    let lost = by >= 64u || back.x != a.x || back.y != a.y;
    return vec2<u32>(shifted.x | select(0u, 1u, lost && (a.x | a.y) != 0u), shifted.y);
}

fn multiply(a: Binary64, b: Binary64) -> Binary64 {
    let negative = a.negative != b.negative;
    if is_zero(a) || is_zero(b) {
        return Binary64(vec2<u32>(0u, 0u), 0, negative);
    }
    let low = multiply_words(a.significand.x, b.significand.x);
    let left = multiply_words(a.significand.y, b.significand.x);
    let right = multiply_words(a.significand.x, b.significand.y);
    let high = multiply_words(a.significand.y, b.significand.y);
    let middle = add_wide(add_wide(vec2<u32>(left.x, 0u), vec2<u32>(right.x, 0u)), vec2<u32>(low.y, 0u));
    let top = add_wide(add_wide(high, vec2<u32>(middle.y, 0u)), add_wide(vec2<u32>(left.y, 0u), vec2<u32>(right.y, 0u)));
    // Both had their highest bit, so the product has one of its two highest.
    if (top.y & 0x80000000u) != 0u {
        let sticky = select(0u, 1u, (middle.x | low.x) != 0u);
        return rounded(Binary64(vec2<u32>(top.x | sticky, top.y), a.exponent + b.exponent + 64, negative));
    }
    let shifted = vec2<u32>((top.x << 1u) | (middle.x >> 31u), (top.y << 1u) | (top.x >> 31u));
    let sticky = select(0u, 1u, ((middle.x << 1u) | low.x) != 0u);
    return rounded(Binary64(vec2<u32>(shifted.x | sticky, shifted.y), a.exponent + b.exponent + 63, negative));
}

fn add(a: Binary64, b: Binary64) -> Binary64 {
    if is_zero(b) {
        return a;
    }
    if is_zero(a) {
        return b;
    }
    let a_below = a.exponent < b.exponent || (a.exponent == b.exponent && is_below(a.significand, b.significand));
    var large = a;
    var small = b;
    if a_below {
        large = b;
        small = a;
    }
    let aligned = shift_right_sticky(small.significand, u32(large.exponent - small.exponent));
    if a.negative != b.negative {
        let difference = subtract_wide(large.significand, aligned);
        if (difference.x | difference.y) == 0u {
            return Binary64(difference, 0, false);
        }
        return rounded(normalised(difference, large.exponent, large.negative));
    }
    let sum = add_wide(large.significand, aligned);
    if is_below(sum, large.significand) {
        let halved = shift_right_sticky(sum, 1u);
        return rounded(Binary64(vec2<u32>(halved.x, halved.y | 0x80000000u), large.exponent + 1, large.negative));
    }
    return rounded(Binary64(sum, large.exponent, large.negative));
}

fn is_below(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

// The bits of the nearest number of single precision, ties to even; an infinity where there is none.
fn single_bits(x: Binary64) -> u32 {
    let sign = select(0u, 0x80000000u, x.negative);
    if is_zero(x) {
        return sign;
    }
    let power = x.exponent + 63;
    if power > 127 {
        return sign | 0x7f800000u;
    }
    // Below the smallest normal number digits are lost first.
    let lost = u32(max(-126 - power, 0));
    let significand = shift_right_sticky(x.significand, lost);
    var top = significand.y >> 8u;
    let cut = significand.y & 0xffu;
    if cut > 0x80u || (cut == 0x80u && (significand.x != 0u || (top & 1u) != 0u)) {
        top++;
    }
    // A carry out of the digits, and the highest digit itself, add to the exponent.
    return sign | ((u32(max(power, -126) + 126) << 23u) + top);
}
