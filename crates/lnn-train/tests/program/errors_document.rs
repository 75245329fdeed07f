//! `docs/errors.md`: each message there is one that the program gives.

use std::path::{Path, PathBuf};

use lnn_train::measured::{MeasuredError, RowPlace};
use lnn_train::table::Place;

/// The message that the document has for a fault, in its words for it.
pub(crate) fn documented(fault: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let text = std::fs::read_to_string(path).expect("the document is in the repository");
    let row = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {fault} | ")))
        .unwrap_or_else(|| panic!("no row {fault}"));
    row.trim_end_matches(" |").trim_matches('`').to_owned()
}

/// Whether a message has the parts of the documented one, in their order; `…` stands for anything.
pub(crate) fn is_documented(message: &str, fault: &str) -> bool {
    let mut rest = message;
    documented(fault).split('…').all(|part| match rest.split_once(part) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn a_message_with_another_place_is_not_the_documented_one() {
    let fault = "NaN or infinity";
    let message = documented(fault);
    assert!(message.starts_with("data.csv, line 3, column `q_dot1`"), "{message}");
    assert!(is_documented(&format!("error: {message}"), fault));
    assert!(!is_documented(&message.replace("line 3", "line 4"), fault));
}

/// The row of each fault of measured data; a fault of what is behind them has its row, if any, under that.
fn row(error: &MeasuredError) -> Option<&'static str> {
    Some(match error {
        MeasuredError::NoFiles => "no data",
        MeasuredError::UnknownColumn { .. } => "a name that is no column",
        MeasuredError::NotFinite { .. } => "NaN or infinity in measurements",
        MeasuredError::MixedDimensions { .. } => "files of different numbers of coordinates",
        MeasuredError::MixedAccelerations { .. } => "accelerations in some files only",
        MeasuredError::MixedUnits { .. } => "one column in two units",
        MeasuredError::NoVelocities { .. } => "no velocities",
        MeasuredError::UnsortedTime { .. } => "times that do not increase",
        MeasuredError::SingleSample { .. } => "one sample per trajectory",
        MeasuredError::TooShort { .. } => "motions shorter than a segment",
        MeasuredError::ConditionalChanges { .. } => "a conditional that changes along a motion",
        MeasuredError::Wrapped { .. } => "an angle that was wrapped and not declared",
        MeasuredError::Degrees { .. } => "angles in degrees",
        MeasuredError::VelocityRatio { .. } => "velocities in other units",
        MeasuredError::AccelerationRatio { .. } => "accelerations in other units",
        MeasuredError::AmbiguousTurns { .. } => "an angle that goes too far from row to row",
        MeasuredError::NeverMoves { .. } => "a coordinate that is constant",
        MeasuredError::TooFewRows { .. } => "a single motion that is too short",
        MeasuredError::NoAccelerations => "accelerations are to be learned and were not measured",
        MeasuredError::OtherData { .. } => "a configuration of other data",
        MeasuredError::ConfigLength { .. } => "a configuration of other columns",
        MeasuredError::AngleFeatures { .. } => "features of another kind of coordinate",
        MeasuredError::Table(_)
        | MeasuredError::Config(_)
        | MeasuredError::Store(_)
        | MeasuredError::Fit(_)
        | MeasuredError::Model(_)
        | MeasuredError::Optimiser(_)
        | MeasuredError::Trajectories(_)
        | MeasuredError::Rollout(_)
        | MeasuredError::Report(_)
        | MeasuredError::Threads(_) => return None,
    })
}

/// One of each, with the numbers of the document.
fn faults() -> Vec<MeasuredError> {
    let [first, path] = ["data.csv", "other.csv"].map(PathBuf::from);
    let place = |line: u64| RowPlace { path: first.clone(), place: Place::Line(line) };
    let [q, q_dot, q_ddot] = ["q0", "q_dot0", "q_ddot0"].map(str::to_owned);
    let trajectory = || "trajectory 0".to_owned();
    vec![
        MeasuredError::NoFiles,
        MeasuredError::UnknownColumn {
            option: "--angles",
            what: "coordinate of the data",
            given: "q_0".to_owned(),
            valid: vec![q.clone()],
        },
        MeasuredError::NotFinite { place: place(3), column: q_dot.clone(), given: f64::NAN, others: 2 },
        MeasuredError::MixedDimensions { first: first.clone(), first_dof: 1, path: path.clone(), dof: 2 },
        MeasuredError::MixedAccelerations { with: first.clone(), without: path.clone() },
        MeasuredError::MixedUnits {
            column: q.clone(),
            first: first.clone(),
            first_unit: "m".to_owned(),
            path,
            unit: "mm".to_owned(),
        },
        MeasuredError::NoVelocities { path: first.clone(), dof: 1 },
        MeasuredError::UnsortedTime {
            place: place(4),
            trajectory: trajectory(),
            previous: 2.0,
            given: 1.0,
            marked: true,
        },
        MeasuredError::SingleSample { place: place(2), trajectory: trajectory(), needed: 2 },
        MeasuredError::TooShort {
            place: place(2),
            trajectory: "trajectory 0 of data.csv".to_owned(),
            rows: 4,
            needed: 5,
        },
        MeasuredError::ConditionalChanges {
            place: place(3),
            column: "m".to_owned(),
            trajectory: trajectory(),
            previous: 1.0,
            given: 2.0,
        },
        MeasuredError::Wrapped {
            place: place(18),
            column: q.clone(),
            jump: 0.2 - std::f64::consts::TAU,
            expected: 0.2,
            count: 3,
        },
        MeasuredError::Degrees {
            column: q.clone(),
            low: -57.0,
            high: 57.0,
            reason: "its differences are 57.3 times what `q_dot0` says; a radian has 57.3 degrees".to_owned(),
        },
        MeasuredError::VelocityRatio { column: q.clone(), velocity: q_dot.clone(), ratio: 1000.0 },
        MeasuredError::AccelerationRatio {
            velocity: q_dot.clone(),
            acceleration: q_ddot,
            ratio: 180.0 / std::f64::consts::PI,
        },
        MeasuredError::AmbiguousTurns { column: q.clone(), velocity: q_dot, count: 31, steps: 39 },
        MeasuredError::NeverMoves { column: "q1".to_owned() },
        MeasuredError::TooFewRows { rows: 5, needed: 10 },
        MeasuredError::NoAccelerations,
        MeasuredError::OtherData { expected: "89ef4567".to_owned(), found: "0123abcd".to_owned() },
        MeasuredError::ConfigLength {
            field: "model.features.conditionals",
            given: 0,
            what: "conditional(s)",
            expected: 1,
        },
        MeasuredError::AngleFeatures { column: q, declared: true, treatment: "Identity".to_owned() },
    ]
}

#[test]
fn every_fault_of_measured_data_has_a_row() {
    let faults = faults();
    for error in &faults {
        let fault = row(error).expect("a fault of the data");
        let message = format!("error: {error}");
        assert!(is_documented(&message, fault), "{message}\n{}", documented(fault));
    }
    let kinds: std::collections::HashSet<_> = faults.iter().map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 22, "one of each kind that `row` names");
}
