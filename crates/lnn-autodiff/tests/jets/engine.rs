//! One full pass of the batched engine.

use lnn_autodiff::Real;
use lnn_autodiff::jet::{Accumulate, InputCotangents, JetWorkspace, Purpose};

use crate::case::Case;

/// Every array that the engine gives for one block, in double precision; empty where `purpose` excludes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Passes {
    pub(crate) output: Vec<f64>,
    pub(crate) output_tangents: Vec<f64>,
    pub(crate) input_bar: Vec<f64>,
    pub(crate) vjp: Vec<f64>,
    pub(crate) hessian: Vec<f64>,
    pub(crate) functional: Vec<f64>,
    /// `[x̄, x̄_u, x̄_w]` of the functional.
    pub(crate) input_cotangents: Vec<f64>,
    pub(crate) directional: Vec<f64>,
    pub(crate) directional_output: Vec<f64>,
    /// x̄ of the directional derivative.
    pub(crate) directional_input: Vec<f64>,
}

pub(crate) fn cast<T: Real>(values: &[f64]) -> Vec<T> {
    values.iter().map(|&x| T::from_f64(x)).collect()
}
fn double<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|&x| x.to_f64()).collect()
}

/// All passes that `purpose` allows, in the given workspace.
pub(crate) fn run_in<T: Real>(case: &Case, workspace: &mut JetWorkspace<T>, purpose: Purpose) -> Passes {
    passes(case, workspace, purpose, true)
}

/// All passes of derivatives, after the forward pass that leaves out f itself.
pub(crate) fn run_derivatives_in<T: Real>(case: &Case, workspace: &mut JetWorkspace<T>) -> Passes {
    passes(case, workspace, Purpose::Functional, false)
}

fn passes<T: Real>(case: &Case, workspace: &mut JetWorkspace<T>, purpose: Purpose, with_value: bool) -> Passes {
    let parameters: Vec<T> = cast(&case.parameters);
    let network = case.shape.bind(&parameters).expect("as many parameters as the shape has");
    let inputs = workspace.start(case.rows);
    inputs.value.copy_from_slice(&cast::<T>(&case.x));
    inputs.tangents.copy_from_slice(&cast::<T>(&case.tangents));
    let mut passes = Passes::default();
    if with_value {
        workspace.forward(network);
        passes.output = double(workspace.output());
    } else {
        workspace.forward_derivatives(network);
    }
    passes.output_tangents = double(workspace.output_tangents(network));
    if purpose >= Purpose::Gradient {
        workspace.reverse(network, &cast::<T>(&case.output_bar));
        passes.input_bar = double(workspace.input_bar());
        if with_value {
            // Poisoned here and below: an entry that is not written shows.
            let mut gradient = vec![T::from_f64(f64::NAN); parameters.len()];
            workspace.parameter_vjp(Accumulate::Replace, &mut gradient);
            passes.vjp = double(&gradient);
        }
    }
    if purpose >= Purpose::Hessian {
        let pairs = case.pairs();
        let mut hessian = vec![T::from_f64(f64::NAN); case.rows * pairs.len()];
        workspace.hessian(&pairs, &mut hessian);
        passes.hessian = double(&hessian);
    }
    if purpose >= Purpose::Directional {
        let mut gradient = vec![T::from_f64(f64::NAN); parameters.len()];
        workspace.directional_gradient(network, &cast::<T>(&case.a), Accumulate::Replace, &mut gradient);
        passes.directional = double(&gradient);
        passes.directional_output = double(workspace.directional_output(network));
        let cotangents = workspace.input_cotangents(network);
        assert!(cotangents.u.is_empty() && cotangents.w.is_empty());
        passes.directional_input = double(cotangents.value);
        let product = double(workspace.hessian_product(network, &cast::<T>(&case.a)));
        // Poisoned blocks come by here too.
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert_eq!(product.len(), passes.directional_input.len());
        assert!(product.iter().zip(&passes.directional_input).all(same), "the passes without the weight gradients");
    }
    if purpose >= Purpose::Functional {
        let mut gradient = vec![T::from_f64(f64::NAN); parameters.len()];
        let [a, u, w] = [&case.a, &case.u, &case.w].map(|values| cast::<T>(values));
        workspace.functional_gradient(network, &a, &u, &w, Accumulate::Replace, &mut gradient);
        passes.functional = double(&gradient);
        let InputCotangents { value, u, w } = workspace.input_cotangents(network);
        passes.input_cotangents = [value, u, w].concat().iter().map(|x| x.to_f64()).collect();
    }
    passes
}

/// All passes in a fresh workspace of just the right capacity.
pub(crate) fn run<T: Real>(case: &Case) -> Passes {
    let purpose = Purpose::Functional;
    let mut workspace = JetWorkspace::<T>::new(&case.shape, case.directions, case.rows, purpose);
    run_in(case, &mut workspace, purpose)
}
