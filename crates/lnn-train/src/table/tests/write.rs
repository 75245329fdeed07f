//! Tables written, and read back.

use proptest::prelude::*;

use super::*;
use crate::store::StoreError;

const ANY: [f64; 8] = [0.0, -0.0, 0.1, 1e300, f64::MIN_POSITIVE, f64::NAN, f64::INFINITY, -123_456_789.0];

fn columns(count: usize) -> Vec<Column> {
    (0..count).map(|j| Column::parse(&format!("x{j} [µm, \"ü\"]"))).collect()
}

fn written(name: &str, columns: &[Column], blocks: &[&[f64]]) -> Case {
    let case = Case::new("other", "");
    let path = case.path.with_file_name(name);
    let mut writer = TableWriter::create(&path, columns, Existing::Keep).expect("writable");
    for block in blocks {
        writer.write(block).expect("writable");
    }
    assert!(!path.exists(), "not complete yet");
    let rows = blocks.concat().len() / columns.len();
    assert_eq!(writer.finish().expect("writable"), rows as u64);
    Case { path, ..case }
}

#[test]
fn both_formats_come_back_to_the_bit() {
    for (name, units) in [("a.csv", true), ("a.NPY", false)] {
        let case = written(name, &columns(2), &[&ANY[..2], &[], &ANY[2..]]);
        let mut reader = case.open();
        assert_eq!(reader.columns()[1].unit.is_some(), units, "numpy's field names are used in programs");
        let (_, values) = everything(&mut reader, 3);
        assert_eq!(values.len(), ANY.len());
        for (value, expected) in values.iter().zip(ANY) {
            assert!(
                value.to_bits() == expected.to_bits() || (value.is_nan() && expected.is_nan()),
                "{value} {expected}"
            );
        }
    }
}

#[test]
fn an_array_of_any_length_starts_at_a_multiple_of_64() {
    for count in 1..12 {
        let case = written("a.npy", &columns(count), &[&vec![1.0; count * 3]]);
        let bytes = fs::read(&case.path).expect("written");
        assert_eq!((bytes.len() - 24 * count) % 64, 0, "{count}");
    }
}

#[test]
fn what_is_there_stays_unless_it_is_to_be_replaced() {
    let case = written("a.csv", &columns(1), &[&[1.0]]);
    let before = fs::read(&case.path).expect("written");
    let error = TableWriter::create(&case.path, &columns(1), Existing::Keep).expect_err("taken");
    assert!(case.message(&error).contains("is there already, and nothing was changed"), "{error}");
    let replacing = || TableWriter::create(&case.path, &columns(2), Existing::Replace).expect("writable");
    drop(replacing());
    assert_eq!(fs::read(&case.path).expect("untouched"), before);
    replacing().finish().expect("writable");
    assert_ne!(fs::read(&case.path).expect("replaced"), before);

    // The name is taken while the table is written.
    let path = case.path.with_file_name("b.csv");
    let writer = TableWriter::create(&path, &columns(1), Existing::Keep).expect("writable");
    fs::write(&path, "mine").expect("writable");
    assert!(matches!(writer.finish(), Err(TableError::Exists { .. })));
    assert_eq!(fs::read(&path).expect("mine"), b"mine");
    let left: Vec<_> = fs::read_dir(path.parent().expect("a folder")).expect("readable").collect();
    assert_eq!(left.len(), 3, "nothing unfinished is left: {left:?}");
}

#[test]
fn names_that_cannot_be_written_are_refused_at_once() {
    let case = Case::new("x", "");
    let create = |name: &str, columns: &[Column]| {
        TableWriter::create(&case.path.with_file_name(name), columns, Existing::Keep).expect_err(name)
    };
    for name in ["a", "a.txt", "a.npz", "csv"] {
        assert!(matches!(create(name, &columns(1)), TableError::Ending { .. }), "{name}");
    }
    let twice = [Column::parse("a [m]"), Column::named("a")];
    assert!(matches!(create("a.csv", &twice), TableError::DuplicateColumn { .. }));
    let error = create("none/a.csv", &columns(1));
    assert!(matches!(&error, TableError::Write(StoreError::Write { .. })), "{error:?}");
    assert!(error.to_string().contains("the folder does not exist"), "{error}");
}

proptest! {
    #[test]
    fn the_shortest_text_is_the_same_double(bits in any::<u64>()) {
        let value = f64::from_bits(bits);
        let case = written("a.csv", &columns(1), &[&[value]]);
        let (_, values) = everything(&mut case.open(), 1);
        prop_assert!(values[0].to_bits() == bits || (values[0].is_nan() && value.is_nan()), "{value}");
    }
}
