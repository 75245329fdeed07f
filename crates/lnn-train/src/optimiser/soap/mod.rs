//! SOAP: Adam in the slowly turning eigenbasis of Shampoo's factors.

mod basis;
mod matrix;
mod orthonormal;

use lnn_autodiff::Real;

use self::matrix::MatrixState;
use super::adam::{Moments, Update};
use super::state::{check_state, load_values, load_words};
use super::{
    NamedState, Optimiser, OptimiserError, ParameterBlock, SettingProblem, StateTensor, check_lengths, check_setting,
    parameter_count,
};

/// Settings of [`Soap`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoapSettings {
    /// β₁, the averaging of the gradient, in [0, 1).
    pub beta1: f64,
    /// β₂, the averaging of the squared rotated gradient, in [0, 1).
    pub beta2: f64,
    /// s, the averaging of the factors G Gᵀ and Gᵀ G, in [0, 1).
    pub shampoo_beta: f64,
    /// Updates between two refreshes of the bases, at least 1.
    pub refresh_every: u64,
    /// ε, added to the root of the second moment; in the gradient's units.
    pub epsilon: f64,
    /// Decoupled weight decay w: each update also multiplies the parameters by 1 − η w.
    pub weight_decay: f64,
}

impl Default for SoapSettings {
    fn default() -> Self {
        Self { beta1: 0.95, beta2: 0.95, shampoo_beta: 0.95, refresh_every: 10, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl SoapSettings {
    /// Every setting out of range.
    #[must_use]
    pub fn validate(&self) -> Vec<SettingProblem> {
        let adam = super::AdamSettings {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            weight_decay: self.weight_decay,
        };
        let mut problems = adam.validate();
        check_setting(
            &mut problems,
            (0.0..1.0).contains(&self.shampoo_beta),
            "shampoo_beta",
            self.shampoo_beta,
            "at least 0 and below 1",
        );
        check_setting(&mut problems, self.refresh_every >= 1, "refresh_every", self.refresh_every, "at least 1");
        problems
    }
}

/// One parameter block's share of the state.
#[derive(Debug)]
enum Block<T: Real> {
    /// A block with one column: plain Adam.
    Vector { first_moment: Vec<T>, second_moment: Vec<T> },
    /// A weight matrix, or a bias as one row.
    Matrix(Box<MatrixState<T>>),
}

/// SOAP (Vyas et al. 2024, arXiv 2409.11321, Algorithm 3) for blocks of two columns or more, Adam for the others.
///
/// For a weight W `[m, n]` with gradient G, elementwise in the rotated space,
///
/// ```text
/// G̃ = Q_Lᵀ G Q_R        M̃ ← β₁ M̃ + (1 − β₁) G̃        Ṽ ← β₂ Ṽ + (1 − β₂) G̃²
/// W ← (1 − η w) W − η Q_L { [M̃ / (1 − β₁ᵗ)] / [√(Ṽ / (1 − β₂ᵗ)) + ε] } Q_Rᵀ
/// L ← s L + (1 − s) G Gᵀ        R ← s R + (1 − s) Gᵀ G
/// ```
///
/// and every `refresh_every` updates each basis takes one step of QR power iteration: the columns of Q
/// are sorted by falling diag(Qᵀ S Q), with Ṽ permuted alike, and Q ← qr(S Q).
///
/// - The first call sets up L, R and their eigenbases and makes no update, for any block, as the authors'
///   code does: a gradient never meets a basis that was made from itself.
/// - M̃ is kept rotated and carried over to the new basis at a refresh, M̃ ← Q_newᵀ Q_old M̃ …, which in
///   exact arithmetic equals the paper's first moment in the original space and saves two products a step.
/// - ε is added to the bias-corrected root, as in Adam's paper; the authors' code adds it before correcting.
/// - A block with one row, as [`parameter_blocks`](crate::experiment::parameter_blocks) lays out a bias, is
///   preconditioned on the right only. A block with one column gets Adam.
///
/// Blocks are shared out over the threads of the current pool, each block to one thread; no block sees
/// another, so results do not depend on the number of threads.
/// The first call allocates for the eigendecompositions; later calls do not allocate.
#[derive(Debug)]
pub struct Soap<T: Real> {
    settings: SoapSettings,
    blocks: Vec<ParameterBlock>,
    states: Vec<Block<T>>,
    count: usize,
    steps: u64,
    prepared: bool,
}

impl<T: Real> Soap<T> {
    /// Zero moments and no bases yet for the given layout.
    ///
    /// # Errors
    /// [`OptimiserError::Settings`] if a setting is out of range; [`OptimiserError::Layout`] or
    /// [`OptimiserError::EmptyBlock`] if the blocks do not tile a slice.
    pub fn new(settings: SoapSettings, blocks: &[ParameterBlock]) -> Result<Self, OptimiserError> {
        let problems = settings.validate();
        if !problems.is_empty() {
            return Err(OptimiserError::Settings { problems });
        }
        let count = parameter_count(blocks)?;
        let states = blocks
            .iter()
            .map(|block| {
                if block.columns == 1 {
                    Block::Vector { first_moment: vec![T::ZERO; block.rows], second_moment: vec![T::ZERO; block.rows] }
                } else {
                    Block::Matrix(Box::new(MatrixState::new(block.rows, block.columns)))
                }
            })
            .collect();
        Ok(Self { settings, blocks: blocks.to_vec(), states, count, steps: 0, prepared: false })
    }

    fn prepare(&mut self, gradient: &[T]) -> Result<(), OptimiserError> {
        for (index, (block, state)) in self.blocks.iter().zip(&mut self.states).enumerate() {
            if let Block::Matrix(matrix) = state {
                matrix
                    .prepare(&gradient[block.offset..][..block.len()], self.settings.shampoo_beta)
                    .map_err(|dimension| OptimiserError::Eigendecomposition { block: index, dimension })?;
            }
        }
        self.prepared = true;
        Ok(())
    }
}

/// Two words: updates done, and whether the first call has set up the bases.
const STEPS: &str = "soap.steps";

impl<T: Real> Optimiser<T> for Soap<T> {
    fn parameter_count(&self) -> usize {
        self.count
    }

    fn update(&mut self, parameters: &mut [T], gradient: &[T], learning_rate: f64) -> Result<(), OptimiserError> {
        check_lengths(self.parameter_count(), parameters, gradient);
        if !self.prepared {
            return self.prepare(gradient);
        }
        self.steps += 1;
        let SoapSettings { beta1, beta2, shampoo_beta, refresh_every, epsilon, weight_decay } = self.settings;
        let update = BlockUpdate {
            adam: Update {
                moments: Moments::new(beta1, beta2, epsilon, self.steps),
                keep: T::from_f64(1.0 - learning_rate * weight_decay),
                rate: T::from_f64(learning_rate),
            },
            shampoo_beta,
            refresh: self.steps.is_multiple_of(refresh_every),
        };
        update.blocks(&self.blocks, &mut self.states, parameters, gradient);
        Ok(())
    }

    fn steps(&self) -> u64 {
        self.steps
    }

    fn state(&self) -> NamedState<'_, T> {
        let words = vec![self.steps, u64::from(self.prepared)];
        let mut named = vec![(STEPS.to_owned(), StateTensor::words(words))];
        for (index, state) in self.states.iter().enumerate() {
            let tensors = match state {
                Block::Vector { first_moment, second_moment } => {
                    vec![("first_moment", first_moment), ("second_moment", second_moment)]
                }
                Block::Matrix(matrix) => matrix.tensors(),
            };
            named.extend(
                tensors.into_iter().map(|(name, values)| (tensor_name(index, name), StateTensor::values(values))),
            );
        }
        named
    }

    fn load_state(&mut self, state: &[(String, StateTensor<'_, T>)]) -> Result<(), OptimiserError> {
        check_state(&self.state(), state)?;
        let [steps, prepared] = load_words(state, STEPS)?;
        if prepared > 1 || (prepared == 0 && steps > 0) {
            return Err(OptimiserError::StateValue { name: STEPS.to_owned(), index: 1 });
        }
        for (index, own) in self.states.iter_mut().enumerate() {
            let tensors = match own {
                Block::Vector { first_moment, second_moment } => {
                    vec![("first_moment", first_moment), ("second_moment", second_moment)]
                }
                Block::Matrix(matrix) => matrix.tensors_mut(),
            };
            for (name, values) in tensors {
                load_values(state, &tensor_name(index, name), values)?;
            }
        }
        self.steps = steps;
        self.prepared = prepared == 1;
        Ok(())
    }
}

/// What one step does to every block.
struct BlockUpdate<T: Real> {
    adam: Update<T>,
    shampoo_beta: f64,
    refresh: bool,
}

impl<T: Real> BlockUpdate<T> {
    /// Multiply-adds below which a second thread costs more than it saves.
    const WORTH_A_THREAD: usize = 1 << 18;

    /// Updates neighbouring blocks, whose parameters are the whole of `parameters`, on all threads of the
    /// pool. Blocks do not see one another, so the result does not depend on the split.
    fn blocks(&self, blocks: &[ParameterBlock], states: &mut [Block<T>], parameters: &mut [T], gradient: &[T]) {
        let work = |block: &ParameterBlock| block.len() * (block.rows + block.columns);
        let total: usize = blocks.iter().map(work).sum();
        if blocks.len() < 2 || total < Self::WORTH_A_THREAD {
            for (block, state) in blocks.iter().zip(states) {
                let start = block.offset - blocks[0].offset;
                let range = start..start + block.len();
                self.block(state, &mut parameters[range.clone()], &gradient[range]);
            }
            return;
        }
        let mut sum = 0;
        let half = blocks.iter().position(|block| {
            sum += work(block);
            2 * sum >= total
        });
        // The block that crosses the middle goes to the side that it leaves more even.
        let crossing = half.unwrap_or(0);
        let before = sum - work(&blocks[crossing]);
        let middle = if total - 2 * before > 2 * sum - total { crossing + 1 } else { crossing };
        let middle = middle.clamp(1, blocks.len() - 1);
        let (left, right) = blocks.split_at(middle);
        let (left_states, right_states) = states.split_at_mut(middle);
        let at = right[0].offset - left[0].offset;
        let (left_parameters, right_parameters) = parameters.split_at_mut(at);
        let (left_gradient, right_gradient) = gradient.split_at(at);
        rayon::join(
            || self.blocks(left, left_states, left_parameters, left_gradient),
            || self.blocks(right, right_states, right_parameters, right_gradient),
        );
    }

    fn block(&self, state: &mut Block<T>, parameters: &mut [T], gradient: &[T]) {
        match state {
            Block::Vector { first_moment, second_moment } => {
                self.adam.run(parameters, gradient, first_moment, second_moment);
            }
            Block::Matrix(matrix) => {
                matrix.update(parameters, gradient, &self.adam);
                matrix.average(gradient, self.shampoo_beta);
                if self.refresh {
                    matrix.refresh();
                }
            }
        }
    }
}

fn tensor_name(block: usize, name: &str) -> String {
    format!("soap.block{block}.{name}")
}

#[cfg(test)]
mod tests;
