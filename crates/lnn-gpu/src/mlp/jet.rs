//! A plan: the passes of a network's jets, ready to be recorded.

use lnn_autodiff::jet::{Accumulate, Purpose};

use super::MlpParameters;
use super::buffers::Buffers;
use super::gradient::{Factors, gives_gradient, record_of};
use super::plan::Dispatch;
use super::planner::Planner;
use super::tiles::{TileRole, Tiles, default_splits};
use crate::device::{Buffer, Device, DeviceError, Recorder};

/// The jets of a fixed number of rows of one network in `t` directions, on a device.
///
/// Buffers are `[channels][rows][stride]` with zero padding. A caller, or a kernel of an earlier stage, writes
/// [`inputs`](Self::inputs), [`output_bar`](Self::output_bar) and [`coefficients`](Self::coefficients); the `record_…` calls
/// add the passes to a recording, in the order of the table in the [module](super).
#[derive(Debug)]
pub struct MlpJet {
    buffers: Buffers,
    purpose: Purpose,
    forward: Vec<Dispatch>,
    output: Dispatch,
    reverse: Vec<Dispatch>,
    hessian: Vec<Dispatch>,
    /// The partial gradients of f itself.
    parameter_vjp: Vec<Dispatch>,
    /// Those of its derivatives.
    derivative_gradient: Vec<Dispatch>,
    gradient_sum: Option<Dispatch>,
    input_cotangents: Option<Dispatch>,
}

/// The pairs of directions of [`MlpJet::second_derivatives`], in order: (i, j) with i < t − 1 and i ≤ j < t.
///
/// With d unit velocities and the direction (q̇, 0) last these are the rows of the mass matrix from its diagonal on, each
/// followed by its entry of (∂²L/∂q̇∂q) q̇.
pub fn hessian_pairs(tangents: usize) -> Vec<(usize, usize)> {
    (0..tangents.saturating_sub(1)).flat_map(|i| (i..tangents).map(move |j| (i, j))).collect()
}

impl MlpJet {
    /// Buffers and kernels for `rows` rows and `tangents` directions of a network with these parameters.
    ///
    /// # Errors
    /// The buffers do not fit, a kernel does not compile, or there are more directions than kernels were made for (9, and
    /// for second derivatives at least 2).
    ///
    /// # Panics
    /// If there are no rows, or the parameters are of several networks.
    pub fn new(
        device: &Device,
        parameters: &MlpParameters,
        tangents: usize,
        rows: usize,
        purpose: Purpose,
    ) -> Result<Self, DeviceError> {
        Self::with_tiles(device, parameters, tangents, rows, purpose, &Tiles::default())
    }

    /// As [`new`](Self::new), with these tiles where they are chosen.
    ///
    /// # Errors
    /// Also if there is no kernel with such a tile, or the adapter is too small for it.
    ///
    /// # Panics
    /// If there are no rows.
    pub fn with_tiles(
        device: &Device,
        parameters: &MlpParameters,
        tangents: usize,
        rows: usize,
        purpose: Purpose,
        tiles: &Tiles,
    ) -> Result<Self, DeviceError> {
        Self::into_gradient(device, parameters, [tangents, rows], purpose, tiles, None)
    }

    /// As [`with_tiles`](Self::with_tiles) for `[tangents, rows]`, with the gradient in this buffer, if there is one.
    pub(crate) fn into_gradient(
        device: &Device,
        parameters: &MlpParameters,
        [tangents, rows]: [usize; 2],
        purpose: Purpose,
        tiles: &Tiles,
        gradient: Option<&Buffer<f32>>,
    ) -> Result<Self, DeviceError> {
        assert!(rows > 0, "a plan for no rows");
        assert_eq!(parameters.models(), 1, "a plan for one network; NarrowJet takes several");
        let splits = splits(tiles, rows)?;
        let buffers = Buffers::new(device, parameters.layout(), [tangents, rows], purpose, splits, gradient)?;
        Self::plan(device, parameters, purpose, buffers, tiles)
    }

    /// The same plan with other tiles, on the same buffers but for partial gradients.
    ///
    /// # Errors
    /// There is no kernel with such a tile, or the adapter is too small for it.
    pub fn retiled(&self, device: &Device, parameters: &MlpParameters, tiles: &Tiles) -> Result<Self, DeviceError> {
        let buffers = self.buffers.with_splits(device, splits(tiles, self.buffers.rows)?)?;
        Self::plan(device, parameters, self.purpose, buffers, tiles)
    }

    fn plan(
        device: &Device,
        parameters: &MlpParameters,
        purpose: Purpose,
        buffers: Buffers,
        tiles: &Tiles,
    ) -> Result<Self, DeviceError> {
        let planner = Planner { device, parameters, buffers: &buffers, tiles };
        let layers = buffers.hidden.len();
        let forward = (0..layers).map(|layer| planner.forward(layer)).collect::<Result<_, _>>()?;
        let output = planner.output()?;
        let (mut reverse, mut hessian) = (Vec::new(), Vec::new());
        if purpose >= Purpose::Gradient {
            for layer in (0..=layers).rev() {
                reverse.push(planner.reverse(layer)?);
            }
        }
        if has_second_derivatives(purpose) {
            for layer in 0..layers {
                hessian.push(planner.hessian(layer)?);
            }
        }
        let (mut parameter_vjp, mut gradient_sum) = (Vec::new(), None);
        if gives_gradient(purpose) {
            parameter_vjp = planner.partial_gradients(Factors::Value)?;
            gradient_sum = Some(planner.gradient_sum()?);
        }
        let derivative_gradient = match purpose {
            Purpose::Functional => planner.functional_gradient()?,
            Purpose::Directional => planner.directional_gradient()?,
            _ => Vec::new(),
        };
        let input_cotangents = match purpose {
            Purpose::Functional => planner.input_cotangents(3)?,
            Purpose::Directional => planner.input_cotangents(1)?,
            _ => None,
        };
        Ok(Self {
            purpose,
            forward,
            output,
            reverse,
            hessian,
            parameter_vjp,
            derivative_gradient,
            gradient_sum,
            input_cotangents,
            buffers,
        })
    }

    /// Pushes the inputs and their tangents through the network; [`output`](Self::output) is f.
    pub fn record_forward(&self, recorder: &mut Recorder) {
        self.record_forward_derivatives(recorder);
        self.output.record(recorder);
    }

    /// As [`record_forward`](Self::record_forward), without f itself, which an Euler–Lagrange equation has no need for.
    pub fn record_forward_derivatives(&self, recorder: &mut Recorder) {
        self.forward.iter().for_each(|dispatch| dispatch.record(recorder));
    }

    /// Sweeps [`output_bar`](Self::output_bar) back; [`input_bar`](Self::input_bar) is Σ_o ȳ_o ∂f_o/∂x.
    ///
    /// # Panics
    /// If the plan was made for less than [`Purpose::Gradient`].
    pub fn record_reverse(&self, recorder: &mut Recorder) {
        self.require(self.purpose >= Purpose::Gradient, "a reverse pass");
        self.reverse.iter().for_each(|dispatch| dispatch.record(recorder));
    }

    /// Second derivatives of Σ_o ȳ_o f_o along the pairs of [`hessian_pairs`], after a reverse pass.
    ///
    /// Where inputs are curved along both directions the caller adds Σ x̄ · D_i D_j x, as on the CPU.
    ///
    /// # Panics
    /// If the plan was made for another purpose than [`Purpose::Hessian`] or [`Purpose::Functional`].
    pub fn record_hessian(&self, recorder: &mut Recorder) {
        self.require(has_second_derivatives(self.purpose), "second derivatives");
        if self.hessian.is_empty() {
            // A network without hidden layers is linear.
            recorder.clear(&self.buffers.second_derivatives);
        }
        self.hessian.iter().for_each(|dispatch| dispatch.record(recorder));
    }

    /// ∂(Σ ȳ·f)/∂θ in [`gradient`](Self::gradient), after a reverse pass.
    ///
    /// # Panics
    /// If the plan was made for no gradient: for [`Purpose::Forward`] or [`Purpose::Hessian`].
    pub fn record_parameter_vjp(&self, recorder: &mut Recorder) {
        self.require(gives_gradient(self.purpose), "a gradient");
        self.record_gradient(recorder, &self.parameter_vjp, Accumulate::Replace);
    }

    /// The parameter gradient of Σ_rows Σ_o ȳ_o D_a f_o in [`gradient`](Self::gradient), after a reverse pass. a is the
    /// last channel of the inputs.
    ///
    /// # Panics
    /// If the plan was made for another purpose than [`Purpose::Directional`].
    pub fn record_directional_gradient(&self, recorder: &mut Recorder) {
        self.require(self.purpose == Purpose::Directional, "a directional derivative");
        self.record_gradient(recorder, &self.derivative_gradient, Accumulate::Replace);
    }

    /// The parameter gradient of Σ_rows Σ_o ȳ_o (D_a − D_u D_w) f_o, written or added to [`gradient`](Self::gradient), after a
    /// reverse pass. a is the last channel of the inputs, u and w are the [`coefficients`](Self::coefficients).
    ///
    /// # Panics
    /// If the plan was made for another purpose than [`Purpose::Functional`].
    pub fn record_functional_gradient(&self, recorder: &mut Recorder, accumulate: Accumulate) {
        self.require(self.purpose == Purpose::Functional, "a functional");
        self.record_gradient(recorder, &self.derivative_gradient, accumulate);
    }

    fn record_gradient(&self, recorder: &mut Recorder, partial: &[Dispatch], accumulate: Accumulate) {
        for dispatch in partial {
            dispatch.record(recorder);
        }
        if let Some(sum) = &self.gradient_sum {
            sum.record_with(recorder, record_of(accumulate));
        }
    }

    /// The [`input_cotangents`](Self::input_cotangents) of the last functional or directional gradient.
    ///
    /// # Panics
    /// If the plan was made for another purpose than [`Purpose::Functional`] or [`Purpose::Directional`].
    pub fn record_input_cotangents(&self, recorder: &mut Recorder) {
        let derivatives = matches!(self.purpose, Purpose::Functional | Purpose::Directional);
        self.require(derivatives, "derivatives whose inputs have cotangents");
        match &self.input_cotangents {
            Some(dispatch) => dispatch.record(recorder),
            // A linear network's derivative does not depend on where it is taken.
            None => recorder.clear(&self.buffers.input_cotangents),
        }
    }

    /// The dispatches of one role of a functional's step alone, for a tuner.
    pub(crate) fn record_role(&self, recorder: &mut Recorder, role: TileRole) {
        let entries: &[&str] = match role {
            TileRole::WeightGradient => &["weight_gradient", "bias_gradient", "gradient_sum"],
            role => &[role.family().name],
        };
        let all =
            [&self.forward, &self.reverse, &self.derivative_gradient].into_iter().flatten().chain(&self.gradient_sum);
        all.filter(|dispatch| entries.contains(&dispatch.entry())).for_each(|dispatch| dispatch.record(recorder));
    }

    /// The network's inputs: `[tangents…, value]`, followed by `[x_u, x_w, a]` for a functional, of which a caller
    /// writes a, and by `[a]` for a directional derivative.
    pub fn inputs(&self) -> &Buffer<f32> {
        &self.buffers.inputs
    }

    /// f, `[rows][stride]`.
    pub fn output(&self) -> &Buffer<f32> {
        &self.buffers.output
    }

    /// ȳ, `[rows][stride]`.
    pub fn output_bar(&self) -> &Buffer<f32> {
        &self.buffers.output_bar
    }

    /// Σ_o ȳ_o ∂f_o/∂x, `[rows][stride]`.
    pub fn input_bar(&self) -> &Buffer<f32> {
        &self.buffers.input_bar
    }

    /// Cotangents of the inputs of the functional, `[x̄, x̄_u, x̄_w]`, or of the directional derivative, x̄; that of a itself is
    /// [`input_bar`](Self::input_bar).
    pub fn input_cotangents(&self) -> &Buffer<f32> {
        &self.buffers.input_cotangents
    }

    /// `[rows][pairs]`, without padding.
    pub fn second_derivatives(&self) -> &Buffer<f32> {
        &self.buffers.second_derivatives
    }

    /// u and w over the tangents, each `[rows][t]`, without padding.
    pub fn coefficients(&self) -> &Buffer<f32> {
        &self.buffers.coefficients
    }

    /// The gradient, padded as the parameters, with zeros.
    pub fn gradient(&self) -> &Buffer<f32> {
        &self.buffers.gradient
    }

    /// Partial gradients that are summed to the [`gradient`](Self::gradient).
    pub fn gradient_parts(&self) -> usize {
        self.buffers.partial_gradients.len() / self.buffers.gradient.len().max(1)
    }

    /// Rows of the plan.
    pub fn rows(&self) -> usize {
        self.buffers.rows
    }

    /// Directions t.
    pub fn tangents(&self) -> usize {
        self.buffers.tangents
    }

    fn require(&self, made_for_it: bool, what: &str) {
        assert!(made_for_it, "the plan was made for {:?}, without {what}", self.purpose);
    }
}

/// The partial sums that are chosen, or those that are usual for so many rows.
fn splits(tiles: &Tiles, rows: usize) -> Result<usize, DeviceError> {
    let Some(tile) = tiles.weight_gradient else { return Ok(default_splits(rows)) };
    tile.find()?;
    Ok(tile.splits as usize)
}

fn has_second_derivatives(purpose: Purpose) -> bool {
    matches!(purpose, Purpose::Hessian | Purpose::Functional)
}
