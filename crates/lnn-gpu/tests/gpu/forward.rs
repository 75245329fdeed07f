//! A network's way from states to accelerations on the device.

use lnn_autodiff::jet::{Accumulate, Purpose};
use lnn_autodiff::pseudoinverse::Tolerance;
use lnn_gpu::device::Buffer;
use lnn_gpu::euler_lagrange::{AccelerateBuffers, AssembleBuffers, Equation, assemble};
use lnn_gpu::features::{Features, PullBackBuffers, SeedBuffers, Tangents};
use lnn_gpu::mlp::{MlpJet, MlpParameters};

use crate::buffers::{buffer, contents, poisoned, run};
use crate::ground::device;
use crate::lagrangian_example::Problem;

/// Buffers and plans of a network's way forth.
pub(crate) struct Forward {
    pub(crate) features: Features,
    pub(crate) parameters: MlpParameters,
    pub(crate) jet: MlpJet,
    pub(crate) slopes: Buffer<f32>,
    seed: lnn_gpu::Stage,
}

impl Forward {
    pub(crate) fn new(problem: &Problem) -> Self {
        let (d, rows, device) = (problem.masses.len(), problem.rows, device());
        let features = Features::new(device, problem.map.clone()).unwrap();
        let parameters = MlpParameters::new(device, &problem.shape).unwrap();
        parameters.upload(device, &problem.parameters).unwrap();
        let jet = MlpJet::new(device, &parameters, d + 1, rows, Purpose::Functional).unwrap();
        let ones: Vec<f32> = (0..4 * rows).map(|place| if place % 4 == 0 { 1.0 } else { 0.0 }).collect();
        device.upload(jet.output_bar(), 0, &ones).unwrap();
        let (states, slopes) = (buffer("states", &problem.states), poisoned("slopes", rows * features.stride()));
        let seeds = SeedBuffers { states: &states, inputs: jet.inputs(), slopes: &slopes };
        let seed = features.seed(device, rows, Tangents::Lagrangian, seeds).unwrap();
        Self { features, parameters, jet, slopes, seed }
    }

    pub(crate) fn equation<'a>(&'a self, problem: &'a Problem, units: Option<&'a [f64]>) -> Equation<'a> {
        let tolerance = Tolerance::for_dimension::<f32>(problem.masses.len());
        Equation {
            features: &self.features,
            rows: problem.rows,
            masses: &problem.masses,
            units,
            tolerance,
            forces: None,
        }
    }

    pub(crate) fn record(&self, recorder: &mut lnn_gpu::device::Recorder) {
        self.seed.record(recorder);
        self.jet.record_forward_derivatives(recorder);
        self.jet.record_reverse(recorder);
        self.jet.record_hessian(recorder);
    }
}

/// What the device makes of a problem's states.
pub(crate) struct Accelerated {
    pub(crate) acceleration: Vec<f32>,
    pub(crate) mass_matrix: Vec<f32>,
    pub(crate) ranks: Vec<u32>,
    /// Matrices that are not finite, and not of full rank.
    pub(crate) tally: [u32; 2],
}

/// From states to accelerations, and to the mass matrices that they come from.
pub(crate) fn accelerate(problem: &Problem) -> Accelerated {
    let (d, rows, device) = (problem.masses.len(), problem.rows, device());
    let forward = Forward::new(problem);
    let acceleration = poisoned("acceleration", rows * d);
    let [ranks, negative, tally] = [("ranks", rows), ("negative eigenvalues", rows), ("tally", 2)]
        .map(|(name, length)| device.buffer::<u32>(name, length).unwrap());
    let buffers = AccelerateBuffers {
        slopes: &forward.slopes,
        x_bar: forward.jet.input_bar(),
        second_derivatives: forward.jet.second_derivatives(),
        acceleration: &acceleration,
        ranks: &ranks,
        negative: &negative,
        tally: &tally,
    };
    let solve = forward.equation(problem, None).accelerate(device, buffers).unwrap();
    let [force, momentum, mass_matrix] =
        [("r", d), ("p", d), ("H", d * d)].map(|(name, width)| poisoned(name, rows * width));
    let states = buffer("states", &problem.states);
    let pulled = PullBackBuffers {
        slopes: &forward.slopes,
        x_bar: forward.jet.input_bar(),
        q_bar: &force,
        q_dot_bar: &momentum,
    };
    let pull_back = forward.features.pull_back(device, rows, 1.0, Accumulate::Replace, pulled).unwrap();
    let buffers = AssembleBuffers {
        second_derivatives: forward.jet.second_derivatives(),
        states: &states,
        force: &force,
        momentum: &momentum,
        mass_matrix: &mass_matrix,
    };
    let assembly = assemble(device, rows, forward.features.state(), &problem.masses, buffers).unwrap();
    run(|recorder| {
        forward.record(recorder);
        solve.record(recorder);
        pull_back.record(recorder);
        assembly.record(recorder);
    });
    let (mut all_ranks, mut counted) = (vec![0; rows], [0; 2]);
    device.download(&ranks, 0, &mut all_ranks).unwrap();
    device.download(&tally, 0, &mut counted).unwrap();
    let (acceleration, mass_matrix) = (contents(&acceleration), contents(&mass_matrix));
    Accelerated { acceleration, mass_matrix, ranks: all_ranks, tally: counted }
}
