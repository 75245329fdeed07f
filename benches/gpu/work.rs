//! What each dispatch of a step has to do: operations of its products and bytes that it must move, without padding.

use lnn::autodiff::MlpShape;
use lnn_gpu::mlp::{NarrowJet, TileRole, hessian_pairs};
use lnn_gpu::optimiser::ParameterBlock;
use lnn_gpu::tuning::TuningCase;

/// The work of one dispatch.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// The kernel that does it.
    pub(crate) kernel: &'static str,
    /// What tells it from the kernel's other dispatches; those with the same are counted together.
    pub(crate) what: String,
    /// A multiplication and an addition are two.
    pub(crate) operations: Option<f64>,
    /// Numbers read and written once, of four bytes each.
    pub(crate) bytes: Option<f64>,
}

impl Work {
    fn product(kernel: &'static str, what: String, operations: f64) -> Self {
        Self { kernel, what, operations: Some(operations), bytes: None }
    }

    fn memory(kernel: &'static str, what: impl Into<String>, numbers: usize) -> Self {
        Self { kernel, what: what.into(), operations: None, bytes: Some(4.0 * numbers as f64) }
    }

    fn small(kernel: &'static str) -> Self {
        Self { kernel, what: String::new(), operations: None, bytes: None }
    }
}

/// A network's sizes, and those of its batch.
#[derive(Debug)]
pub(crate) struct Sizes {
    /// One model; of d coordinates its directions are d + 1.
    case: TuningCase,
    /// Partial gradients that are summed; 0 where there is no gradient.
    parts: usize,
}

impl Sizes {
    /// Of `rows` samples with so many coordinates, whose gradient is summed from so many parts, 0 where there is none.
    pub(crate) fn new(shape: &MlpShape, rows: usize, coordinates: usize, parts: usize) -> Self {
        let case = TuningCase { shape: shape.clone(), tangents: coordinates + 1, rows, models: 1 };
        Self { case, parts }
    }

    fn layers(&self) -> usize {
        self.case.shape.hidden_layers()
    }

    /// The product of a part of the step with the weight of `layer`.
    fn product(&self, kernel: &'static str, role: TileRole, layer: usize) -> Work {
        let range = self.case.shape.layer(layer);
        let what = format!("{}→{}", range.inputs, range.outputs);
        Work::product(kernel, what, self.case.layer_operations(role, layer))
    }

    fn parameters(&self) -> usize {
        self.case.shape.parameter_count()
    }

    /// States, targets, network inputs.
    pub(crate) fn batch(&self) -> Vec<Work> {
        let TuningCase { ref shape, tangents, rows, .. } = self.case;
        let (d, features) = (tangents - 1, shape.inputs());
        vec![
            Work::memory("sample_states", "", rows * 2 * d),
            Work::memory("double_pendulum", "", rows * 3 * d),
            Work::memory("seed_features", "", rows * (2 * d + (tangents + 2) * features)),
        ]
    }

    /// The equation of motion, the loss, and the directions of the way back.
    fn equation(&self) -> Work {
        let TuningCase { ref shape, tangents, rows, .. } = self.case;
        let (d, features) = (tangents - 1, shape.inputs());
        let (read, written) = (2 * features + hessian_pairs(tangents).len() + d, 2 * (d + 1) + features + 1);
        Work::memory("differentiate_loss", "", rows * (read + written))
    }

    /// The jets of an acceleration: all that it takes of the network.
    pub(crate) fn derivatives(&self) -> Vec<Work> {
        if NarrowJet::supports(&self.case.shape) { self.narrow_derivatives() } else { self.tiled_derivatives() }
    }

    /// From a step's inputs to its losses and its gradient.
    pub(crate) fn network(&self) -> Vec<Work> {
        if NarrowJet::supports(&self.case.shape) {
            self.narrow_step()
        } else {
            [self.tiled_derivatives(), vec![self.equation()], self.tiled_gradient()].concat()
        }
    }

    /// The jets of a network in tiles, before the equation.
    fn tiled_derivatives(&self) -> Vec<Work> {
        let TuningCase { ref shape, tangents, rows, .. } = self.case;
        let (layers, pairs) = (self.layers(), hessian_pairs(tangents).len());
        let forward = (0..layers).map(|l| self.product("layer_forward", TileRole::Forward, l));
        let reverse = (0..=layers).rev().map(|l| self.product("layer_reverse", TileRole::Reverse, l));
        let hessian = (0..layers).map(|l| {
            let width = shape.layer(l).outputs;
            // The first layer's are written, the others' added.
            let sums = if l == 0 { pairs } else { 2 * pairs };
            Work::memory("hessian_contract", format!("{width} wide"), rows * (width * (tangents + 2) + sums))
        });
        forward.chain(reverse).chain(hessian).collect()
    }

    /// The way back of a network in tiles.
    fn tiled_gradient(&self) -> Vec<Work> {
        let TuningCase { ref shape, tangents, rows, .. } = self.case;
        let (layers, features) = (self.layers(), shape.inputs());
        let mut all = vec![Work::memory("input_directions", "", rows * (2 * tangents + (tangents + 2) * features))];
        all.extend((0..layers).map(|l| self.product("functional_forward", TileRole::FunctionalForward, l)));
        all.extend((0..layers).rev().map(|l| match l + 1 {
            // Without a product: z, δ and three directional channels to three adjoints.
            last if last == layers => {
                let width = shape.layer(l).outputs;
                Work::memory("functional_reverse", format!("{width} wide, elementwise"), rows * width * 8)
            }
            above => self.product("functional_reverse", TileRole::FunctionalReverse, above),
        }));
        for l in 0..=layers {
            let outputs = shape.layer(l).outputs;
            // The derivatives have no bias of the output layer.
            let rows = if l == layers { 0 } else { rows };
            all.push(self.product("weight_gradient", TileRole::WeightGradient, l));
            let what = if l == layers { "none".to_owned() } else { format!("{outputs} wide") };
            all.push(Work::memory("bias_gradient", what, (rows + self.parts) * outputs));
        }
        all.push(Work::memory("gradient_sum", "", (self.parts + 1) * self.parameters()));
        all
    }

    /// The jets of a narrow network alone.
    fn narrow_derivatives(&self) -> Vec<Work> {
        vec![Work::product("narrow_jet", String::new(), self.case.operations(TileRole::NarrowJet))]
    }

    /// A narrow network's ways forth and back, with the equation between them.
    fn narrow_step(&self) -> Vec<Work> {
        vec![
            Work::product("narrow_step", String::new(), self.case.operations(TileRole::NarrowStep)),
            Work::memory("split_sum", "", (self.parts + 1) * self.parameters()),
        ]
    }

    /// From losses and gradient to what becomes of the step.
    pub(crate) fn decision(&self) -> Vec<Work> {
        vec![
            Work::memory("loss_total", "", self.case.rows),
            // θ and g are read; g and the copy of θ written.
            Work::memory("gradient_norms", "", 4 * self.parameters()),
            Work::small("clip_decide"),
        ]
    }

    /// Adam: θ, g and both averages are read; θ and both averages written.
    pub(crate) fn adam(&self) -> Vec<Work> {
        vec![Work::memory("adam", "", 7 * self.parameters())]
    }

    /// What takes back an update that overflowed, and does nothing else.
    pub(crate) fn restoration(&self) -> Work {
        Work::small("restore")
    }
}

/// SOAP's update, averages, and if asked for the refresh of its bases.
pub(crate) fn soap(blocks: &[ParameterBlock], refresh: bool) -> Vec<Work> {
    let sizes: Vec<[f64; 2]> = blocks
        .iter()
        .filter(|block| block.columns > 1)
        .map(|block| [block.rows as f64, block.columns as f64])
        .collect();
    let left = |[m, n]: [f64; 2]| if m > 1.0 { 2.0 * m * m * n } else { 0.0 };
    let right = |[m, n]: [f64; 2]| 2.0 * m * n * n;
    let cubes = |[m, n]: [f64; 2]| n.powi(3) + if m > 1.0 { m.powi(3) } else { 0.0 };
    let sum = |of: &dyn Fn([f64; 2]) -> f64| sizes.iter().map(|&size| of(size)).sum::<f64>();
    let product = |what: &str, operations| Work::product("soap_product", what.to_owned(), operations);
    let mut all: Vec<_> = blocks
        .iter()
        .filter(|block| block.columns == 1)
        .map(|block| Work::memory("adam", "", 7 * block.rows))
        .collect();
    all.extend([
        product("to basis, left", sum(&left)),
        product("to basis, right, moments", sum(&right)),
        product("from basis, left", sum(&left)),
        product("from basis, right, update", sum(&right)),
        product("factor averages", sum(&|size| left(size) + right(size))),
    ]);
    if refresh {
        all.extend([
            product("refresh: from old, left", sum(&left)),
            product("refresh: from old, right", sum(&right)),
            product("refresh: power step", sum(&|size| 2.0 * cubes(size))),
            Work::small("soap_order"),
            // Nominal: a factorisation by reflections, and the forming of Q.
            Work::product("soap_orthonormalise", String::new(), sum(&|size| 8.0 / 3.0 * cubes(size))),
            product("refresh: to new, left", sum(&left)),
            product("refresh: to new, right", sum(&right)),
        ]);
    }
    all
}
