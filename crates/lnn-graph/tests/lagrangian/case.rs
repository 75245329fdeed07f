//! Random densities on random topologies, and the same Lagrangian written down again without elements or jets.

use std::sync::Arc;

use lnn_autodiff::{Activation, MlpShape};
use lnn_graph::topology::{Boundary, OUTSIDE, Topology};
use lnn_graph::{ComponentFeatures, Density, FieldFeatures, FieldLagrangian, FieldValue, Neighbourhood};
use lnn_physics::{Lagrangian, Scalar};

/// Numbers in (−1, 1) from a seed: a multiplicative generator is random enough for weights and states.
pub(crate) fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mixed = (state ^ (state >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A Lagrangian with everything that its values depend on.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) lagrangian: FieldLagrangian,
    pub(crate) parameters: Vec<f64>,
    pub(crate) site_attributes: Vec<f64>,
}

impl Case {
    /// `components` field components, every second one circular, and `attributes` of each site.
    pub(crate) fn new(
        topology: Topology,
        neighbourhood: Neighbourhood,
        components: usize,
        attributes: usize,
        seed: u64,
    ) -> Self {
        let component = |index: usize| ComponentFeatures {
            value: if index % 2 == 1 { FieldValue::Circular } else { FieldValue::Plain { scale: 1.5 } },
            rate_scale: 0.8 + 0.3 * index as f64,
        };
        let features = FieldFeatures {
            components: (0..components).map(component).collect(),
            site_attribute_scales: vec![2.0; attributes],
            edge_attribute_scales: vec![0.5; topology.attributes_per_edge()],
        };
        let density = Density::new(neighbourhood, features, &[7, 5], Activation::Softplus).expect("valid");
        let parameters = numbers(seed, density.parameter_count()).iter().map(|x| 0.6 * x).collect();
        let site_attributes = numbers(seed + 1, topology.sites() * attributes);
        let lagrangian = FieldLagrangian::new(density, Arc::new(topology), &site_attributes, 1.0).expect("fits");
        Self { lagrangian, parameters, site_attributes }
    }

    pub(crate) fn unknowns(&self) -> usize {
        self.lagrangian.unknowns()
    }

    /// Fields and rates of `samples` states.
    pub(crate) fn states(&self, samples: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
        let scaled =
            |seed, factor: f64| numbers(seed, samples * self.unknowns()).iter().map(|x| factor * x).collect::<Vec<_>>();
        (scaled(seed + 2, 1.7), scaled(seed + 3, 1.2))
    }

    /// Inputs of one network: values and rates at these places (`None` for nothing there), then attributes.
    fn inputs<S: Scalar>(&self, places: &[Option<usize>], fields: [&[S]; 2], attributes: &[f64]) -> Vec<S> {
        let features = self.lagrangian.density().features();
        let c = features.components.len();
        let at = |half: usize| -> Vec<(usize, S)> {
            let of_place = |place: Option<usize>| {
                (0..c).map(move |index| (index, place.map_or(S::zero(), |site| fields[half][site * c + index])))
            };
            places.iter().flat_map(|&place| of_place(place)).collect()
        };
        let (values, rates) = (at(0), at(1));
        let circular = |index: usize| features.components[index].value == FieldValue::Circular;
        let angles = || values.iter().filter(|(index, _)| circular(*index)).map(|&(_, value)| value);
        let mut inputs: Vec<S> = angles().map(Scalar::sin).collect();
        inputs.extend(angles().map(Scalar::cos));
        for &(index, value) in &values {
            if let FieldValue::Plain { scale } = features.components[index].value {
                inputs.push(value * (1.0 / scale));
            }
        }
        inputs.extend(rates.iter().map(|&(index, rate)| rate * (1.0 / features.components[index].rate_scale)));
        let scales = features.site_attribute_scales.iter().chain(&features.edge_attribute_scales);
        inputs.extend(attributes.iter().zip(scales).map(|(&value, scale)| S::constant(value / scale)));
        inputs
    }
}

/// softplus layers, the last one linear.
fn mlp<S: Scalar>(shape: &MlpShape, parameters: &[f64], inputs: Vec<S>) -> S {
    let mut values = inputs;
    for (index, layer) in shape.layers().iter().enumerate() {
        let (weight, bias) = (&parameters[layer.weight.clone()], &parameters[layer.bias.clone()]);
        let last = index == shape.hidden_layers();
        values = (0..layer.outputs)
            .map(|o| {
                let row = &weight[o * layer.inputs..(o + 1) * layer.inputs];
                let z = row.iter().zip(&values).fold(S::constant(bias[o]), |sum, (&w, &x)| sum + x * w);
                if last { z } else { z.exp().ln_1p() }
            })
            .collect();
    }
    values[0]
}

impl Lagrangian for Case {
    fn degrees_of_freedom(&self) -> usize {
        self.unknowns()
    }

    fn lagrangian<S: Scalar>(&self, phi: &[S], phi_dot: &[S]) -> S {
        let (density, topology) = (self.lagrangian.density(), self.lagrangian.topology());
        let shapes: Vec<&MlpShape> = density.shapes().collect();
        let (first, second) = self.parameters.split_at(shapes[0].parameter_count());
        let fields = [phi, phi_dot];
        let per_site = self.site_attributes.len() / topology.sites();
        let of_site = |site: usize| &self.site_attributes[site * per_site..(site + 1) * per_site];
        let mut sum = S::zero();
        for site in 0..topology.sites() {
            let places: Vec<Option<usize>> = match density.neighbourhood() {
                Neighbourhood::Pairs => vec![Some(site)],
                _ => {
                    let stencil = topology.stencil().expect("ordered");
                    stencil.of(site).iter().map(|&j| (j != OUTSIDE).then_some(j as usize)).collect()
                }
            };
            sum += mlp(shapes[0], first, self.inputs(&places, fields, of_site(site)));
            // A wall beside the site: seen from the site, and the site from it.
            let Some(stencil) = topology.stencil() else { continue };
            for (place, _) in stencil.of(site).iter().enumerate().filter(|&(_, &index)| index == OUTSIDE) {
                if density.neighbourhood() == Neighbourhood::Pairs {
                    for pair in [[Some(site), None], [None, Some(site)]] {
                        sum += mlp(shapes[1], second, self.inputs(&pair, fields, of_site(site)));
                    }
                } else {
                    let mut places = vec![None; stencil.width];
                    places[stencil.width - 1 - place] = Some(site);
                    sum += mlp(shapes[0], first, self.inputs(&places, fields, of_site(site)));
                }
            }
        }
        if density.neighbourhood() == Neighbourhood::Pairs {
            let per_edge = topology.attributes_per_edge();
            for (edge, &[i, j]) in topology.edges().iter().enumerate() {
                let of_edge = &topology.edge_attributes()[edge * per_edge..(edge + 1) * per_edge];
                for [from, to] in [[i, j], [j, i]] {
                    let attributes = [of_site(from), of_edge].concat();
                    sum += mlp(shapes[1], second, self.inputs(&[Some(from), Some(to)], fields, &attributes));
                }
            }
        }
        phi_dot.iter().fold(sum, |sum, &rate| sum + rate * rate * (0.5 * self.lagrangian.residual_mass()))
    }
}

/// Cases of every topology, neighbourhood and boundary, small enough for dense automatic differentiation.
pub(crate) fn small_cases() -> Vec<Case> {
    use Boundary::{Fixed, Free, Periodic};
    let line = |n, boundary| Topology::line(n, boundary).expect("a line");
    let grid = |shape, boundary| Topology::grid(shape, boundary).expect("a grid");
    let edges = [[0, 1], [1, 2], [2, 0], [2, 3], [4, 5], [1, 4]];
    let attributes: Vec<f64> = numbers(77, edges.len());
    let graph = || Topology::graph_with_attributes(6, &edges, 1, &attributes).expect("a graph");
    let mut cases = Vec::new();
    for (index, n) in [3, 4, 5, 6, 11].into_iter().enumerate() {
        let seed = 100 * index as u64;
        cases.push(Case::new(line(n, Periodic), Neighbourhood::Line, 1, 0, seed));
        cases.push(Case::new(line(n, Periodic), Neighbourhood::Pairs, 1, 1, seed + 10));
        cases.push(Case::new(line(n, Fixed), Neighbourhood::Line, 1, 1, seed + 20));
        cases.push(Case::new(line(n, Free), Neighbourhood::Line, 2, 0, seed + 30));
    }
    for n in [1, 2] {
        for boundary in [Fixed, Free] {
            cases.push(Case::new(line(n, boundary), Neighbourhood::Line, 2, 0, 900 + n as u64));
        }
    }
    cases.push(Case::new(line(4, Periodic), Neighbourhood::Line, 3, 2, 31));
    cases.push(Case::new(line(5, Periodic), Neighbourhood::Pairs, 2, 0, 32));
    cases.push(Case::new(grid([3, 4], [Periodic, Periodic]), Neighbourhood::Grid, 1, 0, 33));
    cases.push(Case::new(grid([2, 3], [Fixed, Free]), Neighbourhood::Grid, 2, 1, 34));
    cases.push(Case::new(grid([3, 3], [Periodic, Free]), Neighbourhood::Pairs, 1, 0, 35));
    cases.push(Case::new(line(5, Fixed), Neighbourhood::Pairs, 1, 1, 38));
    cases.push(Case::new(line(1, Free), Neighbourhood::Pairs, 2, 0, 39));
    cases.push(Case::new(grid([3, 2], [Fixed, Fixed]), Neighbourhood::Pairs, 1, 0, 40));
    cases.push(Case::new(Topology::graph(4, &[[0, 2]]).expect("two alone"), Neighbourhood::Pairs, 1, 0, 41));
    cases.push(Case::new(Topology::graph(2, &[]).expect("no edge"), Neighbourhood::Pairs, 1, 0, 42));
    cases.push(Case::new(graph(), Neighbourhood::Pairs, 1, 0, 36));
    cases.push(Case::new(graph(), Neighbourhood::Pairs, 2, 2, 37));
    cases
}
