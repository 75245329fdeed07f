// What a compiler that takes all numbers for finite would get wrong, by the bits of single precision.

const SIGN = 0x80000000u;
const EXPONENT = 0x7f800000u;
const QUIET_NAN = 0x7fc00000u;

const EPSILON = 1.1920929e-7;
// Smallest normal number: a device may take anything smaller for zero.
const SMALLEST = 1.17549435e-38;
// Above it the reciprocal may be taken for zero.
const LARGEST_INVERTED = 8.507059e37;

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & EXPONENT) != EXPONENT;
}

// NaN with `payload`, which has to be a number of the running program: a constant NaN is refused by WGSL.
fn not_a_number(payload: u32) -> f32 {
    return bitcast<f32>(QUIET_NAN | (payload & 0xffffu));
}

// |x| with the sign of y, that of a zero included.
fn copy_sign(x: f32, y: f32) -> f32 {
    return bitcast<f32>((bitcast<u32>(x) & ~SIGN) | (bitcast<u32>(y) & SIGN));
}
