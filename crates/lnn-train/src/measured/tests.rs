//! Reading, judging, splitting and scaling of small tables.

use std::f64::consts::{PI, TAU};
use std::path::PathBuf;

use super::*;
use crate::config::AngleFeatures;

mod held_out;
mod refused;

/// A table in a folder of its own.
struct Tables {
    folder: tempfile::TempDir,
    config: DataConfig,
}

impl Tables {
    fn new(files: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let paths = files.iter().enumerate().map(|(number, text)| {
            let path = folder.path().join(format!("{number}.csv"));
            std::fs::write(&path, text).expect("writable");
            path
        });
        let files: Vec<PathBuf> = paths.collect();
        Self { folder, config: DataConfig { files, ..DataConfig::default() } }
    }

    fn angles(mut self, names: &[&str]) -> Self {
        self.config.angles = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn conditionals(mut self, names: &[&str]) -> Self {
        self.config.conditionals = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn read(&self) -> Measurements {
        Measurements::read(&self.config).expect("usable")
    }

    fn refused(&self) -> String {
        let message = Measurements::read(&self.config).expect_err("refused").to_string();
        message.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

/// Rows of a swing q = a sin t of each amplitude, every `dt`, through `shown`, which changes (t, q, q̇).
fn swings(amplitudes: &[f64], rows: usize, dt: f64, shown: impl Fn(f64, f64, f64) -> [f64; 3]) -> String {
    let mut text = "trajectory,t,q0,q_dot0\n".to_owned();
    for (number, amplitude) in amplitudes.iter().enumerate() {
        for row in 0..rows {
            let time = dt * row as f64;
            let [t, q, q_dot] = shown(time, amplitude * time.sin(), amplitude * time.cos());
            text += &format!("{number},{t},{q},{q_dot}\n");
        }
    }
    text
}

fn plain(t: f64, q: f64, q_dot: f64) -> [f64; 3] {
    [t, q, q_dot]
}

#[test]
fn rows_become_motions_whatever_their_order_in_the_file() {
    let tables = Tables::new(&[
        "# a rig\nt [s],q0 [mm],q_dot0 [mm/s],trajectory,m [kg]\n0,1,4,7,2\n0,5,4,3,9\n\n1,5,4,7,2\n1,9,4,3,9\n",
        "trajectory,t,m,q0,q_dot0\n7,0,1,1,1\n7,2,1,3,1\n",
    ]);
    let measured = tables.conditionals(&["m"]).read();
    assert_eq!((measured.trajectories.len(), measured.trajectories.rows()), (3, 6));
    let motion = |number| measured.trajectories.motion(number);
    assert_eq!(
        (motion(0).times, motion(0).states, motion(0).conditionals),
        (&[0.0, 1.0][..], &[1.0, 4.0, 5.0, 4.0][..], &[2.0][..])
    );
    assert_eq!((motion(1).states, motion(1).conditionals), (&[5.0, 4.0, 9.0, 4.0][..], &[9.0][..]));
    // The same number in another file is another motion.
    assert_eq!((motion(2).times, motion(2).conditionals), (&[0.0, 2.0][..], &[1.0][..]));
    assert_eq!(measured.labels.q[0].unit.as_deref(), Some("mm"));
    assert_eq!(measured.origins[1].number, Some(3.0));
}

#[test]
fn every_fault_is_named_by_file_row_and_column() {
    let swing = swings(&[1.0, 2.0], 5, 0.1, plain);
    let cases: Vec<(Tables, &[&str])> = vec![
        (Tables::new(&[]), &["--data"]),
        (Tables::new(&["q0,q_dot0\n1,1\n"]), &["0.csv has no column `t`"]),
        (
            Tables::new(&["t,q0,q1\n0,1,1\n"]),
            &["has no velocities", "`q_dot0` and `q_dot1`", "savgol_filter", "numpy.unwrap"],
        ),
        (
            Tables::new(&["t,q0,q_dot0\n0,1,1\n# a pause\n1,2,nan\n2,inf,1\n"]),
            &["0.csv, line 4, column `q_dot0` is NaN", "1 more row(s)", "remove these rows"],
        ),
        (Tables::new(&[&swing, "t,q0,q1,q_dot0,q_dot1\n0,1,1,1,1\n"]), &["0.csv has 1 coordinate(s), but 1.csv has 2"]),
        (
            Tables::new(&[&swing, "t,q0,q_dot0,q_ddot0\n0,1,1,1\n1,2,1,1\n"]),
            &["1.csv has accelerations", "0.csv has none"],
        ),
        (
            Tables::new(&["trajectory,t,q0,q_dot0\n0,0,1,1\n0,2,3,1\n0,1,2,1\n"]),
            &[
                "0.csv, line 4: the time 1 does not lie after 2, that of the row before in trajectory 0",
                "sort the rows",
            ],
        ),
        (
            Tables::new(&["t,q0,q_dot0\n0,1,1\n2,3,1\n0,1,1\n"]),
            &["line 4", "number the trajectories in a column `trajectory`"],
        ),
        (Tables::new(&["t,q0,q_dot0\n0,1,1\n0,3,1\n"]), &["the time 0 is the same as 0"]),
        (
            Tables::new(&["trajectory,t,q0,q_dot0\n0,0,1,1\n4,0,1,1\n"]),
            &["0.csv, line 2: trajectory 0 has this row only", "the same `trajectory` number"],
        ),
        (
            Tables::new(&["trajectory,t,m,q0,q_dot0\n0,0,1,1,1\n0,1,2,2,1\n"]).conditionals(&["m"]),
            &["line 3, column `m`: 2 after 1 in trajectory 0", "constant along a motion"],
        ),
        (
            Tables::new(&[&swing]).angles(&["q_0"]),
            &["--angles names `q_0`, which is no coordinate", "did you mean `q0`?"],
        ),
        (Tables::new(&[&swing]).conditionals(&["mass"]), &["has no column `mass`"]),
        (Tables::new(&["t,q0,q1,q_dot0,q_dot1\n0,1,0,1,0\n1,2,0,1,0\n"]), &["`q1` never moves"]),
    ];
    for (tables, words) in cases {
        let message = tables.refused();
        for word in words {
            assert!(message.contains(word), "{word}\n{message}");
        }
    }
}

#[test]
fn degrees_wrapped_angles_and_other_units_of_time_are_told_from_the_velocities() {
    let degrees = 180.0 / PI;
    let amplitudes = [1.0, 2.0, 0.5];
    let wrapped = |angle: f64| (angle + PI).rem_euclid(TAU) - PI;
    let refused = |shown: &dyn Fn(f64, f64, f64) -> [f64; 3], angles: &[&str]| {
        Tables::new(&[&swings(&amplitudes, 60, 0.1, shown)]).angles(angles).refused()
    };
    let message = refused(&|t, q, q_dot| [t, q * degrees, q_dot], &["q0"]);
    assert!(message.contains("`q0` (from") && message.contains("57.3 times what `q_dot0` says"), "{message}");
    // Round and round, in degrees, as an encoder gives it.
    let turning = |t: f64, _: f64, q_dot: f64| [t, (100.0 * t).rem_euclid(360.0), 100.0 + 0.1 * q_dot];
    let message = refused(&turning, &[]);
    assert!(message.contains("in degrees") && message.contains("jumps by 360"), "{message}");
    let message = refused(&|t, _, _| [t, wrapped(2.0 * t), 2.0], &[]);
    assert!(message.contains("--angles q0") && message.contains("line 18"), "{message}");
    let message = refused(&|t, q, q_dot| [t, q, q_dot / 1000.0], &[]);
    assert!(message.contains("1000.") && message.contains("milliseconds"), "{message}");
    // Noise and coarse rows are no reason to refuse.
    for shown in
        [|t: f64, q: f64, q_dot: f64| [t, q + 0.1 * (70.0 * t).sin(), q_dot], |t, q, q_dot| [20.0 * t, q, q_dot / 20.0]]
    {
        Tables::new(&[&swings(&amplitudes, 60, 0.1, shown)]).read();
    }
}

#[test]
fn declared_angles_are_unwrapped_the_way_their_velocities_go() {
    let wrapped = |angle: f64| (angle + PI).rem_euclid(TAU) - PI;
    // 0.9 of a turn a row: the shorter way round would be backwards.
    let rate = 0.9 * TAU / 0.1;
    let text = swings(&[1.0], 30, 0.1, |t, _, _| [t, wrapped(rate * t), rate]);
    let measured = Tables::new(&[&text]).angles(&["q0"]).read();
    for row in measured.trajectories.motion(0).states.chunks_exact(2).zip(0..) {
        let want = rate * 0.1 * f64::from(row.1);
        // The text has the wrapped angle's digits.
        assert!((row.0[0] - want).abs() < 64.0 * f64::EPSILON * (want + PI), "{row:?}");
    }
    // 29 rows of 0.9 turns are 26.1, of which the wrapped angle shows 0.1.
    assert_eq!(measured.turns, [26]);
    let findings = Findings::of(&measured);
    assert_eq!((findings.columns[1].turns, findings.columns[1].angle), (26, true));
    assert!(findings.hints.iter().any(|hint| hint.contains("more than a quarter of a turn")), "{:?}", findings.hints);
    // However short: that the angle seems to go backwards is no reason to refuse it.
    let text = swings(&[1.0], 4, 0.1, |t, _, _| [t, wrapped(rate * t), rate]);
    Tables::new(&[&text]).angles(&["q0"]).read();
}

#[test]
fn findings_have_the_numbers_of_the_table() {
    let mut text = "trajectory,t [s],q0 [m],q_dot0,q_ddot0,m\n".to_owned();
    // Uniform acceleration, which the trapezium rule of q̇ follows exactly; one interval of 0.3 among 0.1.
    for (number, v) in [1.0, -2.0, 1.0].into_iter().enumerate() {
        for t in [0.0, 0.1, 0.2, 0.5] {
            text += &format!("{number},{t},{},{},3,5\n", v * t + 1.5 * t * t, v + 3.0 * t);
        }
    }
    let measured = Tables::new(&[&text]).conditionals(&["m"]).read();
    let Findings {
        rows,
        trajectories,
        interval,
        duration,
        columns,
        repeated_states,
        repeated_trajectories,
        consistency,
        hints,
        ..
    } = Findings::of(&measured);
    assert_eq!((rows, trajectories, repeated_states, repeated_trajectories), (12, 3, 0, 1));
    let close = |a: f64, b: f64| (a - b).abs() < 8.0 * f64::EPSILON;
    assert!(close(interval.min, 0.1) && close(interval.max, 0.3) && duration.median == 0.5, "{interval:?}");
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["t", "q0", "q_dot0", "q_ddot0", "m"]);
    assert_eq!((columns[1].unit.as_deref(), columns[0].mean, columns[3].deviation), (Some("m"), 0.2, 0.0));
    assert!(
        consistency[0].velocity < 1e-14 && consistency[0].acceleration.expect("measured") < 1e-14,
        "{consistency:?}"
    );
    assert!(hints.iter().any(|hint| hint.contains("irregular")), "{hints:?}");
    assert!(hints.iter().any(|hint| hint.contains("`m` is 5 everywhere")), "{hints:?}");
    assert!(hints.iter().any(|hint| hint.contains("copies")), "{hints:?}");
    // Velocities that are off by a tenth of the way.
    let noisy = Tables::new(&[&swings(&[1.0], 200, 0.1, |t, q, q_dot| [t, q + 0.03 * (50.0 * t).sin(), q_dot])]).read();
    let findings = Findings::of(&noisy);
    assert!(findings.consistency[0].velocity > 0.2, "{findings:?}");
    assert!(findings.hints.iter().any(|hint| hint.contains("is not what `q_dot0` says")), "{:?}", findings.hints);
}

#[test]
fn whole_motions_are_held_out_by_the_seed_and_of_one_its_last_part() {
    let amplitudes: Vec<f64> = (1..=23).map(f64::from).collect();
    let measured = Tables::new(&[&swings(&amplitudes, 5, 0.1, plain)]).read();
    let split = |seed| Split::new(&measured, 0.1, seed, 2).expect("many motions");
    let Split { training, held_out, of_one } = split(4);
    assert!(!of_one && held_out.numbers.len() == 2 && training.numbers.len() == 21);
    let mut all = [held_out.numbers.clone(), training.numbers.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..23).collect::<Vec<_>>());
    for part in [&held_out, &training] {
        for (motion, &number) in part.trajectories.motions().zip(&part.numbers) {
            assert_eq!(motion, measured.trajectories.motion(number));
        }
    }
    assert_eq!(split(4).held_out, held_out);
    assert!((0..20).any(|seed| split(seed).held_out != held_out));
    let two = Tables::new(&[&swings(&[1.0, 2.0], 5, 0.1, plain)]).read();
    assert_eq!(Split::new(&two, 0.01, 0, 2).expect("two").held_out.numbers.len(), 1);
    assert_eq!(Split::new(&two, 0.99, 0, 2).expect("two").training.numbers.len(), 1);

    let one = Tables::new(&[&swings(&[1.0], 50, 0.1, plain)]).read();
    let Split { training, held_out, of_one } = Split::new(&one, 0.1, 0, 3).expect("long enough");
    let (whole, rows) = (one.trajectories.motion(0), held_out.trajectories.rows());
    assert!(of_one && rows == 5 && training.trajectories.rows() == 45);
    assert_eq!(held_out.trajectories.motion(0).times, &whole.times[45..]);
    let short = Tables::new(&[&swings(&[1.0], 5, 0.1, plain)]).read();
    let message = Split::new(&short, 0.1, 0, 3).expect_err("too short").to_string();
    assert!(message.contains("5 rows") && message.contains("6 are needed"), "{message}");
}

#[test]
fn scales_are_those_of_the_training_part() {
    let measured = Tables::new(&[&swings(&[1.0, 3.0], 40, 0.1, |t, q, q_dot| [t, 100.0 + q, q_dot])]).read();
    let split = Split::new(&measured, 0.5, 0, 2).expect("two motions");
    let features = scaled_features(&measured, &split.training);
    let coordinate = features.coordinates[0];
    let states = split.training.trajectories.motion(0).states;
    let n = states.len() as f64 / 2.0;
    let mean = states.iter().step_by(2).sum::<f64>() / n;
    let square: f64 = states.iter().skip(1).step_by(2).map(|v| v * v).sum();
    assert!((coordinate.position_centre - mean).abs() < 1e-12 * mean);
    assert!((coordinate.velocity_scale - (square / n).sqrt()).abs() < 1e-12);
    assert_eq!(coordinate.angles, AngleFeatures::Identity);
    let deviations = split.training.trajectories.deviations();
    let units = residual_units(&measured, &split.training);
    assert!(
        (units.velocity[0] - deviations[1]).abs() < 1e-12 && (coordinate.position_scale - deviations[0]).abs() < 1e-10
    );
}
