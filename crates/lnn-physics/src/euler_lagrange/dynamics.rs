//! Everything that the Euler–Lagrange equation says about one state.

/// A Lagrangian's value, derivatives and equation of motion at one (q, q̇), with d degrees of
/// freedom.
#[derive(Clone, Debug, PartialEq)]
pub struct Dynamics {
    /// L(q, q̇).
    pub lagrangian: f64,
    /// ∂L/∂q, `[d]`.
    pub position_gradient: Vec<f64>,
    /// Canonical momentum p = ∂L/∂q̇, `[d]`.
    pub momentum: Vec<f64>,
    /// H = ∂²L/∂q̇∂q̇, `[d, d]`, symmetric.
    pub mass_matrix: Vec<f64>,
    /// (∂²L/∂q̇∂q) q̇, `[d]`: entry i is Σⱼ ∂²L/∂q̇ᵢ∂qⱼ q̇ⱼ.
    pub mixed_times_velocity: Vec<f64>,
    /// r = ∂L/∂q − (∂²L/∂q̇∂q) q̇, `[d]`.
    pub force: Vec<f64>,
    /// q̈ = H⁺ r, `[d]`. Where H is singular, the least-norm solution of H q̈ = r if r lies in the
    /// range of H, else the least-squares vector, which does not obey the equation of motion.
    pub acceleration: Vec<f64>,
    /// E = q̇·p − L, conserved by the equation of motion.
    pub energy: f64,
    /// Rank of H: eigenvalues of magnitude above 10·d·ε·max|λ|.
    pub rank: usize,
    /// Eigenvalues of H in no particular order, `[d]`.
    pub mass_eigenvalues: Vec<f64>,
}

impl Dynamics {
    pub(super) fn new(d: usize) -> Self {
        Self {
            lagrangian: 0.0,
            position_gradient: vec![0.0; d],
            momentum: vec![0.0; d],
            mass_matrix: vec![0.0; d * d],
            mixed_times_velocity: vec![0.0; d],
            force: vec![0.0; d],
            acceleration: vec![0.0; d],
            energy: 0.0,
            rank: 0,
            mass_eigenvalues: vec![0.0; d],
        }
    }

    /// True when H has full rank, so that q̈ is the only solution; if false, q̈ may be none at all
    /// (see [`acceleration`](Self::acceleration)).
    #[must_use]
    pub fn is_regular(&self) -> bool {
        self.rank == self.momentum.len()
    }

    /// Condition number max|λ| / min|λ| of H; infinite for a singular H.
    #[must_use]
    pub fn condition_number(&self) -> f64 {
        if !self.is_regular() {
            return f64::INFINITY;
        }
        let magnitudes = || self.mass_eigenvalues.iter().map(|v| v.abs());
        magnitudes().fold(0.0, f64::max) / magnitudes().fold(f64::INFINITY, f64::min)
    }
}
