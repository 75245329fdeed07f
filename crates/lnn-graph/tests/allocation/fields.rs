//! Fields, their exact motions and random states.

use std::sync::Arc;

use lnn_graph::fields::{
    ChargedString, ExactWave, Field, FieldDistribution, Orientation, RandomStates, SineGordon, Wave, kink_position,
};
use lnn_graph::topology::{Boundary, Topology};
use lnn_physics::sampling::{Distribution, StateSampler};

use crate::allocations;

pub(crate) fn check() {
    let ring = Arc::new(Topology::line(20, Boundary::Periodic).unwrap());
    let free = Arc::new(Topology::line(20, Boundary::Free).unwrap());
    let grid = Arc::new(Topology::grid([4, 5], [Boundary::Fixed, Boundary::Periodic]).unwrap());
    let wave = Wave::new(ring.clone(), 1.0).unwrap();
    let sine_gordon = SineGordon::new(free, 4.0, 1.0).unwrap();
    let kink = sine_gordon.kink(10.0, 0.5, Orientation::Kink).unwrap();
    let fields: [Box<dyn Field>; 4] = [
        Box::new(wave.clone()),
        Box::new(Wave::inhomogeneous(grid.clone(), vec![1.5; 20]).unwrap()),
        Box::new(sine_gordon),
        Box::new(ChargedString::new(grid.clone(), 1.0, 0.5).unwrap()),
    ];
    for field in &fields {
        let d = field.unknowns();
        let (state, mut state_dot, mut density) = (vec![0.5; 2 * d], vec![0.0; 2 * d], [0.0; 20]);
        let work = || {
            field.state_derivative_into(&state, &mut state_dot);
            field.energy_density_into(&state[..d], &state[d..], &mut density);
            std::hint::black_box(field.state_energy(&state));
        };
        assert_eq!(allocations(work), 0, "{}", field.name());
    }

    let mut state = [0.0; 40];
    state[3] = 1.0;
    let mut exact = ExactWave::new(&wave, &state).unwrap();
    let work = || {
        exact.state_into(1.5, &mut state);
        kink.state_into(1.5, &mut state);
        std::hint::black_box(kink_position(&state[..20]));
    };
    assert_eq!(allocations(work), 0);

    for (topology, components) in [(&ring, 1), (&grid, 2)] {
        let states = RandomStates {
            smooth_share: 0.3,
            rough_share: 0.3,
            modes: 3,
            field_amplitude: 1.0,
            rate_amplitude: 1.0,
            offset: Some(Distribution::normal(0.0, 1.0).unwrap()),
        };
        let distribution = FieldDistribution::new(topology, components, states).unwrap();
        let mut batch = vec![0.0; 32 * distribution.state_length()];
        let mut step = 0;
        let fill = || {
            step += 1;
            distribution.fill(&StateSampler::new(1, 2), step, 0, &mut batch);
        };
        assert_eq!(allocations(fill), 0);
    }
}
