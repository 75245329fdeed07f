//! Tables that contradict themselves, and those that only seem to.

use std::f64::consts::{PI, TAU};

use super::super::run::{prepare, usable};
use super::super::*;
use super::{Tables, plain, swings};
use crate::config::{AngleFeatures, CoordinateFeatures, FeaturesConfig};
use crate::optimiser::Schedule;

fn labelled(text: &str, columns: &str) -> String {
    text.replacen("trajectory,t,q0,q_dot0", columns, 1)
}

#[test]
fn units_that_forbid_what_was_declared_or_differ_between_files_are_refused() {
    let degrees = 180.0 / PI;
    // Small swings, consistent in degrees: nothing but the label tells them from radians.
    let text = swings(&[0.3, 0.5], 40, 0.1, |t, q, q_dot| [t, q * degrees, q_dot * degrees]);
    for columns in ["trajectory,t,q0 [deg],q_dot0", "trajectory,t,q0 [°],q_dot0", "trajectory,t,q0,q_dot0 [deg/s]"] {
        let message = Tables::new(&[&labelled(&text, columns)]).angles(&["q0"]).refused();
        assert!(message.contains("seems to be in degrees: the unit of `q"), "{columns}: {message}");
        // Of a coordinate that is no angle degrees are a unit like any other.
        Tables::new(&[&labelled(&text, columns)]).read();
    }
    Tables::new(&[&labelled(&text, "trajectory,t,q0 [degC],q_dot0")]).angles(&["q0"]).read();

    let swing = swings(&[1.0, 2.0], 5, 0.1, plain);
    let [metres, millimetres] = ["m", "mm"].map(|unit| labelled(&swing, &format!("trajectory,t,q0 [{unit}],q_dot0")));
    let message = Tables::new(&[&metres, &metres, &millimetres]).refused();
    assert!(message.contains("`q0` is in m in 0.csv and in mm in 2.csv"), "{message}");
    Tables::new(&[&metres, &swing]).read();
}

/// A sine is sampled so coarsely that the rule of integration, and not the table, is wrong.
#[test]
fn coarse_rows_are_no_reason_to_refuse() {
    for dt in [0.5, 1.0, 1.45, 1.5, 1.9, 2.0, 2.5] {
        for rows in [3, 60] {
            let text = swings(&[1.0, 1.3, 0.5], rows, dt, plain);
            Tables::new(&[&text]).read();
            let unit = swings(&[1.0, 1.3, 0.5], rows, dt, |t, q, q_dot| [t, q, q_dot / 1000.0]);
            // What no rule could tell is not told either.
            assert_eq!(Measurements::read(&Tables::new(&[&unit]).config).is_ok(), dt > 0.72, "{dt}");
        }
    }
}

#[test]
fn accelerations_in_other_units_are_refused() {
    let table = |factor: f64, dt: f64| {
        let mut text = "t,q0,q_dot0,q_ddot0\n".to_owned();
        for row in 0..50 {
            let t = dt * f64::from(row);
            text += &format!("{t},{},{},{}\n", t.sin(), t.cos(), -factor * t.sin() + 0.02 * (50.0 * t).sin());
        }
        Tables::new(&[&text])
    };
    for factor in [1000.0, 180.0 / PI, 1e-3 * 180.0] {
        let message = table(factor, 0.1).refused();
        assert!(message.contains("`q_ddot0` is not the rate of change of `q_dot0`"), "{factor}: {message}");
    }
    table(1.0, 0.1).read();
    table(1.0, 2.0).read();
}

#[test]
fn turns_that_cannot_be_told_are_hinted_at_and_too_many_refused() {
    // An outlier of 0.4 of a turn in each of the first `outliers` motions.
    let table = |outliers: usize| {
        let mut text = swings(&[1.0; 10], 41, 0.1, plain);
        for number in 0..outliers {
            let row = text.lines().position(|line| line.starts_with(&format!("{number},2,"))).expect("a row at t = 2");
            let line = text.lines().nth(row).expect("there").to_owned();
            let q: f64 = line.split(',').nth(2).expect("q").parse().expect("a number");
            let lifted = line.replacen(&format!(",{q},"), &format!(",{},", q + 0.4 * TAU), 1);
            text = text.replacen(&line, &lifted, 1);
        }
        Tables::new(&[&text]).angles(&["q0"])
    };
    let hints = |tables: &Tables| Findings::of(&tables.read()).hints.join("\n");
    assert!(!hints(&table(0)).contains("is a guess"));
    let said = hints(&table(1));
    assert!(said.contains("2 step(s) of the angle `q0`") && said.contains("is a guess"), "{said}");
    // 400 steps, of which 20 are a twentieth.
    table(10).read();
    let fast = swings(&[1.0], 40, 0.1, |t, q, q_dot| [t, (17.0 * t).rem_euclid(TAU) + q, 40.0 + q_dot]);
    let message = Tables::new(&[&fast]).angles(&["q0"]).refused();
    assert!(message.contains("nobody can tell how often the angle went round"), "{message}");
}

#[test]
fn a_gap_begins_a_motion_and_what_is_too_short_is_left_out() {
    let swing = swings(&[1.0, 2.0], 21, 0.1, plain);
    // Of the first motion rows 8 to 13 are removed; of the second all but the first three.
    let kept = |(number, _): &(usize, &str)| !matches!(number, 9..=14 | 25..=42);
    let text: String = swing.lines().enumerate().filter(kept).map(|(_, line)| format!("{line}\n")).collect();
    let tables = Tables::new(&[&text]);
    let measured = tables.read();
    let rows: Vec<usize> = measured.trajectories.motions().map(|motion| motion.rows()).collect();
    assert_eq!((rows, measured.gaps), (vec![8, 7, 3], 1));
    assert!(measured.origins[1].describe().starts_with("part 2 of trajectory 0 of "));
    assert_eq!(measured.origins[2].part, None);
    let config = MeasuredConfig { data: tables.config.clone(), ..MeasuredConfig::default() };
    let (measured, learn) = usable(&config, measured).expect("15 of 18 rows can be used");
    assert_eq!((learn, measured.trajectories.len()), (Learn::segments(), 2));
    let findings = Findings::of(&measured);
    assert_eq!((findings.gaps, findings.left_out, findings.rows), (1, LeftOut { motions: 1, rows: 3 }, 15));
    for words in ["1 gap(s)", "1 motion(s) are too short to be used: their 3 row(s)"] {
        assert!(findings.hints.iter().any(|hint| hint.contains(words)), "{words}: {:?}", findings.hints);
    }
    // Where most rows would be lost, the recipe is at fault, or the marks of the motions.
    let short = Tables::new(&[&swings(&[1.0, 2.0, 3.0], 4, 0.1, plain)]);
    let refused = usable(&config, short.read()).expect_err("fewer rows than a segment").to_string();
    assert!(refused.contains("line 2: trajectory 0") && refused.contains("Segments(rows: 4)"), "{refused}");
}

#[test]
fn features_that_contradict_the_declarations_are_refused() {
    let swing = swings(&[1.0, 2.0, 3.0], 21, 0.1, plain).replace("q_dot0\n", "q_dot0,m\n");
    let swing: String = swing
        .lines()
        .map(|line| if line.contains('m') { format!("{line}\n") } else { format!("{line},5\n") })
        .collect();
    let coordinate =
        |angles| CoordinateFeatures { angles, position_scale: 1.0, velocity_scale: 1.0, position_centre: 0.0 };
    let prepared = |angles: &[&str], conditionals: &[&str], treatment: AngleFeatures| {
        let tables = Tables::new(&[&swing]).angles(angles).conditionals(conditionals);
        let features = FeaturesConfig { coordinates: vec![coordinate(treatment)], ..FeaturesConfig::default() };
        let model = MeasuredModelConfig { features: Some(features), ..MeasuredModelConfig::default() };
        let config = MeasuredConfig { data: tables.config.clone(), model, ..MeasuredConfig::default() };
        let (measured, learn) = usable(&config, tables.read()).expect("long enough");
        prepare(&config, &measured, learn).map(|prepared| prepared.config).map_err(|error| error.to_string())
    };
    let refused = prepared(&["q0"], &[], AngleFeatures::Identity).expect_err("a contradiction");
    assert!(refused.contains("`q0` is declared an angle, but model.features takes it as Identity"), "{refused}");
    let refused = prepared(&[], &[], AngleFeatures::SinCos).expect_err("a contradiction");
    assert!(refused.contains("`q0` is not declared an angle"), "{refused}");
    let refused = prepared(&[], &["m"], AngleFeatures::Identity).expect_err("no scale of m");
    assert!(refused.contains("model.features.conditionals is for 0 conditional(s), but the data have 1"), "{refused}");

    // What a finished run holds of its data is forgotten for others; what a person wrote is not.
    let mut complete = prepared(&["q0"], &[], AngleFeatures::SinCos).expect("no contradiction");
    assert!(complete.model.training.units.is_some() && complete.forget_data());
    assert_eq!((complete.data.fingerprint, complete.model.features, complete.model.training.units), (None, None, None));
    let features = Some(FeaturesConfig::default());
    let mut by_hand = MeasuredConfig::default();
    by_hand.model.features.clone_from(&features);
    assert!(!by_hand.forget_data() && by_hand.model.features == features);
}

#[test]
fn the_seed_of_the_training_leaves_the_split_alone() {
    let amplitudes: Vec<f64> = (1..=23).map(f64::from).collect();
    let tables = Tables::new(&[&swings(&amplitudes, 21, 0.1, plain)]);
    let held_out = |seed, split_seed| {
        let data = DataConfig { split_seed, ..tables.config.clone() };
        let config = MeasuredConfig { seed, data, ..MeasuredConfig::default() };
        let (measured, learn) = usable(&config, tables.read()).expect("long enough");
        prepare(&config, &measured, learn).expect("usable").split.held_out.numbers
    };
    assert_eq!(held_out(0, 0), held_out(7, 0));
    assert!((1..20).any(|split_seed| held_out(0, split_seed) != held_out(0, 0)));
}

#[test]
fn a_schedule_is_judged_by_the_steps_that_the_data_lead_to() {
    let tables = Tables::new(&[&swings(&[1.0, 2.0, 3.0], 21, 0.1, plain)]);
    let checked = |total_steps: u64| {
        let mut config = MeasuredConfig { data: tables.config.clone(), ..MeasuredConfig::default() };
        let schedule = Schedule::WarmupCosine { peak: 1e-2, warmup_steps: 9, total_steps, final_fraction: 0.0 };
        config.model.training.schedule = Some(schedule);
        config.require_usable("a test").expect("open steps");
        let (measured, learn) = usable(&config, tables.read()).expect("long enough");
        prepare(&config, &measured, learn)
            .map(|prepared| prepared.config.model.training.steps)
            .map_err(|e| e.to_string())
    };
    // Segments of the default recipe take 10 000 steps.
    assert_eq!(checked(10_000), Ok(Some(10_000)));
    let refused = checked(700).expect_err("another end");
    assert!(refused.contains("total_steps"), "{refused}");
}
