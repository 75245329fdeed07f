//! Systems by name: what can be built, what is refused and how, and the lengths of what they return.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use lnn_physics::System;
use lnn_physics::systems::{
    Charge, DoublePendulum, HenonHeiles, Kepler, Pendulum, SYSTEMS, Sphere, Spring, SpringPendulum, SystemError, build,
    kind,
};

use crate::case::{cases, training_states};

fn given(pairs: &[(&str, f64)]) -> BTreeMap<String, f64> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn names_are_unique_and_build_with_defaults() {
    let expected = [
        "dblpend",
        "relativistic",
        "charge",
        "pendulum",
        "spring",
        "spring-pendulum",
        "kepler",
        "henon-heiles",
        "sphere",
    ];
    for name in expected {
        assert_eq!(kind(name).map(|kind| kind.name), Some(name));
    }
    let names: BTreeSet<&str> = SYSTEMS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), SYSTEMS.len());
    for kind in SYSTEMS {
        assert!(kind.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{}", kind.name);
        assert!(!kind.summary.is_empty());
        let parameters: BTreeSet<&str> = kind.parameters.iter().map(|parameter| parameter.name).collect();
        assert_eq!(parameters.len(), kind.parameters.len(), "{}", kind.name);
        let system = build(kind.name, &BTreeMap::new()).unwrap();
        assert_eq!(system.name(), kind.name);
    }
    assert!(kind("double-pendulum").is_none());
}

#[test]
fn what_a_system_returns_fits_its_dimensions() {
    for case in cases() {
        let system = &*case.system;
        let (d, c) = (system.degrees_of_freedom(), system.conditionals().len());
        assert!(d > 0);
        assert_eq!(system.training_distribution().len(), 2 * d + c, "{}", case.label);
        assert_eq!(system.rollout_distribution().len(), 2 * d + c, "{}", case.label);
        let names: BTreeSet<&str> = system.coordinates().iter().map(|coordinate| coordinate.name).collect();
        assert_eq!(names.len(), d);
        for coordinate in system.coordinates() {
            assert!(coordinate.name.is_ascii() && !coordinate.unit.is_empty());
            assert!(!coordinate.is_angle || coordinate.unit == "rad");
        }
        assert!(system.reference_energy() > 0.0 && system.reference_energy().is_finite());
        let motion = system.reference_motion();
        assert_eq!((motion.start.len(), motion.conditionals.len()), (2 * d, c));
        assert!(motion.duration > 0.0 && motion.end.is_none_or(|end| end.len() == 2 * d));
        for state in training_states(system, 50) {
            let mut q_ddot = vec![f64::NAN; d];
            system.acceleration_into(&state.q, &state.q_dot, &state.c, &mut q_ddot);
            assert!(q_ddot.iter().all(|v| v.is_finite()), "{}: {state:?}", case.label);
        }
    }
}

#[test]
fn defaults_are_those_of_the_parameters() {
    // A default written out changes nothing; another value changes the motion.
    for kind in SYSTEMS {
        let plain = kind.build(&BTreeMap::new()).unwrap();
        let state = &training_states(&*plain, 1)[0];
        let energies = |system: &dyn System| {
            [
                system.kinetic_energy(&state.q, &state.q_dot, &state.c),
                system.potential_energy(&state.q, &state.c),
                system.dynamics(&state.q, &state.q_dot, &state.c).unwrap().lagrangian,
            ]
        };
        for parameter in kind.parameters {
            if kind.name == "pendulum" && !["links", "g", "m1", "l1"].contains(&parameter.name) {
                continue;
            }
            let written = kind.build(&given(&[(parameter.name, parameter.default)])).unwrap();
            assert_eq!(energies(&*written), energies(&*plain), "{}", kind.name);
            if parameter.name != "links" {
                let other = kind.build(&given(&[(parameter.name, 1.5 * parameter.default)])).unwrap();
                assert_ne!(energies(&*other), energies(&*plain), "{} {}", kind.name, parameter.name);
            }
        }
    }
}

#[test]
fn unknown_names_are_refused_with_the_list() {
    let error = build("dblpnd", &BTreeMap::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no system `dblpnd`; the systems are dblpend, relativistic, charge, pendulum, spring, \
         spring-pendulum, kepler, henon-heiles, sphere"
    );
    let error = build("dblpend", &given(&[("m1", 2.0), ("m3", 1.0)])).unwrap_err();
    let known = vec!["m1", "m2", "l1", "l2", "g"];
    assert_eq!(error, SystemError::UnknownParameter { system: "dblpend", given: "m3".to_owned(), known });
    assert!(error.to_string().contains("no parameter `m3`; its parameters are m1, m2, l1, l2, g"), "{error}");
    let error = build("relativistic", &given(&[("g", 1.0)])).unwrap_err();
    assert!(error.to_string().contains("no parameter `g`"), "{error}");
}

#[test]
fn bad_values_are_refused_by_name_and_value() {
    for kind in SYSTEMS {
        for parameter in kind.parameters {
            for value in [f64::NAN, f64::INFINITY] {
                let error = kind.build(&given(&[(parameter.name, value)])).unwrap_err();
                let text = error.to_string();
                assert!(text.contains(&format!("{} = {value}", parameter.name)), "{text}");
                assert!(text.contains(kind.name), "{text}");
            }
        }
    }
    let refused = |name: &str, parameter: &str, value: f64| build(name, &given(&[(parameter, value)])).unwrap_err();
    for (error, text) in [
        (refused("dblpend", "m1", -1.0), "m1 = -1 kg; expected a positive finite number"),
        (refused("charge", "m", 0.0), "m = 0 kg; expected a positive finite number"),
        (refused("charge", "k", -1.0), "k = -1 N/m; expected zero or a positive finite number"),
        (refused("spring", "k", 0.0), "k = 0 N/m; expected a positive finite number"),
        (refused("spring-pendulum", "g", -9.8), "g = -9.8 m/s²; expected zero or a positive"),
        (refused("kepler", "G", 0.0), "G = 0 a³/(m₀t₀²); expected a positive finite number"),
        (refused("henon-heiles", "lambda", -1.0), "lambda = -1 1/x₀; expected a positive finite number"),
        (refused("sphere", "r", 0.0), "r = 0 m; expected a positive finite number"),
        (refused("pendulum", "links", 0.0), "links = 0; expected a whole number from 1 to 6"),
        (refused("pendulum", "links", 7.0), "links = 7; expected a whole number from 1 to 6"),
        (refused("pendulum", "links", 2.5), "links = 2.5; expected a whole number from 1 to 6"),
        (refused("pendulum", "m2", 2.0), "does not use m2 = 2 here: the chain has links = 1; leave m2 out"),
    ] {
        assert!(error.to_string().contains(text), "{error}");
    }
    let error = build("pendulum", &given(&[("links", 3.0), ("l3", -1.0)])).unwrap_err();
    assert!(error.to_string().contains("l3 = -1 m"), "{error}");
    assert!(build("pendulum", &given(&[("links", 3.0), ("l3", 2.0), ("m3", 0.5)])).is_ok());
}

#[test]
fn constructors_refuse_alike() {
    assert!(DoublePendulum::new(1.0, 1.0, 0.0, 1.0, 9.8).is_err());
    assert!(Charge::new(1.0, f64::NAN, 1.0).is_err());
    assert!(HenonHeiles::new(0.0).is_err());
    assert!(Kepler::new(1.0, -1.0, 1.0).is_err());
    assert!(Sphere::new(0.0, 1.0).is_err());
    assert!(SpringPendulum::new(1.0, 1.0, 0.0, 9.8).is_err());
    let error = Pendulum::new(&[1.0, 1.0], &[1.0], 9.8).unwrap_err();
    assert!(error.to_string().contains("2 masses and 1 lengths"), "{error}");
    assert!(Pendulum::new(&[], &[], 9.8).unwrap_err().to_string().contains("links = 0"));
    assert!(Pendulum::new(&[1.0; 7], &[1.0; 7], 9.8).unwrap_err().to_string().contains("links = 7"));
    // Each number is allowed, but no velocity range can be stated.
    let error = Spring::new(1e-300, 1e300).unwrap_err();
    assert!(matches!(error, SystemError::Range { system: "spring", .. }), "{error}");
}

#[test]
fn a_wrong_length_panics_with_a_message() {
    for kind in SYSTEMS {
        let system = kind.build(&BTreeMap::new()).unwrap();
        let canonical = system.canonical().unwrap();
        let (d, c) = (system.degrees_of_freedom(), system.conditionals().len());
        let refused = |what: &str, work: &dyn Fn()| {
            let panic = catch_unwind(AssertUnwindSafe(work)).expect_err(what);
            let text = panic.downcast_ref::<String>().map_or("", |text| text);
            assert!(text.contains(&format!("{what} has ")), "{}: {text:?}", kind.name);
        };
        let (right, wrong) = (vec![0.5; d], vec![0.5; d + 1]);
        let (right_c, wrong_c) = (vec![0.5; c], vec![0.5; c + 1]);
        let out = |length: usize| vec![0.0; length];
        refused("q", &|| system.acceleration_into(&wrong, &right, &right_c, &mut out(d)));
        refused("q_dot", &|| system.acceleration_into(&right, &wrong, &right_c, &mut out(d)));
        refused("conditionals", &|| system.acceleration_into(&right, &right, &wrong_c, &mut out(d)));
        refused("q_ddot", &|| system.acceleration_into(&right, &right, &right_c, &mut out(d + 1)));
        refused("q", &|| assert!(system.potential_energy(&wrong, &right_c).is_nan()));
        refused("conditionals", &|| assert!(system.potential_energy(&right, &wrong_c).is_nan()));
        refused("q_dot", &|| assert!(system.kinetic_energy(&right, &wrong, &right_c).is_nan()));
        refused("conditionals", &|| assert!(system.kinetic_energy(&right, &right, &wrong_c).is_nan()));
        refused("conditionals", &|| drop(system.dynamics(&right, &right, &wrong_c)));
        refused("p", &|| canonical.momentum_into(&right, &right, &right_c, &mut out(d + 1)));
        refused("q_dot", &|| canonical.velocity_into(&right, &right, &right_c, &mut out(d + 1)));
        refused("p_dot", &|| canonical.momentum_rate_into(&right, &right, &right_c, &mut out(d + 1)));
    }
}

#[test]
fn outside_its_domain_a_system_is_not_finite() {
    let refused = |name: &str, q: &[f64], q_dot: &[f64], c: &[f64]| {
        let system = build(name, &BTreeMap::new()).unwrap();
        let mut q_ddot = vec![0.0; q.len()];
        system.acceleration_into(q, q_dot, c, &mut q_ddot);
        assert!(q_ddot.iter().any(|v| !v.is_finite()), "{name} {q:?} {q_dot:?}: {q_ddot:?}");
    };
    for v in [1.0, -1.0, 1.5, f64::NAN] {
        refused("relativistic", &[0.0], &[v], &[1.0]);
    }
    for r in [0.0, -1.0] {
        refused("kepler", &[r, 0.0], &[0.1, 0.2], &[]);
        refused("spring-pendulum", &[r, 0.0], &[0.1, 0.2], &[]);
    }
    for theta in [0.0, -0.1, 3.5] {
        refused("sphere", &[theta, 0.0], &[0.1, 0.2], &[]);
    }
}
