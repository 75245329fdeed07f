//! The vector-Jacobian product against differences along curves of constant rank.

use lnn_autodiff::Real;
use lnn_autodiff::pseudoinverse::{RankDeficientTerms, Tolerance};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

use crate::matrix::{Case, case, factored, unit};

/// A curve `H(t) = Q(t) Λ(t) Q(t)ᵀ`, `b(t)`, with the rank of `H(0)`.
///
/// `Q(t) = (1 + tA/2)(1 − tA/2)⁻¹ Q` for a skew A of norm 1 turns range and null space; `Λ(t)` moves the eigenvalues that
/// are not zero, at a rate of at most 1.
struct Curve<'a> {
    case: &'a Case,
    skew: DMatrix<f64>,
    rates: Vec<f64>,
    b: DVector<f64>,
    b_tan: DVector<f64>,
}

impl Curve<'_> {
    fn at(&self, t: f64) -> (DMatrix<f64>, DVector<f64>) {
        let d = self.case.dimension();
        let one = DMatrix::<f64>::identity(d, d);
        let turned = (&one + &self.skew * (t / 2.0)) * (&one - &self.skew * (t / 2.0)).try_inverse().expect("skew");
        let spectrum = self.case.spectrum.iter().zip(&self.rates);
        let spectrum = spectrum.map(|(&value, rate)| if value == 0.0 { 0.0 } else { value + t * rate }).collect();
        (Case { spectrum, q: turned * &self.case.q }.matrix(), &self.b + &self.b_tan * t)
    }
    /// `dH/dt` at 0: `AH − HA + Q diag(rates) Qᵀ`.
    fn matrix_tan(&self) -> DMatrix<f64> {
        let h = self.case.matrix();
        let spectrum = self.case.spectrum.iter().zip(&self.rates);
        let rates = spectrum.map(|(&value, &rate)| if value == 0.0 { 0.0 } else { rate }).collect();
        let moved = Case { spectrum: rates, q: self.case.q.clone() }.matrix();
        &self.skew * &h - &h * &self.skew + moved
    }
}

fn solve(h: &DMatrix<f64>, b: &DVector<f64>) -> DVector<f64> {
    let factors = factored::<f64>(h, Tolerance::for_dimension::<f64>(h.nrows()));
    let mut x = vec![f64::NAN; h.nrows()];
    factors.solve(0, b.as_slice(), &mut x);
    DVector::from_vec(x)
}

/// What `solve_vjp` gives.
struct Product {
    v: DVector<f64>,
    x: DVector<f64>,
    /// `inverse_v`, `null_b`, `null_lambda`, `inverse_x`, if the matrix is deficient.
    terms: Option<[DVector<f64>; 4]>,
}

fn product<T: Real>(h: &DMatrix<f64>, b: &DVector<f64>, lambda: &DVector<f64>) -> Product {
    let d = h.nrows();
    let cast = |v: &DVector<f64>| v.iter().map(|&x| T::from_f64(x)).collect::<Vec<_>>();
    let factors = factored::<T>(h, Tolerance::for_dimension::<T>(d));
    let (b, lambda) = (cast(b), cast(lambda));
    let (mut x, mut v) = (vec![T::ZERO; d], vec![T::ZERO; d]);
    let mut arrays = [0; 4].map(|_| vec![T::from_f64(f64::NAN); d]);
    factors.solve(0, &b, &mut x);
    let [inverse_v, null_b, null_lambda, inverse_x] = &mut arrays;
    let terms = RankDeficientTerms { inverse_v, null_b, null_lambda, inverse_x };
    let deficient = factors.solve_vjp(0, &b, &x, &lambda, &mut v, terms);
    assert_eq!(deficient, factors.rank(0) < d);
    // At full rank the terms stay as they were.
    assert!(deficient || arrays.iter().flatten().all(|x| !x.is_finite()));
    let back = |v: &[T]| DVector::from_iterator(d, v.iter().map(|x| x.to_f64()));
    Product { v: back(&v), x: back(&x), terms: deficient.then(|| arrays.each_ref().map(|array| back(array))) }
}

impl Product {
    /// `⟨λ, dx⟩` for `dH`, `db`, the two constant-rank terms apart.
    fn along(&self, h_tan: &DMatrix<f64>, b_tan: &DVector<f64>) -> [f64; 3] {
        let (left, right) = match &self.terms {
            None => (0.0, 0.0),
            Some([inverse_v, null_b, null_lambda, inverse_x]) => {
                (inverse_v.dot(&(h_tan * null_b)), null_lambda.dot(&(h_tan * inverse_x)))
            }
        };
        [self.v.dot(b_tan) - self.v.dot(&(h_tan * &self.x)), left, right]
    }
}

/// A curve through a matrix with eigenvalues of size 0.5 to 2, and a cotangent.
fn curve() -> impl Strategy<Value = (Case, DMatrix<f64>, Vec<f64>, [DVector<f64>; 3])> {
    case(0.3).prop_flat_map(|case| {
        let d = case.dimension();
        let vector = || prop::collection::vec(-1.0..1.0_f64, d).prop_map(DVector::from_vec);
        let skew = prop::collection::vec(-1.0..1.0_f64, d * d).prop_map(move |entries| {
            let any = DMatrix::from_vec(d, d, entries);
            let skew = &any - any.transpose();
            let norm = skew.norm().max(f64::MIN_POSITIVE);
            if norm > 1.0 { skew / norm } else { skew }
        });
        (Just(case), skew, prop::collection::vec(-1.0..1.0_f64, d), [vector(), vector(), vector()])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn product_agrees_with_differences_at_constant_rank((case, skew, rates, [b, b_tan, lambda]) in curve()) {
        let d = case.dimension();
        let curve = Curve { case: &case, skew, rates, b, b_tan };
        let got: f64 = product::<f64>(&case.matrix(), &curve.b, &lambda).along(&curve.matrix_tan(), &curve.b_tan).iter().sum();
        let h = f64::EPSILON.cbrt();
        let ahead = { let (m, b) = curve.at(h); solve(&m, &b) };
        let behind = { let (m, b) = curve.at(-h); solve(&m, &b) };
        let difference = lambda.dot(&(ahead - behind)) / (2.0 * h);
        // x(t) = Q Λ⁺ Qᵀ b. With |A| ≤ 1, |λ| ≥ ½ and rates of at most 1, the Taylor coefficients of Q(t) are at most
        // 1, 1, ½, ¼ and those of Λ⁺ 2, 4, 8, 16; their product's third, with b linear, is at most 63.
        let size = lambda.norm() * curve.b.norm().max(curve.b_tan.norm());
        let tolerance = size * (63.0 * h * h + 4.0 * unit::<f64>(d) / h);
        prop_assert!((got - difference).abs() <= tolerance, "{got} {difference} {tolerance:e}");
    }

    #[test]
    fn single_precision_agrees_with_double((case, skew, rates, [b, b_tan, lambda]) in curve()) {
        let curve = Curve { case: &case, skew, rates, b, b_tan };
        let h = case.matrix();
        let (h_tan, d) = (curve.matrix_tan(), case.dimension());
        let double = product::<f64>(&h, &curve.b, &lambda).along(&h_tan, &curve.b_tan);
        let single = product::<f32>(&h, &curve.b, &lambda).along(&h_tan, &curve.b_tan);
        // Up to three factors of X, each |X| ≤ 2 and off by cond ≤ 4, and |dH| ≤ 2·2 + 1.
        let size = lambda.norm() * curve.b.norm().max(curve.b_tan.norm()) * 8.0 * 5.0;
        for (single, double) in single.iter().zip(&double) {
            prop_assert!((single - double).abs() <= 3.0 * 4.0 * unit::<f32>(d) * size, "{single} {double}");
        }
    }
}

#[test]
fn differences_see_each_constant_rank_term() {
    // H = diag(h, 0) with the null space turning: X² dH P and P dH X² put 1/h² off the diagonal.
    let case = Case { spectrum: vec![2.0, 0.0], q: DMatrix::identity(2, 2) };
    let skew = DMatrix::from_row_slice(2, 2, &[0.0, -0.5, 0.5, 0.0]);
    for (b, lambda, only) in [([0.0, 1.0], [1.0, 0.0], 1), ([1.0, 0.0], [0.0, 1.0], 2)] {
        let [b, lambda] = [b, lambda].map(|v| DVector::from_row_slice(&v));
        let curve = Curve { case: &case, skew: skew.clone(), rates: vec![0.0; 2], b, b_tan: DVector::zeros(2) };
        let parts = product::<f64>(&case.matrix(), &curve.b, &lambda).along(&curve.matrix_tan(), &curve.b_tan);
        // dH = 1 off the diagonal, X = diag(½, 0): the term is ¼, the others nothing.
        let mut expected = [0.0; 3];
        expected[only] = 0.25;
        assert_eq!(parts, expected);
        let h = f64::EPSILON.cbrt();
        let [ahead, behind] = [h, -h].map(|t| {
            let (m, b) = curve.at(t);
            lambda.dot(&solve(&m, &b))
        });
        let difference = (ahead - behind) / (2.0 * h);
        assert!((difference - 0.25).abs() <= 63.0 * h * h + 4.0 * unit::<f64>(2) / h, "{difference}");
    }
}
