//! Every refusal of the fields and their states, with its message.

use std::sync::Arc;

use lnn_graph::fields::{
    ChargedString, ExactWave, Field, FieldDistribution, FieldError, Orientation, RandomStates, SineGordon, Wave,
    gaussian_bump,
};
use lnn_graph::topology::Boundary::{Fixed, Free, Periodic};
use lnn_graph::topology::Topology;

fn ring() -> Arc<Topology> {
    Arc::new(Topology::line(4, Periodic).unwrap())
}

fn graph() -> Arc<Topology> {
    Arc::new(Topology::parse_edge_list("0 1 2\n1 2 -1", "net").unwrap())
}

fn message<T>(result: Result<T, FieldError>) -> String {
    result.err().expect("it must be refused").to_string()
}

#[test]
fn parameters() {
    let speed = "expected a positive number whose square is neither 0 nor infinite";
    assert_eq!(message(Wave::new(ring(), 0.0)), format!("wave: speed = 0; {speed}"));
    assert_eq!(message(Wave::new(ring(), f64::NAN)), format!("wave: speed = NaN; {speed}"));
    for extreme in [1e155, 1e-162] {
        assert!(message(Wave::new(ring(), extreme)).ends_with(speed));
    }
    assert_eq!(
        message(Wave::inhomogeneous(ring(), vec![1.0; 3])),
        "wave: 3 values of speed for 4 sites; give one for each site"
    );
    assert_eq!(
        message(Wave::inhomogeneous(ring(), vec![1.0, 1.0, -2.0, 1.0])),
        format!("wave: speed = -2 at site 2; {speed}")
    );
    assert_eq!(
        message(Wave::on_weighted_edges(ring(), 0)),
        "wave: there is no edge attribute 0, the edges have 0, numbered from 0"
    );
    assert_eq!(
        message(Wave::on_weighted_edges(graph(), 0)),
        "wave: edge 1 2 has squared speed = -1; expected zero or a positive finite number"
    );
    assert_eq!(
        message(SineGordon::new(ring(), -1.0, 1.0)),
        "sine-gordon: coupling = -1; expected a positive finite number"
    );
    assert_eq!(message(SineGordon::new(ring(), 1.0, 0.0)), "sine-gordon: mass = 0; expected a positive finite number");
    assert_eq!(
        message(SineGordon::with_spacing(ring(), 1e-200)),
        "sine-gordon: coupling = inf; expected a positive finite number"
    );
    assert_eq!(
        message(ChargedString::new(ring(), 0.0, 1.0)),
        "charged-string: stiffness = 0; expected a positive finite number"
    );
    assert_eq!(
        message(ChargedString::new(ring(), 1.0, f64::INFINITY)),
        "charged-string: magnetic_field = inf; expected a finite number"
    );
}

#[test]
fn kinks() {
    let kink = |topology, centre, velocity| {
        SineGordon::new(topology, 1.0, 1.0).unwrap().kink(centre, velocity, Orientation::Kink)
    };
    let free = || Arc::new(Topology::line(4, Free).unwrap());
    assert_eq!(
        message(kink(ring(), 1.0, 0.5)),
        "sine-Gordon kink: expected a line with free ends, where both ends can be at rest, the topology is a periodic \
         line"
    );
    assert!(message(kink(Arc::new(Topology::line(4, Fixed).unwrap()), 1.0, 0.5)).ends_with("a line with fixed ends"));
    assert_eq!(message(kink(free(), f64::NAN, 0.5)), "sine-Gordon kink: centre = NaN; expected a finite number");
    for velocity in [1.0, -1.5, f64::NAN] {
        assert_eq!(
            message(kink(free(), 1.0, velocity)),
            format!(
                "sine-Gordon kink: velocity = {velocity}; expected a number between −1 and 1, in units of the speed of \
                 waves"
            )
        );
    }
}

#[test]
fn exact_motions() {
    let exact = |wave: Wave, length: usize| ExactWave::new(&wave, &vec![0.0; length]);
    assert_eq!(
        message(exact(Wave::new(graph(), 1.0).unwrap(), 6)),
        "exact wave: expected a line or a grid, the topology is a graph"
    );
    assert_eq!(
        message(exact(Wave::inhomogeneous(ring(), vec![1.0; 4]).unwrap(), 8)),
        "exact wave: the speed differs from site to site and no closed form is known; integrate with a small step"
    );
    assert_eq!(
        message(exact(Wave::new(ring(), 1.0).unwrap(), 7)),
        "a state of 7 numbers for 4 sites of 1 components; give [φ, φ̇], 8 numbers"
    );
    let long = Arc::new(Topology::line(4097, Free).unwrap());
    assert_eq!(
        message(exact(Wave::new(long, 1.0).unwrap(), 2 * 4097)),
        "exact wave: 4097 sites in one direction, at most 4096 are tabulated; integrate with a small step"
    );
}

#[test]
fn bumps() {
    let grid = Topology::grid([3, 3], [Free, Free]).unwrap();
    assert_eq!(
        message(gaussian_bump(&graph(), &[0.0], 1.0, &[1.0])),
        "Gaussian bump: expected a line or a grid, whose sites have positions, the topology is a graph"
    );
    assert_eq!(
        message(gaussian_bump(&grid, &[0.0], 1.0, &[1.0])),
        "Gaussian bump: a centre of 1 coordinates; give 2: the site on a line, row and column on a grid"
    );
    let line = ring();
    assert_eq!(
        message(gaussian_bump(&line, &[f64::NAN], 1.0, &[1.0])),
        "Gaussian bump: centre = NaN; expected a finite number"
    );
    assert_eq!(
        message(gaussian_bump(&line, &[0.0], 0.0, &[1.0])),
        "Gaussian bump: sigma = 0; expected a positive finite number"
    );
    assert_eq!(
        message(gaussian_bump(&line, &[0.0], 1.0, &[1.0, f64::INFINITY])),
        "Gaussian bump: amplitude = inf; expected a finite number"
    );
    assert_eq!(
        message(gaussian_bump(&line, &[0.0], 1.0, &[])),
        "Gaussian bump: amplitudes.len() = 0; expected one amplitude for each component of the field"
    );
}

#[test]
fn distributions() {
    let base = RandomStates {
        smooth_share: 0.5,
        rough_share: 0.25,
        modes: 2,
        field_amplitude: 1.0,
        rate_amplitude: 1.0,
        offset: None,
    };
    let refused = |states: RandomStates| message(FieldDistribution::new(&ring(), 1, states));
    let shares = "expected two numbers from 0 whose sum is at most 1 (the rest are mixtures)";
    for (smooth, rough) in [(0.75, 0.5), (-0.5, 1.0), (f64::NAN, 0.5)] {
        assert_eq!(
            refused(RandomStates { smooth_share: smooth, rough_share: rough, ..base.clone() }),
            format!("random states: smooth_share = {smooth}, rough_share = {rough}; {shares}")
        );
    }
    for modes in [0, 3] {
        assert_eq!(
            refused(RandomStates { modes, ..base.clone() }),
            format!("random states: modes = {modes}; expected 1 to 2, what a lattice of this size and these ends has")
        );
    }
    assert_eq!(
        refused(RandomStates { field_amplitude: -1.0, ..base.clone() }),
        "random states: field_amplitude = -1; expected zero or a positive finite number"
    );
    assert_eq!(
        refused(RandomStates { rate_amplitude: f64::INFINITY, ..base.clone() }),
        "random states: rate_amplitude = inf; expected zero or a positive finite number"
    );
    assert_eq!(
        message(FieldDistribution::new(&ring(), 0, base.clone())),
        "random states: components = 0; expected at least 1"
    );
    assert_eq!(
        message(FieldDistribution::new(&graph(), 1, base)),
        "smooth random states: expected a line or a grid; set rough_share = 1 on a graph, the topology is a graph"
    );
}

#[test]
#[should_panic(expected = "phi has 3 numbers, this field takes 4")]
fn arrays_of_another_length() {
    Wave::new(ring(), 1.0).unwrap().acceleration_into(&[0.0; 3], &[0.0; 4], &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "a state [φ, φ̇] has 5 numbers, this field takes 8")]
fn states_of_another_length() {
    Wave::new(ring(), 1.0).unwrap().state_energy(&[0.0; 5]);
}
