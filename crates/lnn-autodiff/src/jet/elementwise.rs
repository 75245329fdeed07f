//! The jet engine's elementwise passes, in vector code chosen at run time.
//!
//! Every function works on arrays of one layer and one block, which stay in cache between passes.

use crate::Real;
use crate::vectorised::vectorised;

/// Lanes of a split sum: the accumulators fill one vector register at any width.
const LANES: usize = 16;

/// Values a chunk where several outputs are written: results go through arrays of this length on the
/// stack, so that the compiler need not fear that the outputs overlap the inputs, and vectorises.
const CHUNK: usize = 64;

/// `x[r, n] += bias[n]` for every row.
pub(super) fn add_bias<T: Real>(x: &mut [T], bias: &[T]) {
    vectorised(
        (x, bias),
        #[inline(always)]
        |(x, bias)| {
            for row in x.chunks_exact_mut(bias.len()) {
                for (x, &b) in row.iter_mut().zip(bias) {
                    *x += b;
                }
            }
        },
    );
}

/// `sum[n] += Σ_r x[r, n]`.
pub(super) fn add_rows<T: Real>(sum: &mut [T], x: &[T]) {
    vectorised(
        (sum, x),
        #[inline(always)]
        |(sum, x)| {
            for row in x.chunks_exact(sum.len()) {
                for (s, &x) in sum.iter_mut().zip(row) {
                    *s += x;
                }
            }
        },
    );
}

/// `out = x ⊙ y`.
pub(super) fn multiply<T: Real>(out: &mut [T], x: &[T], y: &[T]) {
    vectorised(
        (out, x, y),
        #[inline(always)]
        |(out, x, y)| {
            for ((out, &x), &y) in out.iter_mut().zip(x).zip(y) {
                *out = x * y;
            }
        },
    );
}

/// `out[r, n] = Σ_i coefficient[r, i] · tangents[i, r, n]`.
pub(super) fn combine<T: Real>(out: &mut [T], tangents: &[T], coefficients: &[T], width: usize) {
    vectorised(
        (out, tangents, coefficients, width),
        #[inline(always)]
        |(out, tangents, coefficients, width)| {
            let channel = out.len();
            let count = tangents.len().checked_div(channel).unwrap_or(0);
            if count == 0 {
                // An empty sum; what an earlier block left must not stand.
                out.fill(T::ZERO);
                return;
            }
            for (row, out) in out.chunks_exact_mut(width).enumerate() {
                let coefficients = &coefficients[row * count..(row + 1) * count];
                for (i, &coefficient) in coefficients.iter().enumerate() {
                    let start = i * channel + row * width;
                    let tangent = &tangents[start..start + width];
                    if i == 0 {
                        for (out, &x) in out.iter_mut().zip(tangent) {
                            *out = coefficient * x;
                        }
                    } else {
                        for (out, &x) in out.iter_mut().zip(tangent) {
                            *out += coefficient * x;
                        }
                    }
                }
            }
        },
    );
}

/// `c_a = σ′ c_z − σ″ ż^u ż^w`.
pub(super) fn functional_forward<T: Real>(c_a: &mut [T], c_z: &[T], z_u: &[T], z_w: &[T], first: &[T], second: &[T]) {
    vectorised(
        (c_a, c_z, z_u, z_w, first, second),
        #[inline(always)]
        |(c_a, c_z, z_u, z_w, first, second)| {
            let n = c_a.len();
            let (c_z, z_u, z_w) = (&c_z[..n], &z_u[..n], &z_w[..n]);
            let (first, second) = (&first[..n], &second[..n]);
            for i in 0..n {
                c_a[i] = first[i] * c_z[i] - second[i] * (z_u[i] * z_w[i]);
            }
        },
    );
}

/// What the adjoint's elementwise step reads of one layer, each `[rows, width]`.
#[derive(Clone, Copy)]
pub(super) struct AdjointTerms<'a, T> {
    pub(super) first: &'a [T],
    pub(super) second: &'a [T],
    pub(super) third: &'a [T],
    pub(super) delta: &'a [T],
    pub(super) c_z: &'a [T],
    pub(super) z_u: &'a [T],
    pub(super) z_w: &'a [T],
}

/// Adds the terms of this layer to what came from the layer above:
///
/// `z̄ = β σ′ + α^u σ″ ż^u + α^w σ″ ż^w + δ (σ″ c_z − σ‴ ż^u ż^w)`,
/// `ż̄^u = α^u σ′ − δ σ″ ż^w`, `ż̄^w = α^w σ′ − δ σ″ ż^u`.
///
/// `above` is `[β, α^u, α^w]`, or empty at the last hidden layer where all three are zero.
pub(super) fn functional_reverse<T: Real>(bars: &mut [T], above: &[T], terms: AdjointTerms<'_, T>) {
    vectorised(
        (bars, above, terms),
        #[inline(always)]
        |(bars, above, terms)| functional_reverse_kernel(bars, above, terms),
    );
}

#[inline(always)]
fn functional_reverse_kernel<T: Real>(bars: &mut [T], above: &[T], terms: AdjointTerms<'_, T>) {
    let n = terms.delta.len();
    let zeros = [T::ZERO; CHUNK];
    let [mut z_bar, mut u_bar, mut w_bar] = [zeros; 3];
    let mut start = 0;
    while start < n {
        let length = CHUNK.min(n - start);
        let part = |x: &'_ [T]| -> [T; CHUNK] {
            let mut copy = zeros;
            copy[..length].copy_from_slice(&x[start..start + length]);
            copy
        };
        let (first, second, third) = (part(terms.first), part(terms.second), part(terms.third));
        let (delta, c_z) = (part(terms.delta), part(terms.c_z));
        let (z_u, z_w) = (part(terms.z_u), part(terms.z_w));
        for i in 0..CHUNK {
            let curvature = delta[i] * second[i];
            z_bar[i] = curvature * c_z[i] - delta[i] * third[i] * (z_u[i] * z_w[i]);
            u_bar[i] = -curvature * z_w[i];
            w_bar[i] = -curvature * z_u[i];
        }
        if !above.is_empty() {
            let beta = part(&above[..n]);
            let (alpha_u, alpha_w) = (part(&above[n..2 * n]), part(&above[2 * n..3 * n]));
            for i in 0..CHUNK {
                z_bar[i] += beta[i] * first[i] + second[i] * (alpha_u[i] * z_u[i] + alpha_w[i] * z_w[i]);
                u_bar[i] += alpha_u[i] * first[i];
                w_bar[i] += alpha_w[i] * first[i];
            }
        }
        for (channel, result) in [&z_bar, &u_bar, &w_bar].into_iter().enumerate() {
            let place = channel * n + start;
            bars[place..place + length].copy_from_slice(&result[..length]);
        }
        start += length;
    }
}

/// `out[r, p] += Σ_n g[r, n] ż^i[r, n] ż^j[r, n]` with g = δ ⊙ σ″, for each pair p = (i, j).
///
/// The sum runs in a fixed number of lanes, so its order does not depend on the machine.
pub(super) fn contract_pairs<T: Real>(
    out: &mut [T],
    delta: &[T],
    second: &[T],
    tangents: &[T],
    pairs: &[(usize, usize)],
    width: usize,
) {
    vectorised(
        (out, delta, second, tangents, pairs, width),
        #[inline(always)]
        |(out, delta, second, tangents, pairs, width)| {
            let channel = delta.len();
            for (row, out) in out.chunks_exact_mut(pairs.len()).enumerate() {
                let start = row * width;
                let delta = &delta[start..start + width];
                let second = &second[start..start + width];
                for (out, &(i, j)) in out.iter_mut().zip(pairs) {
                    let left = &tangents[i * channel + start..i * channel + start + width];
                    let right = &tangents[j * channel + start..j * channel + start + width];
                    *out += weighted_dot(delta, second, left, right);
                }
            }
        },
    );
}

/// `Σ a b x y` in fixed lanes.
#[inline(always)]
fn weighted_dot<T: Real>(a: &[T], b: &[T], x: &[T], y: &[T]) -> T {
    let mut lanes = [T::ZERO; LANES];
    let chunks = a.chunks_exact(LANES).zip(b.chunks_exact(LANES));
    let chunks = chunks.zip(x.chunks_exact(LANES).zip(y.chunks_exact(LANES)));
    for ((a, b), (x, y)) in chunks {
        for lane in 0..LANES {
            lanes[lane] += (a[lane] * b[lane]) * (x[lane] * y[lane]);
        }
    }
    let mut total = T::ZERO;
    for k in a.len() - a.len() % LANES..a.len() {
        total += (a[k] * b[k]) * (x[k] * y[k]);
    }
    for lane in lanes {
        total += lane;
    }
    total
}
