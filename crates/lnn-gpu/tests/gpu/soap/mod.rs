//! SOAP's updates against the formulas in double precision.

mod basis;
mod reference;

use lnn_autodiff::{Activation, MlpShape};
use lnn_gpu::mlp::ParameterLayout;
use lnn_gpu::optimiser::{AdamSettings, ParameterBlock, Soap, SoapError, SoapSettings};
use lnn_gpu::step::{Clipping, StepControl, StepSettings, Terms};

use crate::ground::device;
use crate::step::{Given, settings};
use reference::{Block, Matrix, Noise, Side, orthogonality_defect};

const SOAP: SoapSettings =
    SoapSettings { averages: AdamSettings { beta1: 0.95, beta2: 0.9, epsilon: 1e-8 }, shampoo_beta: 0.95 };
const DECAY: f64 = 0.1;
const EPSILON: f64 = f32::EPSILON as f64;

/// Blocks one after the other, rows padded as on the device.
fn blocks(shapes: &[[usize; 2]]) -> (Vec<ParameterBlock>, usize) {
    let mut offset = 0;
    let mut blocks = Vec::new();
    for &[rows, columns] in shapes {
        let stride = columns.next_multiple_of(4);
        blocks.push(ParameterBlock { offset, rows, columns, stride });
        offset += rows * stride;
    }
    (blocks, offset)
}

struct Fixture {
    blocks: Vec<ParameterBlock>,
    models: usize,
    count: usize,
    given: Given,
    control: StepControl,
    soap: Soap,
}

impl Fixture {
    fn new(shapes: &[[usize; 2]], models: usize) -> Self {
        let (blocks, count) = blocks(shapes);
        let AdamSettings { beta1, beta2, .. } = SOAP.averages;
        // Clips each gradient at the norm of the one before it.
        let clipping = Clipping::RunningNorm { limit: 1.0, averaging: 0.0 };
        let settings = StepSettings { weight_decay: DECAY, beta1, beta2, clipping, ..settings(models, 1) };
        let given = Given::new(&settings, count);
        let control = given.control(settings, false);
        let soap = Soap::new(device(), SOAP, &blocks, &control, &given.gradient, &given.parameters).unwrap();
        Self { blocks, models, count, given, control, soap }
    }

    /// Matrices of all blocks of all models in one padded vector; zero in the padding.
    fn flat<'a>(&self, matrices: impl Iterator<Item = &'a Matrix>) -> Vec<f32> {
        let mut flat = vec![0.0; self.models * self.count];
        let places = (0..self.models).flat_map(|model| self.blocks.iter().map(move |block| (model, block)));
        for ((model, block), matrix) in places.zip(matrices) {
            for at in 0..matrix.entries.len() {
                let (row, column) = (at / block.columns, at % block.columns);
                flat[model * self.count + block.offset + row * block.stride + column] = matrix.entries[at] as f32;
            }
        }
        flat
    }

    /// The parameters, block by block.
    fn parameters(&self) -> Vec<Matrix> {
        let flat = crate::step::download(&self.given.parameters);
        let of_block = |model: usize, block: &ParameterBlock| {
            let at = |row, column| f64::from(flat[model * self.count + block.offset + row * block.stride + column]);
            for row in 0..block.rows {
                let end = model * self.count + block.offset + row * block.stride;
                assert!(
                    flat[end + block.columns..end + block.stride].iter().all(|&x| x == 0.0),
                    "padding of {block:?}"
                );
            }
            Matrix::from_fn(block.rows, block.columns, at)
        };
        (0..self.models).flat_map(|model| self.blocks.iter().map(move |block| of_block(model, block))).collect()
    }

    /// One step with this gradient.
    fn step(&self, gradient: &[Matrix], rate: f64, record: impl Fn(&mut lnn_gpu::device::Recorder)) {
        device().upload(&self.given.gradient, 0, &self.flat(gradient.iter())).unwrap();
        self.control.set_rates(device(), 0, &[rate], Terms::FullRank).unwrap();
        let mut recorder = device().recorder("step");
        self.control.record_decision(&mut recorder, 0);
        record(&mut recorder);
        self.control.record_restoration(&mut recorder);
        recorder.submit().unwrap();
    }
}

/// A number that single precision has.
fn single(matrix: &Matrix) -> Matrix {
    matrix.map(|x| f64::from(x as f32))
}

/// How far the device's parameters and factors are from the formulas after 30 steps, in units of what single precision
/// allows: of the difference that rounding every result in the formulas to single precision makes. `perturbed` changes
/// one number of one gradient on the device.
fn deviation(shapes: &[[usize; 2]], models: usize, perturbed: bool) -> f64 {
    let fixture = Fixture::new(shapes, models);
    let mut noise = Noise::new(shapes.len() as u64);
    let mut exact: Vec<Block> = Vec::new();
    for _ in 0..models {
        for block in &fixture.blocks {
            let matrix = block.columns > 1;
            let left = (matrix && block.rows > 1).then(|| Side::random(block.rows, &mut noise));
            let right = matrix.then(|| Side::random(block.columns, &mut noise));
            exact.push(Block::new(single(&noise.matrix(block.rows, block.columns)), left, right));
        }
    }
    let per_model = fixture.blocks.len();
    for model in 0..models {
        let states: Vec<_> = exact[model * per_model..][..per_model].iter().map(Block::write).collect();
        fixture.soap.upload(device(), model, &states).unwrap();
        assert_eq!(fixture.soap.download(device(), model).unwrap(), states);
    }
    device().upload(&fixture.given.parameters, 0, &fixture.flat(exact.iter().map(|block| &block.parameters))).unwrap();

    let mut rounded: Vec<Block> = exact.iter().cloned().map(Block::with_noise).collect();
    let mut limits = vec![f64::INFINITY; models];
    for step in 0..30 {
        let rate = 0.03 / (1.0 + 0.1 * f64::from(step));
        let refresh = step % 4 == 3;
        let mut gradients: Vec<Matrix> =
            exact.iter().map(|block| single(&noise.matrix(block.first.rows, block.first.columns))).collect();
        for (number, (exact, rounded)) in exact.iter_mut().zip(&mut rounded).enumerate() {
            let model = number / per_model;
            let of_model = || gradients[model * per_model..][..per_model].iter().flat_map(|block| &block.entries);
            let norm = of_model().map(|x| x * x).sum::<f64>().sqrt();
            let clipped = gradients[number].map(|x| x * (limits[model] / norm).min(1.0));
            exact.step(&clipped, &SOAP, rate, DECAY, refresh);
            rounded.step(&clipped, &SOAP, rate, DECAY, refresh);
            if number % per_model == per_model - 1 {
                limits[model] = limits[model].min(norm);
            }
        }
        if perturbed && step == 15 {
            *gradients[0].entries.last_mut().unwrap() += 1e-2;
        }
        fixture.step(&gradients, rate, |recorder| fixture.soap.record(recorder, refresh));
    }

    let difference = |a: &Matrix, b: &Matrix| a.zip(b, |x, y| x - y).largest();
    let mut worst = 0.0_f64;
    for (number, got) in fixture.parameters().iter().enumerate() {
        let (exact, rounded) = (&exact[number].parameters, &rounded[number].parameters);
        let allowed = difference(exact, rounded) + EPSILON * exact.largest();
        worst = worst.max(difference(got, exact) / allowed);
    }
    for model in 0..models {
        for (number, state) in fixture.soap.download(device(), model).unwrap().iter().enumerate() {
            let exact = &exact[model * per_model + number];
            let inner = exact.first.rows.max(exact.first.columns) as f64;
            for (got, want) in [(&state.left, &exact.left), (&state.right, &exact.right)] {
                let (Some(got), Some(want)) = (got, want) else { continue };
                let got = Side::read(got, want.factor.rows);
                // A sum over the block's other side a step, the older ones with less weight: 20 of them weigh.
                let allowed = EPSILON * (inner.sqrt() + 20.0) * want.factor.largest();
                worst = worst.max(difference(&got.factor, &want.factor) / allowed);
                let defect = orthogonality_defect(&got.basis);
                let bound = 4.0 * want.factor.rows as f64 * EPSILON;
                assert!(defect <= bound, "block {number}: basis off by {defect:e}, bound {bound:e}");
            }
        }
    }
    worst
}

/// Errors of the device are sums of many roundings like those of the noise.
const FACTOR: f64 = 8.0;

fn follows(shapes: &[[usize; 2]], models: usize) {
    let worst = deviation(shapes, models, false);
    assert!(worst <= FACTOR, "{worst}");
    let worst = deviation(shapes, models, true);
    assert!(worst > FACTOR, "a perturbed gradient gives {worst} only");
}

#[test]
fn small_blocks_of_every_shape() {
    follows(&[[3, 2], [1, 7], [5, 1], [2, 9], [1, 1], [33, 20], [1, 33], [17, 48]], 1);
}

#[test]
fn several_models_do_not_see_each_other() {
    follows(&[[7, 5], [1, 7], [4, 1], [35, 31]], 3);
}

#[test]
fn blocks_of_the_width_of_a_tile_and_beyond() {
    follows(&[[64, 64], [1, 64]], 1);
    follows(&[[70, 40], [1, 70]], 1);
}

#[test]
fn many_blocks_take_the_large_tile() {
    let mut shapes = vec![[70, 66]];
    shapes.extend([[1, 2]; 256]);
    follows(&shapes, 1);
}

#[test]
fn the_first_step_sets_up_bases_and_changes_no_parameter() {
    let shapes = [[12, 30], [1, 12], [30, 12], [6, 1]];
    let fixture = Fixture::new(&shapes, 2);
    let mut noise = Noise::new(5);
    let mut matrices =
        || -> Vec<Matrix> { (0..8).map(|at| single(&noise.matrix(shapes[at % 4][0], shapes[at % 4][1]))).collect() };
    let (parameters, mut gradients) = (matrices(), matrices());
    device().upload(&fixture.given.parameters, 0, &fixture.flat(parameters.iter())).unwrap();
    let prepare = |gradients: &[Matrix]| {
        fixture.step(gradients, 0.1, |recorder| fixture.soap.record_preparation(recorder));
        let failed = fixture.soap.prepare(device(), &fixture.control).unwrap();
        assert!(failed.as_ref().is_none_or(Vec::is_empty), "{failed:?}");
        failed.is_some()
    };
    // A gradient that nothing can be learned from leaves it to the next step.
    let bad: Vec<_> = gradients.iter().map(|gradient| gradient.map(|_| f64::NAN)).collect();
    assert!(!prepare(&bad));
    // The second model's is not usable again: it starts from the unit matrix.
    let good = std::mem::replace(&mut gradients[4], bad[4].clone());
    assert!(prepare(&gradients));
    assert_eq!(fixture.parameters(), parameters);
    let states = fixture.control.download_states(device()).unwrap();
    let counts: Vec<_> = states.iter().map(|state| (state.updates, state.skipped, state.steps)).collect();
    assert_eq!(counts, [(0, 1, 2), (0, 2, 2)]);

    for (state, gradient) in fixture.soap.download(device(), 0).unwrap().iter().zip(&gradients) {
        let transposed = gradient.transpose();
        for (side, gram) in [(&state.left, gradient * &transposed), (&state.right, &transposed * gradient)] {
            let Some(side) = side else { continue };
            let n = gram.rows;
            let Side { factor, basis } = Side::read(side, n);
            let want = gram.map(|x| (1.0 - SOAP.shampoo_beta) * x);
            let tolerance = 4.0 * n as f64 * EPSILON * want.largest();
            assert!(factor.zip(&want, |x, y| x - y).largest() <= tolerance);
            assert!(orthogonality_defect(&basis) <= 8.0 * n as f64 * EPSILON);
            let diagonal = &(&basis.transpose() * &want) * &basis;
            let values: Vec<f64> = (0..n).map(|k| diagonal.at(k, k)).collect();
            assert!(values.windows(2).all(|pair| pair[0] >= pair[1] - tolerance), "{values:?}");
            let off = Matrix::from_fn(n, n, |row, column| if row == column { 0.0 } else { diagonal.at(row, column) });
            assert!(off.largest() <= 4.0 * tolerance, "{} > {tolerance}", off.largest());
        }
    }
    let unit = fixture.soap.download(device(), 1).unwrap()[0].right.clone().unwrap();
    assert_eq!(Side::read(&unit, 30).basis, Matrix::from_fn(30, 30, |i, j| f64::from(u8::from(i == j))));

    // From here on both learn.
    gradients[4] = good;
    fixture.step(&gradients, 0.1, |recorder| fixture.soap.record(recorder, true));
    assert!(fixture.parameters().iter().zip(&parameters).all(|(new, old)| new != old));
}

#[test]
fn blocks_of_a_network_are_its_weights_and_biases_and_nothing_but_padding_is_left_out() {
    let shape = MlpShape::new(&[3, 6, 1], Activation::Softplus).unwrap();
    let layout = ParameterLayout::new(&shape);
    let blocks = ParameterBlock::of_network(&layout);
    let sizes: Vec<_> = blocks.iter().map(|block| (block.rows, block.columns)).collect();
    assert_eq!(sizes, [(6, 3), (1, 6), (1, 6), (1, 1)]);
    let mut flat = Vec::new();
    let padded = layout.pack(&(1..=shape.parameter_count()).map(|i| i as f32).collect::<Vec<_>>());
    for ParameterBlock { offset, rows, columns, stride } in blocks {
        flat.extend((0..rows * columns).map(|at| padded[offset + at / columns * stride + at % columns]));
    }
    assert_eq!(flat, layout.unpack(&padded));
}

#[test]
fn a_block_that_is_too_large_is_refused_by_number() {
    let (blocks, count) = blocks(&[[3, 4], [1, 2052]]);
    let settings = settings(1, 1);
    let given = Given::new(&settings, count);
    let control = given.control(settings, false);
    let error = Soap::new(device(), SOAP, &blocks, &control, &given.gradient, &given.parameters).err().unwrap();
    assert!(matches!(error, SoapError::BlockSize { block: 1, rows: 1, columns: 2052, limit: 2048 }), "{error}");
}
