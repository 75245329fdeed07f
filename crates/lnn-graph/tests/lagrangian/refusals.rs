//! What is refused, and in which words.

use std::sync::Arc;

use lnn_autodiff::Activation;
use lnn_graph::topology::{Boundary, Topology};
use lnn_graph::{
    Density, DensityError, FieldEvaluator, FieldFeatures, FieldHamiltonian, FieldLagrangian, Neighbourhood, PlainField,
    SolveBy,
};

fn density(neighbourhood: Neighbourhood) -> Density {
    Density::new(neighbourhood, FieldFeatures::scalar(), &[4], Activation::Softplus).expect("valid")
}

fn ring(sites: usize) -> Arc<Topology> {
    Arc::new(Topology::line(sites, Boundary::Periodic).expect("a ring"))
}

#[test]
fn densities_that_make_no_sense_or_do_not_fit_are_refused_by_name() {
    let refused = |result: Result<FieldLagrangian, DensityError>, words: &str| {
        let message = result.expect_err(words).to_string();
        assert!(message.contains(words), "{message}\n{words}");
    };
    let features = FieldFeatures { components: Vec::new(), ..FieldFeatures::scalar() };
    assert_eq!(Density::new(Neighbourhood::Line, features, &[4], Activation::Tanh), Err(DensityError::NoComponent));
    let flat = Density::new(Neighbourhood::Line, FieldFeatures::scalar(), &[4], Activation::Relu);
    assert_eq!(flat, Err(DensityError::FlatActivation(Activation::Relu)));
    let mut features = FieldFeatures::scalar();
    features.components[0].rate_scale = 0.0;
    assert!(matches!(
        Density::new(Neighbourhood::Line, features, &[4], Activation::Tanh),
        Err(DensityError::Features(_))
    ));

    let grid = Arc::new(Topology::grid([3, 3], [Boundary::Periodic; 2]).expect("a grid"));
    refused(
        FieldLagrangian::new(density(Neighbourhood::Line), grid, &[], 1.0),
        "a density of Line neighbourhoods does not fit a topology that is a",
    );
    let one = density(Neighbourhood::Line);
    refused(
        FieldLagrangian::new(one.clone(), ring(4), &[1.0; 4], 1.0),
        "4 attributes of sites were given for 4 of them, but the density takes 0 for each: 0 in all",
    );
    let features = FieldFeatures { site_attribute_scales: vec![1.0], ..FieldFeatures::scalar() };
    let with_attribute = Density::new(Neighbourhood::Line, features, &[4], Activation::Tanh).expect("valid");
    refused(
        FieldLagrangian::new(with_attribute, ring(3), &[1.0, f64::NAN, 1.0], 1.0),
        "attribute 1 of the sites is NaN",
    );
    for mass in [-1.0, f64::NAN, f64::INFINITY] {
        refused(FieldLagrangian::new(one.clone(), ring(4), &[], mass), "the residual mass is");
    }
    let lonely = Arc::new(Topology::graph(3, &[[0, 2]]).expect("a graph"));
    refused(FieldLagrangian::new(density(Neighbourhood::Pairs), lonely, &[], 0.0), "site 1 has no neighbour");

    let two = Density::with_outputs(Neighbourhood::Line, FieldFeatures::scalar(), &[4], 2, Activation::Tanh);
    let two = two.expect("a function of two outputs");
    refused(
        FieldLagrangian::new(two.clone(), ring(4), &[], 1.0),
        "needs a density of 1 output(s), but its networks give 2",
    );
    assert!(FieldHamiltonian::new(two.clone(), ring(4), &[]).is_err());
    assert!(PlainField::new(two, ring(4), &[]).is_err(), "one component, two outputs");
}

#[test]
fn lengths_and_singular_matrices_are_named_with_sites_and_components() {
    // Without a residual mass and with zero weights nothing has mass.
    let one = density(Neighbourhood::Line);
    let parameters = vec![0.0; one.parameter_count()];
    let large = FieldLagrangian::new(one, ring(1000), &[], 0.0).expect("fits");
    let mut evaluator = FieldEvaluator::<f64>::new(&large, &parameters, SolveBy::Factorisation).expect("banded");
    let (field, mut out) = (vec![0.5; 1000], vec![0.0; 1000]);
    let short = evaluator.acceleration_into(&field[..999], &field, &mut out).expect_err("999 of 1000").to_string();
    assert!(short.contains("phi has 999 numbers; a field of 1 component(s) on 1000 sites has 1000"), "{short}");
    let singular = evaluator.acceleration_into(&field, &field, &mut out).expect_err("massless").to_string();
    assert!(singular.contains("singular to working precision at site "), "{singular}");
    assert!(singular.contains("its smallest pivot is 0e0; give a residual mass above 0"), "{singular}");
}
