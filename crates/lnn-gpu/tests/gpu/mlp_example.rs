//! A network with a block of samples, its passes by the CPU engine in any precision, and on the device.

use lnn_autodiff::jet::{Accumulate, JetWorkspace, Purpose};
use lnn_autodiff::{Activation, MlpShape, Real};
use lnn_gpu::device::{Buffer, Device};
use lnn_gpu::mlp::{MlpJet, MlpParameters, Tiles, hessian_pairs, stride};

use crate::close::{Far, close};

/// What goes in; arrays as the CPU engine takes them.
#[derive(Clone)]
pub(crate) struct Example {
    pub(crate) shape: MlpShape,
    pub(crate) tangents: usize,
    pub(crate) rows: usize,
    /// A functional, or a directional derivative without second derivatives.
    pub(crate) purpose: Purpose,
    pub(crate) parameters: Vec<f32>,
    /// `[rows, inputs]`.
    pub(crate) value: Vec<f32>,
    /// `[t, rows, inputs]`.
    pub(crate) directions: Vec<f32>,
    /// ȳ, `[rows, outputs]`.
    pub(crate) output_bar: Vec<f32>,
    /// `[rows, inputs]`.
    pub(crate) a: Vec<f32>,
    /// `[rows, t]`.
    pub(crate) u: Vec<f32>,
    pub(crate) w: Vec<f32>,
}

/// What comes out, without padding.
#[derive(Clone, Debug)]
pub(crate) struct Results<T> {
    pub(crate) output: Vec<T>,
    pub(crate) input_bar: Vec<T>,
    /// None of a directional derivative.
    pub(crate) second_derivatives: Vec<T>,
    /// Of Σ ȳ f.
    pub(crate) parameter_vjp: Vec<T>,
    /// Of the functional or of the directional derivative.
    pub(crate) gradient: Vec<T>,
    /// `[x̄, x̄_u, x̄_w]` or x̄.
    pub(crate) input_cotangents: Vec<T>,
}

impl<T> Results<T> {
    fn named(&self) -> [(&'static str, &[T]); 6] {
        [
            ("f", &self.output),
            ("∂f/∂x", &self.input_bar),
            ("D_i D_j f", &self.second_derivatives),
            ("gradient of f", &self.parameter_vjp),
            ("gradient of its derivatives", &self.gradient),
            ("input cotangents", &self.input_cotangents),
        ]
    }
}

/// Numbers in (−1, 1) that depend on their place and on `seed` only.
fn numbers(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

impl Example {
    pub(crate) fn new(dimensions: &[usize], tangents: usize, rows: usize, activation: Activation) -> Self {
        let shape = MlpShape::new(dimensions, activation).unwrap();
        let mut parameters = Vec::new();
        for (layer, range) in shape.layers().iter().enumerate() {
            // Units of variance about one.
            let spread = 1.7 / (range.inputs as f32).sqrt();
            parameters.extend(numbers(range.weight.len(), 11 + layer as u64).iter().map(|x| x * spread));
            parameters.extend(numbers(range.outputs, 71 + layer as u64).iter().map(|x| 0.5 * x));
        }
        let inputs = rows * shape.inputs();
        Self {
            parameters,
            value: numbers(inputs, 1),
            directions: numbers(tangents * inputs, 2),
            output_bar: numbers(rows * shape.outputs(), 3),
            a: numbers(inputs, 4),
            u: numbers(rows * tangents, 5),
            w: numbers(rows * tangents, 6),
            shape,
            tangents,
            rows,
            purpose: Purpose::Functional,
        }
    }

    /// Without tangents.
    pub(crate) fn directional(dimensions: &[usize], rows: usize, activation: Activation) -> Self {
        Self { purpose: Purpose::Directional, ..Self::new(dimensions, 0, rows, activation) }
    }

    /// By the CPU engine.
    pub(crate) fn on_cpu<T: Real>(&self) -> Results<T> {
        let cast = |numbers: &[f32]| numbers.iter().map(|&x| T::from_f64(f64::from(x))).collect::<Vec<_>>();
        let parameters = cast(&self.parameters);
        let network = self.shape.bind(&parameters).unwrap();
        let mut workspace = JetWorkspace::<T>::new(&self.shape, self.tangents, self.rows, self.purpose);
        let inputs = workspace.start(self.rows);
        inputs.value.copy_from_slice(&cast(&self.value));
        inputs.tangents.copy_from_slice(&cast(&self.directions));
        workspace.forward(network);
        let output = workspace.output().to_vec();
        workspace.reverse(network, &cast(&self.output_bar));
        let input_bar = workspace.input_bar().to_vec();
        let mut parameter_vjp = vec![T::ZERO; self.shape.parameter_count()];
        workspace.parameter_vjp(Accumulate::Replace, &mut parameter_vjp);
        let pairs = hessian_pairs(self.tangents);
        let mut second_derivatives = vec![T::ZERO; self.rows * pairs.len()];
        let mut gradient = vec![T::ZERO; self.shape.parameter_count()];
        let (a, u, w) = (cast(&self.a), cast(&self.u), cast(&self.w));
        if self.purpose == Purpose::Functional {
            workspace.hessian(&pairs, &mut second_derivatives);
            workspace.functional_gradient(network, &a, &u, &w, Accumulate::Replace, &mut gradient);
        } else {
            workspace.directional_gradient(network, &a, Accumulate::Replace, &mut gradient);
        }
        let cotangents = workspace.input_cotangents(network);
        let input_cotangents = [cotangents.value, cotangents.u, cotangents.w].concat();
        Results { output, input_bar, second_derivatives, parameter_vjp, gradient, input_cotangents }
    }

    /// By the kernels.
    pub(crate) fn on(&self, device: &Device) -> Results<f32> {
        self.on_tiles(device, &Tiles::default())
    }

    /// By the kernels with these tiles.
    pub(crate) fn on_tiles(&self, device: &Device, tiles: &Tiles) -> Results<f32> {
        let parameters = MlpParameters::new(device, &self.shape).unwrap();
        parameters.upload(device, &self.parameters).unwrap();
        let jet = MlpJet::with_tiles(device, &parameters, self.tangents, self.rows, self.purpose, tiles).unwrap();
        let inputs = self.shape.inputs();
        let functional = self.purpose == Purpose::Functional;
        // The directions u and w in input space are the kernels' to write.
        let nowhere = vec![f32::NAN; if functional { 2 * self.value.len() } else { 0 }];
        let channels = [&self.directions[..], &self.value, &nowhere, &self.a].concat();
        device.upload(jet.inputs(), 0, &padded(&channels, inputs)).unwrap();
        device.upload(jet.output_bar(), 0, &padded(&self.output_bar, self.shape.outputs())).unwrap();
        for buffer in [jet.output(), jet.input_bar(), jet.second_derivatives(), jet.gradient(), jet.input_cotangents()]
        {
            device.upload(buffer, 0, &vec![f32::NAN; buffer.len()]).unwrap();
        }
        let flat = || {
            let padded = all(device, jet.gradient());
            let flat = parameters.layout().unpack(&padded);
            // An optimiser that is given padding must leave it zero.
            assert_eq!(parameters.layout().pack(&flat), padded, "padding of the gradient");
            flat
        };
        let mut recorder = device.recorder("jet");
        jet.record_forward(&mut recorder);
        jet.record_reverse(&mut recorder);
        jet.record_parameter_vjp(&mut recorder);
        recorder.submit().unwrap();
        let parameter_vjp = flat();
        device.upload(jet.gradient(), 0, &vec![f32::NAN; jet.gradient().len()]).unwrap();
        let mut recorder = device.recorder("derivatives");
        if functional {
            device.upload(jet.coefficients(), 0, &[&self.u[..], &self.w].concat()).unwrap();
            jet.record_hessian(&mut recorder);
            jet.record_functional_gradient(&mut recorder, Accumulate::Replace);
        } else {
            jet.record_directional_gradient(&mut recorder);
        }
        jet.record_input_cotangents(&mut recorder);
        recorder.submit().unwrap();
        Results {
            output: unpadded(&all(device, jet.output()), self.shape.outputs()),
            input_bar: unpadded(&all(device, jet.input_bar()), inputs),
            second_derivatives: all(device, jet.second_derivatives()),
            parameter_vjp,
            gradient: flat(),
            input_cotangents: unpadded(&all(device, jet.input_cotangents()), inputs),
        }
    }

    /// Compares with the CPU engine in double precision, each array by its largest number.
    ///
    /// A layer sums products over the width below, with errors of random sign, and hands them on to the next.
    pub(crate) fn compare(&self, got: &Results<f32>) -> Result<(), (&'static str, Far)> {
        self.compare_named(&got.named())
    }

    /// As [`compare`](Self::compare), for some of the arrays.
    pub(crate) fn compare_named(&self, got: &[(&'static str, &[f32])]) -> Result<(), (&'static str, Far)> {
        let widest = self.shape.widest() as f64;
        let factor = 8.0 * self.shape.layers().len() as f64 * widest.max(self.rows as f64).sqrt();
        let exact = self.on_cpu::<f64>();
        for &(name, got) in got {
            let (_, want) = exact.named().into_iter().find(|(own, _)| *own == name).expect("an array of that name");
            let largest = want.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
            close(got, want, &vec![largest; want.len()], factor).map_err(|far| (name, far))?;
        }
        Ok(())
    }
}

/// Rows of `width` numbers with zeros up to the stride.
pub(crate) fn padded(numbers: &[f32], width: usize) -> Vec<f32> {
    let rows = numbers.chunks_exact(width);
    rows.flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, stride(width) - width))).collect()
}

pub(crate) fn unpadded(numbers: &[f32], width: usize) -> Vec<f32> {
    numbers.chunks_exact(stride(width)).flat_map(|row| row[..width].iter().copied()).collect()
}

pub(crate) fn all(device: &Device, buffer: &Buffer<f32>) -> Vec<f32> {
    let mut numbers = vec![0.0; buffer.len()];
    device.download(buffer, 0, &mut numbers).unwrap();
    numbers
}
