// Activations with their first three derivatives, four units at a time, by the formulas of the CPU engine
// (lnn-autodiff, activation/): each keeps its relative accuracy in both tails.

// Which one: the place in `Activation::ALL`. Folded when the pipeline is made, and with it all other branches.
override ACTIVATION: u32;

const SOFTPLUS = 0u;
const TANH = 1u;
const SIGMOID = 2u;
const GELU = 3u;
const SILU = 4u;
const RELU2 = 5u;
const RELU3 = 6u;

// σ, σ′, σ″, σ‴; what is not used is not computed.
struct Derivatives {
    value: vec4<f32>,
    first: vec4<f32>,
    second: vec4<f32>,
    third: vec4<f32>,
}

// x = n ln 2 + r with |r| ≤ ½ ln 2, and m1 = e^r − 1 by Taylor's series to degree 7.
struct Reduced {
    m1: vec4<f32>,
    n: vec4<f32>,
}

fn reduce_exponent(argument: vec4<f32>) -> Reduced {
    // Below −87 the result would leave the normal numbers. A NaN is let through.
    let x = select(argument, vec4(-87.0), argument < vec4(-87.0));
    let n = round(x * 1.44269504);
    // ln 2 in two parts: the first has trailing zero bits, so that its product with n is exact.
    let r = (x - n * 0.693359375) + n * 2.12194440e-4;
    var series = vec4(1.0 / 5040.0);
    series = series * r + 1.0 / 720.0;
    series = series * r + 1.0 / 120.0;
    series = series * r + 1.0 / 24.0;
    series = series * r + 1.0 / 6.0;
    series = series * r + 0.5;
    return Reduced(r + r * r * series, n);
}

fn power_of_two(n: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>((vec4<i32>(n) + 127) << vec4(23u));
}

// e^x for x ≤ 0; at least the smallest normal number.
fn exp_nonpositive(x: vec4<f32>) -> vec4<f32> {
    let reduced = reduce_exponent(x);
    return (1.0 + reduced.m1) * power_of_two(reduced.n);
}

// e^x − 1 for x ≤ 0, accurate near 0.
fn exp_m1_nonpositive(x: vec4<f32>) -> vec4<f32> {
    let reduced = reduce_exponent(x);
    let power = power_of_two(reduced.n);
    return power * reduced.m1 + (power - 1.0);
}

// ln(1 + e) for 0 ≤ e ≤ 1: 2 artanh(s), the argument halved above √2 − 1, so that |s| ≤ 0.172.
fn ln_1p_unit(e: vec4<f32>) -> vec4<f32> {
    let halve = e > vec4(0.41421356);
    let numerator = select(e, e - 1.0, halve);
    let denominator = select(e + 2.0, e + 3.0, halve);
    let offset = select(vec4(0.0), vec4(0.69314718), halve);
    let s = numerator / denominator;
    let s2 = s * s;
    var series = vec4(1.0 / 9.0);
    series = series * s2 + 1.0 / 7.0;
    series = series * s2 + 0.2;
    series = series * s2 + 1.0 / 3.0;
    return offset + (2.0 * s + 2.0 * s * s2 * series);
}

// erfc by the rational Chebyshev fit of Press et al., Numerical Recipes, section 6.2: relative error below 1.2e-7.
fn erfc(x: vec4<f32>) -> vec4<f32> {
    let z = abs(x);
    let t = 1.0 / (1.0 + 0.5 * z);
    var fit = vec4(0.17087277);
    fit = fit * t - 0.82215223;
    fit = fit * t + 1.48851587;
    fit = fit * t - 1.13520398;
    fit = fit * t + 0.27886807;
    fit = fit * t - 0.18628806;
    fit = fit * t + 0.09678418;
    fit = fit * t + 0.37409196;
    fit = fit * t + 1.00002368;
    fit = fit * t - 1.26551223;
    let upper = t * exp_nonpositive(fit - z * z);
    return select(upper, 2.0 - upper, x < vec4(0.0));
}

// max(z, 0) that lets NaN through.
fn positive_part(z: vec4<f32>) -> vec4<f32> {
    return select(z, vec4(0.0), z < vec4(0.0));
}

// e^{−|z|}, s and 1 − s with s the logistic function; neither is formed by cancellation.
struct Logistic {
    e: vec4<f32>,
    s: vec4<f32>,
    complement: vec4<f32>,
}

fn logistic(z: vec4<f32>) -> Logistic {
    let e = exp_nonpositive(-abs(z));
    let large = 1.0 / (1.0 + e);
    let small = e * large;
    let negative = z < vec4(0.0);
    return Logistic(e, select(large, small, negative), select(small, large, negative));
}

fn softplus(z: vec4<f32>) -> Derivatives {
    let l = logistic(z);
    let second = l.s * l.complement;
    return Derivatives(positive_part(z) + ln_1p_unit(l.e), l.s, second, second * (l.complement - l.s));
}

fn sigmoid(z: vec4<f32>) -> Derivatives {
    let l = logistic(z);
    let first = l.s * l.complement;
    return Derivatives(l.s, first, first * (l.complement - l.s), first * (1.0 - 6.0 * first));
}

fn silu(z: vec4<f32>) -> Derivatives {
    let l = logistic(z);
    // Far out the exponential is held at the smallest normal number, which a large z would magnify.
    let settled = abs(z) > vec4(1e3);
    let p = select(l.s * l.complement, vec4(0.0), settled);
    let dp = p * (l.complement - l.s);
    let ddp = p * (1.0 - 6.0 * p);
    let value = select(z * l.s, positive_part(z), settled);
    return Derivatives(value, l.s + z * p, 2.0 * p + z * dp, 3.0 * dp + z * ddp);
}

fn hyperbolic_tangent(z: vec4<f32>) -> Derivatives {
    let m1 = exp_m1_nonpositive(-2.0 * abs(z));
    let denominator = 2.0 + m1;
    let magnitude = -m1 / denominator;
    let t = select(magnitude, -magnitude, z < vec4(0.0));
    // 1 + m1 cancels in the tail, so the exponential is formed afresh.
    let first = 4.0 * exp_nonpositive(-2.0 * abs(z)) / (denominator * denominator);
    return Derivatives(t, first, -2.0 * t * first, -2.0 * first * (first - 2.0 * t * t));
}

fn gelu(z: vec4<f32>) -> Derivatives {
    let cumulative = 0.5 * erfc(-z * 0.70710678);
    let z2 = z * z;
    let density = 0.39894228 * exp_nonpositive(-0.5 * z2);
    // Far out z² overflows before the density is exactly 0; the product is 0 there, not NaN.
    let settled = abs(z) > vec4(1e3);
    let zero = vec4(0.0);
    return Derivatives(
        select(z * cumulative, positive_part(z), settled),
        cumulative + select(z * density, zero, settled),
        select(density * (2.0 - z2), zero, settled),
        select(density * z * (z2 - 4.0), zero, settled),
    );
}

fn derivatives(z: vec4<f32>) -> Derivatives {
    switch ACTIVATION {
        case SOFTPLUS: {
            return softplus(z);
        }
        case TANH: {
            return hyperbolic_tangent(z);
        }
        case SIGMOID: {
            return sigmoid(z);
        }
        case GELU: {
            return gelu(z);
        }
        case SILU: {
            return silu(z);
        }
        case RELU2: {
            let p = positive_part(z);
            return Derivatives(p * p, 2.0 * p, select(vec4(0.0), vec4(2.0), z > vec4(0.0)), vec4(0.0));
        }
        case RELU3: {
            let p = positive_part(z);
            return Derivatives(p * p * p, 3.0 * p * p, 6.0 * p, select(vec4(0.0), vec4(6.0), z > vec4(0.0)));
        }
        default: {
            let slope = select(vec4(0.0), vec4(1.0), z > vec4(0.0));
            return Derivatives(positive_part(z), slope, vec4(0.0), vec4(0.0));
        }
    }
}
