//! Random smooth expressions, with a bound on their derivatives from which tolerances follow.

use lnn_autodiff::Scalar;
use proptest::prelude::*;

/// An expression of `x` that is smooth everywhere, so that every route must agree at every point.
#[derive(Clone, Debug)]
pub(crate) enum Expression {
    Input(usize),
    Constant(f64),
    Add(Box<Self>, Box<Self>),
    Sub(Box<Self>, Box<Self>),
    Mul(Box<Self>, Box<Self>),
    /// `a / (1 + b²)`.
    Div(Box<Self>, Box<Self>),
    /// `atan2(a, 1 + b²)`.
    Atan2(Box<Self>, Box<Self>),
    Neg(Box<Self>),
    Affine(Box<Self>),
    Sin(Box<Self>),
    Cos(Box<Self>),
    Tanh(Box<Self>),
    /// `exp(tanh a)`; and so on with a bounded argument for the functions that grow exponentially.
    Exp(Box<Self>),
    ExpM1(Box<Self>),
    Sinh(Box<Self>),
    Cosh(Box<Self>),
    /// `ln(1 + a²)`.
    Ln(Box<Self>),
    /// `ln_1p(a²)`.
    Ln1p(Box<Self>),
    /// `√(1 + a²)`.
    Sqrt(Box<Self>),
    /// `1 / (1 + a²)`.
    Recip(Box<Self>),
    /// `(1 + a²)^p`.
    Powf(Box<Self>, f64),
    /// `(tanh a)ⁿ`.
    Powi(Box<Self>, i32),
}

use Expression as E;

impl Expression {
    pub(crate) fn eval<S: Scalar>(&self, x: &[S]) -> S {
        match self {
            E::Input(i) => x[*i],
            E::Constant(c) => S::constant(*c),
            E::Add(a, b) => a.eval(x) + b.eval(x),
            E::Sub(a, b) => a.eval(x) - b.eval(x),
            E::Mul(a, b) => a.eval(x) * b.eval(x),
            E::Div(a, b) => a.eval(x) / (b.eval(x).square() + 1.0),
            E::Atan2(a, b) => a.eval(x).atan2(b.eval(x).square() + 1.0),
            E::Neg(a) => -a.eval(x),
            E::Affine(a) => (a.eval(x) * 0.75 - 0.5) / 2.0,
            E::Sin(a) => a.eval(x).sin(),
            E::Cos(a) => a.eval(x).cos(),
            E::Tanh(a) => a.eval(x).tanh(),
            E::Exp(a) => a.eval(x).tanh().exp(),
            E::ExpM1(a) => a.eval(x).tanh().exp_m1(),
            E::Sinh(a) => a.eval(x).tanh().sinh(),
            E::Cosh(a) => a.eval(x).tanh().cosh(),
            E::Ln(a) => (a.eval(x).square() + 1.0).ln(),
            E::Ln1p(a) => a.eval(x).square().ln_1p(),
            E::Sqrt(a) => (a.eval(x).square() + 1.0).sqrt(),
            E::Recip(a) => (a.eval(x).square() + 1.0).recip(),
            E::Powf(a, p) => (a.eval(x).square() + 1.0).powf(*p),
            E::Powi(a, n) => a.eval(x).tanh().powi(*n),
        }
    }

    /// Bounds for this expression where every `|x_i| ≤ radius`.
    pub(crate) fn majorant(&self, radius: f64) -> Majorant {
        let of = |a: &Self| a.majorant(radius);
        match self {
            E::Input(_) => Majorant([radius, 1.0, 0.0, 0.0, 0.0]),
            E::Constant(c) => Majorant([c.abs(), 0.0, 0.0, 0.0, 0.0]),
            E::Add(a, b) | E::Sub(a, b) => of(a).sum(of(b)).rounded(),
            E::Mul(a, b) => of(a).product(of(b)).rounded(),
            E::Div(a, b) => of(a).product(of(b).one_plus_square().recip()).rounded(),
            E::Atan2(a, b) => {
                // atan(a / (1 + b²)); |atan⁽ᵏ⁾| ≤ (k − 1)!.
                let ratio = of(a).product(of(b).one_plus_square().recip()).rounded();
                ratio.compose([std::f64::consts::FRAC_PI_2, 1.0, 0.5, 1.0 / 3.0, 0.25])
            }
            E::Neg(a) => of(a),
            E::Affine(a) => {
                let offset = Majorant([0.5, 0.0, 0.0, 0.0, 0.0]);
                of(a).rounded().sum(offset).rounded().rounded()
            }
            E::Sin(a) | E::Cos(a) => of(a).compose([1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0]),
            E::Tanh(a) => of(a).tanh(),
            E::Exp(a) | E::ExpM1(a) | E::Sinh(a) | E::Cosh(a) => {
                // On |tanh a| ≤ 1 each is below e, and so are its derivatives.
                let e = std::f64::consts::E;
                of(a).tanh().compose([e, e, e / 2.0, e / 6.0, e / 24.0])
            }
            E::Ln(a) | E::Ln1p(a) => {
                let inner = of(a).one_plus_square();
                // 0 ≤ ln s ≤ s and |ln⁽ᵏ⁾ s| ≤ (k − 1)! for s ≥ 1.
                inner.compose([inner.0[0], 1.0, 0.5, 1.0 / 3.0, 0.25])
            }
            E::Sqrt(a) => of(a).one_plus_square().power(0.5),
            E::Recip(a) => of(a).one_plus_square().recip(),
            E::Powf(a, p) => of(a).one_plus_square().power(*p),
            E::Powi(a, n) => {
                let base = of(a).tanh();
                (0..*n).fold(Majorant([1.0, 0.0, 0.0, 0.0, 0.0]), |power, _| power.product(base).rounded())
            }
        }
    }
}

/// Bounds `|D^k f| / k! ≤ self.0[k]`, k = 0..=4, along every unit direction, and of the response to
/// rounding.
///
/// Every operation multiplies by `1 + t` ([`rounded`](Self::rounded)): `t` stands for one more input,
/// the relative rounding error of that operation. To first order a rounding of ε everywhere then
/// moves the k-th derivative by at most `ε (k + 1)! · self.0[k + 1]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Majorant(pub(crate) [f64; 5]);

impl Majorant {
    fn sum(self, other: Self) -> Self {
        Self(std::array::from_fn(|k| self.0[k] + other.0[k]))
    }

    fn product(self, other: Self) -> Self {
        Self(std::array::from_fn(|k| (0..=k).map(|j| self.0[j] * other.0[k - j]).sum()))
    }

    fn rounded(self) -> Self {
        self.product(Self([1.0, 1.0, 0.0, 0.0, 0.0]))
    }

    /// `f(self)` where `|f⁽ᵏ⁾| / k! ≤ outer[k]` on the range of `self`.
    fn compose(self, outer: [f64; 5]) -> Self {
        let mut increment = self;
        increment.0[0] = 0.0;
        let mut power = Self([1.0, 0.0, 0.0, 0.0, 0.0]);
        let mut result = Self([0.0; 5]);
        for coefficient in outer {
            for k in 0..5 {
                result.0[k] += coefficient * power.0[k];
            }
            power = power.product(increment);
        }
        result.rounded()
    }

    fn tanh(self) -> Self {
        // Cauchy's estimate on the unit disc about any real point, where |tanh| ≤ tan 1.
        let bound = 1.0_f64.tan();
        self.compose([1.0, bound, bound, bound, bound])
    }

    fn one_plus_square(self) -> Self {
        let one = Self([1.0, 0.0, 0.0, 0.0, 0.0]);
        self.product(self).rounded().sum(one).rounded()
    }

    /// `1 / s` for `s ≥ 1`.
    fn recip(self) -> Self {
        self.compose([1.0; 5])
    }

    /// `s^p` for `s ≥ 1` and `p ≤ 2`.
    fn power(self, p: f64) -> Self {
        let largest = self.0[0];
        let mut binomial = 1.0;
        let outer = std::array::from_fn(|k| {
            let order = k as f64;
            let bound = f64::abs(binomial) * largest.powf((p - order).max(0.0));
            binomial *= (p - order) / (order + 1.0);
            bound
        });
        self.compose(outer)
    }

    /// How far two routes to a derivative of order `k` may differ.
    ///
    /// Each route rounds a few times per operation and derivative order: 8 covers the product rule
    /// of nested duals.
    pub(crate) fn rounding(&self, k: usize) -> f64 {
        8.0 * f64::EPSILON * factorial(k + 1) * self.0[k + 1]
    }

    /// How far the central difference of a derivative of order `k` with step `h` may be off:
    /// `h²/6 |D^(k+3) f|` and the rounding of both ends.
    pub(crate) fn central_difference(&self, k: usize, h: f64) -> f64 {
        h * h / 6.0 * factorial(k + 3) * self.0[k + 3] + self.rounding(k) / h
    }
}

fn factorial(n: usize) -> f64 {
    (1..=n).map(|i| i as f64).product()
}

/// Expressions of up to four levels in `n` inputs.
pub(crate) fn expression(n: usize) -> impl Strategy<Value = Expression> {
    let leaf = prop_oneof![
        4 => (0..n).prop_map(E::Input),
        1 => (-2.0..2.0_f64).prop_map(E::Constant),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let one = inner.clone().prop_map(Box::new);
        let two = (one.clone(), one.clone());
        prop_oneof![
            3 => two.clone().prop_map(|(a, b)| E::Add(a, b)),
            3 => two.clone().prop_map(|(a, b)| E::Sub(a, b)),
            6 => two.clone().prop_map(|(a, b)| E::Mul(a, b)),
            2 => two.clone().prop_map(|(a, b)| E::Div(a, b)),
            2 => two.prop_map(|(a, b)| E::Atan2(a, b)),
            1 => one.clone().prop_map(E::Neg),
            1 => one.clone().prop_map(E::Affine),
            2 => one.clone().prop_map(E::Sin),
            2 => one.clone().prop_map(E::Cos),
            1 => one.clone().prop_map(E::Tanh),
            1 => one.clone().prop_map(E::Exp),
            1 => one.clone().prop_map(E::ExpM1),
            1 => one.clone().prop_map(E::Sinh),
            1 => one.clone().prop_map(E::Cosh),
            1 => one.clone().prop_map(E::Ln),
            1 => one.clone().prop_map(E::Ln1p),
            1 => one.clone().prop_map(E::Sqrt),
            1 => one.clone().prop_map(E::Recip),
            1 => (one.clone(), -1.5..1.5_f64).prop_map(|(a, p)| E::Powf(a, p)),
            1 => (one, 0..=3).prop_map(|(a, n)| E::Powi(a, n)),
        ]
    })
}
