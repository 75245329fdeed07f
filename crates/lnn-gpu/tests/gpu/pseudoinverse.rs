//! Factors, solves and their vector-Jacobian product against the twin in single and double precision.

use bytemuck::{Pod, Zeroable};
use lnn_autodiff::pseudoinverse::{RankDeficientTerms, SymmetricFactors, Tolerance};
use lnn_gpu::device::Buffer;
use lnn_gpu::kernels;
use lnn_gpu::pseudoinverse::{MAX_DIMENSION, NOT_FINITE, PseudoinverseSettings, SolveVjpBuffers};
use proptest::prelude::*;

use crate::close::beyond;
use crate::ground::{Case, device};

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Constants {
    rows: u32,
    relative: f32,
    absolute: f32,
    padding: u32,
    units: [f32; 8],
}

fn constants(d: usize, rows: usize) -> Constants {
    let Tolerance { relative, absolute } = Tolerance::for_dimension::<f32>(d);
    let (relative, absolute) = (relative as f32, absolute as f32);
    Constants { rows: rows as u32, relative, absolute, padding: 0, units: [1.0; 8] }
}

/// What the kernel makes of a batch.
struct Factored {
    vectors: Vec<f32>,
    inverses: Vec<f32>,
    ranks: Vec<u32>,
    tally: [u32; 2],
}

fn factor(d: usize, constants: &Constants, matrices: &[f32]) -> Factored {
    let rows = constants.rows as usize;
    let source = kernels::FACTOR_SYMMETRIC.variant(&[("D", d as u32)]).unwrap();
    let [vectors, inverses, ranks, tally] = Case::new(source)
        .constants(constants)
        .read(matrices)
        .write(rows * d * d)
        .write(rows * d)
        .write(rows)
        .update(&[10_u32, 20])
        .run([rows.div_ceil(64) as u32, 1, 1])
        .try_into()
        .unwrap();
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
    let tally = bits(tally);
    Factored { vectors, inverses, ranks: bits(ranks), tally: [tally[0] - 10, tally[1] - 20] }
}

fn solve(d: usize, constants: &Constants, factored: &Factored, b: &[f32]) -> Vec<f32> {
    let rows = constants.rows as usize;
    let case = Case::new(kernels::SOLVE_SYMMETRIC.variant(&[("D", d as u32)]).unwrap());
    let case = case.constants(constants).read(&factored.vectors).read(&factored.inverses).read(b).write(rows * d);
    case.run([rows.div_ceil(64) as u32, 1, 1]).remove(0)
}

/// v and the four terms, `[5]` of `[rows, d]`.
fn solve_vjp(d: usize, constants: &Constants, factored: &Factored, [b, x, lambda]: [&[f32]; 3]) -> Vec<Vec<f32>> {
    let rows = constants.rows as usize;
    let case = Case::new(kernels::SOLVE_SYMMETRIC_VJP.variant(&[("D", d as u32)]).unwrap());
    let case = case.constants(constants).read(&factored.vectors).read(&factored.inverses);
    let case = case.read(b).read(x).read(lambda).write(rows * d).write(4 * rows * d);
    let mut outputs = case.run([rows.div_ceil(64) as u32, 1, 1]);
    let terms = outputs.pop().unwrap();
    outputs.extend(terms.chunks(rows * d).map(<[f32]>::to_vec));
    outputs
}

/// `Σ_k λ_k w_k w_kᵀ` for an orthogonal W that `turn` chooses: rotations of every pair of axes.
fn matrix(eigenvalues: &[f64], turn: f64) -> Vec<f32> {
    let d = eigenvalues.len();
    let mut w = vec![0.0; d * d];
    for k in 0..d {
        w[k * d + k] = 1.0;
    }
    for p in 0..d {
        for q in p + 1..d {
            let (sine, cosine) = (turn * (1.0 + (3 * p + q) as f64)).sin_cos();
            for i in 0..d {
                let (x, y) = (w[i * d + p], w[i * d + q]);
                (w[i * d + p], w[i * d + q]) = (cosine * x - sine * y, sine * x + cosine * y);
            }
        }
    }
    let entry = |i: usize, j: usize| (0..d).map(|k| eigenvalues[k] * w[i * d + k] * w[j * d + k]).sum::<f64>();
    (0..d * d).map(|place| entry(place / d, place % d) as f32).collect()
}

/// A batch of dimension d: full rank of both signs, graded, and with each number of zero eigenvalues.
fn batch(d: usize, rows: usize) -> Vec<f32> {
    let mut matrices = Vec::new();
    for row in 0..rows {
        let mut eigenvalues: Vec<f64> =
            (0..d).map(|k| (0.5 + k as f64 + 0.1 * row as f64) * if (row + k) % 3 == 0 { -1.0 } else { 1.0 }).collect();
        // In turn full, graded by up to a hundred, one zero, two zeros, …, all zeros.
        match row % (d + 2) {
            0 => {}
            1 => eigenvalues.iter_mut().enumerate().for_each(|(k, value)| *value *= 0.01_f64.powf(k as f64 / d as f64)),
            zeros => eigenvalues[..zeros - 1].fill(0.0),
        }
        matrices.extend(matrix(&eigenvalues, 0.3 + 0.7 * row as f64));
    }
    matrices
}

fn numbers(count: usize, rate: f64) -> Vec<f32> {
    (0..count).map(|i| (3.0 * (rate * (i + 1) as f64).sin()) as f32).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&x| f64::from(x)).collect()
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The twin, in double precision, with the tolerance of single.
struct Reference {
    d: usize,
    factors: SymmetricFactors<f64>,
}

impl Reference {
    fn new(d: usize, matrices: &[f32]) -> Self {
        let mut factors = SymmetricFactors::new(d, matrices.len() / (d * d));
        factors.factor(&wide(matrices), Tolerance::for_dimension::<f32>(d));
        Self { d, factors }
    }

    /// Norms of H and of H⁺.
    fn norms(&self, row: usize) -> (f64, f64) {
        let eigenvalues = self.factors.eigenvalues(row);
        let largest = eigenvalues.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let threshold = Tolerance::for_dimension::<f32>(self.d).relative * largest;
        let counted = eigenvalues.iter().map(|value| value.abs()).filter(|&value| value > threshold);
        (largest, counted.fold(0.0, |norm: f64, value| norm.max(1.0 / value)))
    }

    /// How far a solve may be off: a backward error of `c d ε ‖H‖` is an error of ‖H‖ ‖H⁺‖² ‖b‖ times that.
    fn solve_tolerance(&self, row: usize, b: &[f64]) -> f64 {
        let (norm_of_h, norm_of_inverse) = self.norms(row);
        8.0 * self.d as f64 * f64::from(f32::EPSILON) * norm_of_h * norm_of_inverse * norm_of_inverse * norm(b)
            + f64::from(f32::MIN_POSITIVE)
    }
}

/// The first row in which the kernel's solution is further from the twin than it may be.
fn first_far(reference: &Reference, b: &[f32], got: &[f32]) -> Option<usize> {
    let d = reference.d;
    (0..b.len() / d).find(|&row| {
        let range = row * d..(row + 1) * d;
        let b = wide(&b[range.clone()]);
        let mut want = vec![0.0; d];
        reference.factors.solve(row, &b, &mut want);
        let difference: Vec<f64> = wide(&got[range]).iter().zip(&want).map(|(x, y)| x - y).collect();
        let tolerance = reference.solve_tolerance(row, &b);
        beyond(norm(&difference), tolerance)
    })
}

#[test]
fn ranks_and_solutions_are_those_of_the_twin_in_every_dimension() {
    for d in 1..=MAX_DIMENSION {
        for rows in [1, 63, 65, 130] {
            let (matrices, b) = (batch(d, rows), numbers(rows * d, 0.7));
            let constants = constants(d, rows);
            let factored = factor(d, &constants, &matrices);
            let reference = Reference::new(d, &matrices);
            let mut twin = SymmetricFactors::<f32>::new(d, rows);
            twin.factor(&matrices, Tolerance::for_dimension::<f32>(d));
            let ranks: Vec<usize> = factored.ranks.iter().map(|&rank| rank as usize).collect();
            assert_eq!(ranks, (0..rows).map(|row| twin.rank(row)).collect::<Vec<_>>(), "ranks, d = {d}");
            assert_eq!(ranks, (0..rows).map(|row| reference.factors.rank(row)).collect::<Vec<_>>(), "d = {d}");
            assert_eq!(factored.tally, [0, ranks.iter().filter(|&&rank| rank < d).count() as u32]);
            let got = solve(d, &constants, &factored, &b);
            assert_eq!(first_far(&reference, &b, &got), None, "solve, d = {d}, {rows} rows");
            // The twin does the same roundings, but for those of division and root on the device.
            for row in 0..rows {
                let range = row * d..(row + 1) * d;
                let mut want = vec![0.0; d];
                twin.solve(row, &b[range.clone()], &mut want);
                let tolerance = reference.solve_tolerance(row, &wide(&b[range.clone()]));
                let far = got[range].iter().zip(&want).any(|(x, y)| beyond(f64::from((x - y).abs()), tolerance));
                assert!(!far, "twin, d = {d}, row {row}");
            }
        }
    }
}

#[test]
fn a_perturbed_matrix_or_right_side_is_seen() {
    let (d, rows) = (3, 20);
    let (matrices, mut b) = (batch(d, rows), numbers(rows * d, 0.7));
    let constants = constants(d, rows);
    let reference = Reference::new(d, &matrices);
    let mut perturbed = matrices.clone();
    perturbed[5 * d * d] *= 1.001;
    let got = solve(d, &constants, &factor(d, &constants, &perturbed), &b);
    assert_eq!(first_far(&reference, &b, &got), Some(5));
    let factored = factor(d, &constants, &matrices);
    let got = solve(d, &constants, &factored, &b);
    b[6 * d] += 0.01;
    assert_eq!(first_far(&reference, &b, &got), Some(6));
}

#[test]
fn the_lower_triangle_is_not_read() {
    let (d, rows) = (4, 12);
    let matrices = batch(d, rows);
    let mut upper = matrices.clone();
    for (place, entry) in upper.iter_mut().enumerate() {
        if place / d % d > place % d {
            *entry = 77.0;
        }
    }
    let constants = constants(d, rows);
    assert_eq!(factor(d, &constants, &upper).inverses, factor(d, &constants, &matrices).inverses);
}

/// X = H⁺ column by column, from solves of unit vectors.
fn pseudoinverse(d: usize, constants: &Constants, factored: &Factored) -> Vec<f64> {
    let rows = constants.rows as usize;
    let mut x = vec![0.0; rows * d * d];
    for column in 0..d {
        let mut b = vec![0.0; rows * d];
        b.iter_mut().skip(column).step_by(d).for_each(|component| *component = 1.0);
        for (place, value) in wide(&solve(d, constants, factored, &b)).into_iter().enumerate() {
            x[place * d + column] = value;
        }
    }
    x
}

fn product(d: usize, a: &[f64], b: &[f64]) -> Vec<f64> {
    (0..d * d).map(|place| (0..d).map(|k| a[place / d * d + k] * b[k * d + place % d]).sum()).collect()
}

fn difference(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(x, y)| x - y).collect::<Vec<_>>())
}

fn transposed(d: usize, a: &[f64]) -> Vec<f64> {
    (0..d * d).map(|place| a[place % d * d + place / d]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_four_penrose_conditions(
        d in 1..=MAX_DIMENSION,
        values in prop::collection::vec((0.1_f64..10.0, any::<bool>(), prop::bool::weighted(0.3)), MAX_DIMENSION),
        turn in 0.0_f64..6.0,
        scale in -20_i32..20,
    ) {
        let eigenvalues: Vec<f64> = values[..d]
            .iter()
            .map(|&(size, negative, zero)| if zero { 0.0 } else if negative { -size } else { size })
            .map(|value| value * 2.0_f64.powi(scale))
            .collect();
        let matrix = matrix(&eigenvalues, turn);
        let constants = constants(d, 1);
        let factored = factor(d, &constants, &matrix);
        prop_assert_eq!(factored.ranks[0] as usize, eigenvalues.iter().filter(|&&value| value != 0.0).count());
        let (h, x) = (wide(&matrix), pseudoinverse(d, &constants, &factored));
        let (hx, xh) = (product(d, &h, &x), product(d, &x, &h));
        let (size, inverse) = Reference::new(d, &matrix).norms(0);
        // What is below the tolerance of rank is rounding of H itself, c d ε ‖H‖; relative to the products' sizes.
        let tolerance = 16.0 * d as f64 * f64::from(f32::EPSILON) * (1.0 + size * inverse).powi(2);
        prop_assert!(difference(&product(d, &hx, &h), &h) <= tolerance * size, "H X H = H");
        prop_assert!(difference(&product(d, &xh, &x), &x) <= tolerance * inverse, "X H X = X");
        prop_assert!(difference(&transposed(d, &hx), &hx) <= tolerance, "(H X)ᵀ = H X");
        prop_assert!(difference(&transposed(d, &xh), &xh) <= tolerance, "(X H)ᵀ = X H");
    }
}

#[test]
fn a_matrix_that_is_not_finite_says_so_and_leaves_the_others_alone() {
    let (d, rows) = (3, 6);
    let mut matrices = batch(d, rows);
    matrices[d * d + 4] = f32::NAN;
    matrices[2 * d * d + 2] = f32::INFINITY;
    // An eigenvalue that overflows, and one whose reciprocal is no normal number.
    matrices[3 * d * d..4 * d * d].fill(3e38);
    matrices[4 * d * d..5 * d * d].copy_from_slice(&[1e38, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    let constants = constants(d, rows);
    let factored = factor(d, &constants, &matrices);
    assert_eq!(factored.ranks[1..5], [NOT_FINITE; 4]);
    assert_eq!(factored.tally, [4, factored.ranks.iter().filter(|&&rank| rank < 3).count() as u32]);
    let b = numbers(rows * d, 0.3);
    let x = solve(d, &constants, &factored, &b);
    assert!(x[d..5 * d].iter().all(|x| x.is_nan()), "{x:?}");
    let [v, terms @ ..] = &solve_vjp(d, &constants, &factored, [&b, &x, &b])[..] else { unreachable!() };
    assert!(v[d..5 * d].iter().all(|v| v.is_nan()));
    assert!(terms.iter().all(|term| term[d..5 * d].iter().all(|&x| x == 0.0)), "no constant-rank terms");
    for row in [0, 5] {
        let range = row * d..(row + 1) * d;
        let reference = Reference::new(d, &matrices[row * d * d..(row + 1) * d * d]);
        assert_eq!(first_far(&reference, &b[range.clone()], &x[range]), None);
    }
}

#[test]
fn zero_has_rank_zero_and_solves_to_zero() {
    for d in 1..=MAX_DIMENSION {
        let constants = constants(d, 1);
        let factored = factor(d, &constants, &vec![0.0; d * d]);
        assert_eq!((factored.ranks[0], factored.tally), (0, [0, 1]));
        let b = numbers(d, 0.3);
        assert_eq!(solve(d, &constants, &factored, &b), vec![0.0; d]);
        let outputs = solve_vjp(d, &constants, &factored, [&b, &vec![0.0; d], &b]);
        // P is the identity.
        assert_eq!(outputs, [vec![0.0; d], vec![0.0; d], b.clone(), b.clone(), vec![0.0; d]]);
    }
}

#[test]
fn small_eigenvalues_of_a_graded_definite_matrix_keep_their_digits() {
    // Of size 1 and 1e-5 with coupling 1e-3: the determinant is 1e-5 − 1e-6.
    let matrix = [1.0, 1e-3, 1e-3, 1e-5_f32];
    let constants = constants(2, 1);
    let factored = factor(2, &constants, &matrix);
    let x = wide(&solve(2, &constants, &factored, &[0.0, 1.0]));
    let m = wide(&matrix);
    let determinant = m[0] * m[3] - m[1] * m[1];
    for (x, want) in x.iter().zip([-m[1] / determinant, m[0] / determinant]) {
        assert!((x / want - 1.0).abs() < 16.0 * f64::from(f32::EPSILON), "{x} {want}");
    }
}

#[test]
fn the_vjp_and_its_constant_rank_terms_are_those_of_the_twin() {
    for d in 1..=MAX_DIMENSION {
        let rows = 67;
        let (matrices, b, lambda) = (batch(d, rows), numbers(rows * d, 0.7), numbers(rows * d, 1.3));
        let constants = constants(d, rows);
        let factored = factor(d, &constants, &matrices);
        let x = solve(d, &constants, &factored, &b);
        let got = solve_vjp(d, &constants, &factored, [&b, &x, &lambda]);
        let reference = Reference::new(d, &matrices);
        assert_eq!(first_far(&reference, &lambda, &got[0]), None, "v, d = {d}");
        let mut deficient = 0;
        for row in 0..rows {
            let range = row * d..(row + 1) * d;
            let [b, x, lambda] = [&b, &x, &lambda].map(|values| wide(&values[range.clone()]));
            let mut want = [(); 5].map(|()| vec![0.0; d]);
            let [v, inverse_v, null_b, null_lambda, inverse_x] = &mut want;
            let terms = RankDeficientTerms { inverse_v, null_b, null_lambda, inverse_x };
            deficient += usize::from(reference.factors.solve_vjp(row, &b, &x, &lambda, v, terms));
            let (size, inverse) = reference.norms(row);
            let of_solution = |right: &[f64]| 2.0 * reference.solve_tolerance(row, right);
            // The projection turns by the angle by which the null space does.
            let projection = 8.0 * d as f64 * f64::from(f32::EPSILON) * (1.0 + size * inverse);
            let tolerances = [
                reference.solve_tolerance(row, &lambda),
                of_solution(&want[0]) + inverse * reference.solve_tolerance(row, &lambda),
                projection * norm(&b),
                projection * norm(&lambda),
                of_solution(&x),
            ];
            for (which, (got, (want, tolerance))) in got.iter().zip(want.iter().zip(tolerances)).enumerate() {
                let got = wide(&got[range.clone()]);
                assert!(difference(&got, want) <= tolerance, "d = {d}, row {row}, output {which}: {got:?} {want:?}");
            }
        }
        assert!(deficient > rows / 4, "{deficient} deficient matrices");
    }
}

/// U (U H U)⁺ U b, and that every vector which multiplies dH carries its unit.
#[test]
fn units_scale_what_is_inverted_and_what_comes_back() {
    let (d, rows) = (3, 9);
    let units = [0.25, 8.0, 2.0];
    let (matrices, b, lambda) = (batch(d, rows), numbers(rows * d, 0.7), numbers(rows * d, 1.3));
    let plain = constants(d, rows);
    let mut in_units = plain;
    in_units.units[..d].copy_from_slice(&units);
    // Units that are powers of two scale without rounding, so that the bits agree.
    let scaled: Vec<f32> =
        matrices.iter().enumerate().map(|(place, h)| h * units[place / d % d] * units[place % d]).collect();
    let times = |values: &[f32]| values.iter().enumerate().map(|(i, x)| x * units[i % d]).collect::<Vec<_>>();
    let factored = factor(d, &plain, &scaled);
    let own = factor(d, &in_units, &matrices);
    assert_eq!((&own.inverses, &own.ranks), (&factored.inverses, &factored.ranks));
    let x = solve(d, &plain, &factored, &times(&b));
    let own_x = solve(d, &in_units, &own, &b);
    assert_eq!(own_x, times(&x));
    let want = solve_vjp(d, &plain, &factored, [&times(&b), &x, &times(&lambda)]);
    let got = solve_vjp(d, &in_units, &own, [&b, &own_x, &lambda]);
    for (got, want) in got.iter().zip(&want) {
        assert_eq!(*got, times(want));
    }
}

#[test]
fn a_plan_does_what_its_kernels_do() {
    let (d, rows) = (2, 70);
    let (matrices, b, lambda) = (batch(d, rows), numbers(rows * d, 0.7), numbers(rows * d, 1.3));
    let device = device();
    let buffer = |name: &str, values: &[f32]| -> Buffer<f32> {
        let buffer = device.buffer(name, values.len()).unwrap();
        device.upload(&buffer, 0, values).unwrap();
        buffer
    };
    let factors = lnn_gpu::pseudoinverse::SymmetricFactors::new(
        device,
        PseudoinverseSettings::new(d, rows),
        &buffer("H", &matrices),
    )
    .unwrap();
    let (b_buffer, lambda_buffer) = (buffer("b", &b), buffer("lambda", &lambda));
    let (x, v, terms) = (buffer("x", &b), buffer("v", &b), buffer("terms", &vec![0.0; 4 * rows * d]));
    let solve_stage = factors.solve(device, &b_buffer, &x).unwrap();
    let buffers = SolveVjpBuffers { b: &b_buffer, x: &x, lambda: &lambda_buffer, v: &v, terms: &terms };
    let vjp_stage = factors.solve_vjp(device, buffers).unwrap();
    let mut recorder = device.recorder("pseudoinverse");
    factors.record_factor(&mut recorder);
    solve_stage.record(&mut recorder);
    vjp_stage.record(&mut recorder);
    recorder.submit().unwrap();
    let constants = constants(d, rows);
    let factored = factor(d, &constants, &matrices);
    let want_x = solve(d, &constants, &factored, &b);
    let want = solve_vjp(d, &constants, &factored, [&b, &want_x, &lambda]);
    let (mut got_x, mut got_v, mut got_terms) = (vec![0.0; rows * d], vec![0.0; rows * d], vec![0.0; 4 * rows * d]);
    device.download(&x, 0, &mut got_x).unwrap();
    device.download(&v, 0, &mut got_v).unwrap();
    device.download(&terms, 0, &mut got_terms).unwrap();
    assert_eq!((got_x, got_v, got_terms), (want_x, want[0].clone(), want[1..].concat()));
    let (mut ranks, mut tally) = (vec![0; rows], [0; 2]);
    device.download(factors.ranks(), 0, &mut ranks).unwrap();
    device.download(factors.tally(), 0, &mut tally).unwrap();
    assert_eq!((ranks, tally), (factored.ranks, factored.tally));
}
