//! NPY and NPZ.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

/// An array as numpy.save writes it.
fn npy(descr: &str, fortran: bool, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}");
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    header.extend(std::iter::repeat_n(' ', length - 1 - header.len()));
    let length = (length as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), b"\n", numbers].concat()
}

fn doubles(values: impl IntoIterator<Item = f64>) -> Vec<u8> {
    values.into_iter().flat_map(f64::to_le_bytes).collect()
}

fn npz(method: CompressionMethod, arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        writer.start_file(format!("{name}.npy"), options).expect("memory");
        writer.write_all(bytes).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

#[test]
fn a_structured_array_of_every_readable_type() {
    let types = [
        ("<f8", (-1.5_f64).to_le_bytes().to_vec(), -1.5),
        (">f8", (-1.5_f64).to_be_bytes().to_vec(), -1.5),
        ("<f4", 0.1_f32.to_le_bytes().to_vec(), f64::from(0.1_f32)),
        (">f4", 0.1_f32.to_be_bytes().to_vec(), f64::from(0.1_f32)),
        ("|i1", (-7_i8).to_le_bytes().to_vec(), -7.0),
        ("|u1", 200_u8.to_le_bytes().to_vec(), 200.0),
        ("<i2", (-300_i16).to_le_bytes().to_vec(), -300.0),
        (">u2", 60_000_u16.to_be_bytes().to_vec(), 60_000.0),
        (">i4", i32::MIN.to_be_bytes().to_vec(), f64::from(i32::MIN)),
        ("<u4", u32::MAX.to_le_bytes().to_vec(), f64::from(u32::MAX)),
        ("<i8", (-(1_i64 << 53)).to_le_bytes().to_vec(), -(2_f64.powi(53))),
        (">u8", (1_u64 << 63).to_be_bytes().to_vec(), 2_f64.powi(63)),
    ];
    let fields: Vec<String> =
        types.iter().enumerate().map(|(i, (name, ..))| format!("('x{i} [m]', '{name}')")).collect();
    let row: Vec<u8> = types.iter().flat_map(|(_, bytes, _)| bytes.clone()).collect();
    let case = Case::new("x.npy", npy(&format!("[{}]", fields.join(", ")), false, "(3,)", &row.repeat(3)));
    let expected: Vec<f64> = types.iter().map(|(.., value)| *value).collect();
    for most in [1, 2, 3] {
        let mut reader = case.open();
        assert_eq!(reader.rows(), Some(3));
        assert_eq!(reader.columns()[5], Column { name: "x5".to_owned(), unit: Some("m".to_owned()) });
        assert_eq!(everything(&mut reader, most).1, expected.repeat(3));
    }
}

#[test]
fn fields_of_several_numbers_are_columns_and_padding_is_none() {
    let descr = "[('t', '<f4'), ('', '|V4'), ('q', '<f8', (2,)), ('label', '<U2'), ('g', '<f8', (1,))]";
    let row = |i: f64| {
        let (t, text) = ((i as f32).to_le_bytes(), [0_u8; 8]);
        [&t[..], &[9; 4], &doubles([10.0 * i, 10.0 * i + 1.0]), &text, &doubles([-i])].concat()
    };
    let case = Case::new("x.npy", npy(descr, false, "(2,)", &[row(1.0), row(2.0)].concat()));
    let mut reader = case.open();
    let columns: Vec<&str> = reader.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(columns, ["t", "q0", "q1", "label", "g"]);
    let error = reader.select(&[0, 3]).expect_err("text");
    assert!(case.message(&error).contains("column `label` has elements of type <U2; f4, f8 and integers"), "{error}");
    reader.select(&[4, 2, 0]).expect("numbers");
    assert_eq!(everything(&mut reader, 1).1, [-1.0, 11.0, 1.0, -2.0, 21.0, 2.0]);
}

#[test]
fn a_plain_array_needs_names_and_either_order_is_read() {
    let (rows, columns) = (5, 3);
    let expected: Vec<f64> = (0..rows * columns).map(|i| f64::from(i) / 3.0).collect();
    let transposed: Vec<f64> =
        (0..columns).flat_map(|j| (0..rows).map(move |i| f64::from(i * columns + j) / 3.0)).collect();
    let given = names(&["q0", "q_dot0", "t"]);
    for (fortran, numbers) in [(false, &expected), (true, &transposed)] {
        let case = Case::new("x.npy", npy("'<f8'", fortran, "(5, 3)", &doubles(numbers.iter().copied())));
        assert!(case.refused().contains("a plain array of 3 column(s) without names"), "{}", case.refused());
        for most in [1, 2, 5, 100] {
            let mut reader = TableReader::open(&case.path, Some(&given)).expect("named");
            assert_eq!(everything(&mut reader, most), (given.clone(), expected.clone()));
        }
        let mut reader = TableReader::open(&case.path, Some(&given)).expect("named");
        reader.select(&[2, 0]).expect("numbers");
        let chosen: Vec<f64> = expected.chunks_exact(3).flat_map(|row| [row[2], row[0]]).collect();
        assert_eq!(everything(&mut reader, 2).1, chosen);
        let message = case.message(&TableReader::open(&case.path, Some(&given[..2])).expect_err("three"));
        assert!(message.contains("2 column name(s) were given, but"), "{message}");
    }
    let case = Case::new("x.npy", npy("'>i2'", false, "(2,)", &[0, 1, 255, 255]));
    let mut reader = TableReader::open(&case.path, Some(&names(&["q0"]))).expect("named");
    assert_eq!(everything(&mut reader, 2).1, [1.0, -1.0]);
}

#[test]
fn an_archive_of_columns_stored_or_compressed() {
    let arrays = [
        ("q", npy("'<f8'", true, "(3, 2)", &doubles([1.0, 2.0, 3.0, 10.0, 20.0, 30.0]))),
        ("q_dot", npy("'<f8'", false, "(3, 2)", &doubles([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]))),
        ("t", npy("'<f8'", false, "(3,)", &doubles([0.0, 0.5, 1.0]))),
        ("dt", npy("'<f8'", false, "()", &doubles([0.5]))),
        ("lengths", npy("'<f8'", false, "(2,)", &doubles([1.0, 2.0]))),
    ];
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let case = Case::new("x.npz", npz(method, &arrays));
        for most in [1, 2, 50] {
            let mut reader = case.open();
            let columns: Vec<&str> = reader.columns().iter().map(|column| column.name.as_str()).collect();
            assert_eq!(columns, ["q0", "q1", "q_dot0", "q_dot1", "t", "lengths"]);
            reader.select(&[4, 0, 1, 3]).expect("numbers");
            let expected = [0.0, 1.0, 10.0, 0.2, 0.5, 2.0, 20.0, 0.4, 1.0, 3.0, 30.0, 0.6];
            assert_eq!(everything(&mut reader, most).1, expected);
        }
        // Nothing is chosen, so that everything must fit.
        let words = "the array `lengths` has the shape (2,), which does not fit the table's 3 row(s)";
        assert!(case.refused().contains(words), "{}", case.refused());
        let error = case.open().select(&[5]).expect_err("two of three");
        assert!(case.message(&error).contains(words), "{error}");
        let error = TableReader::open(&case.path, Some(&names(&["a"]))).expect_err("its own");
        assert!(case.message(&error).contains("column names of its own (q, q_dot, t, lengths)"), "{error}");
    }
}

#[test]
fn trajectories_by_rows_by_coordinates() {
    // Two trajectories of three rows, one coordinate.
    let q = npy("'<f8'", false, "(2, 3, 1)", &doubles([0.0, 0.1, 0.2, 1.0, 1.1, 1.2]));
    let arrays = [
        ("q", q.clone()),
        (
            "q_dot",
            npy("'<f4'", false, "(2, 3)", &(0..6_u8).flat_map(|i| f32::from(i).to_le_bytes()).collect::<Vec<_>>()),
        ),
        ("t", npy("'<f8'", false, "(3,)", &doubles([0.0, 0.5, 1.0]))),
        ("g", npy("'<i8'", false, "(2,)", &[9_i64.to_le_bytes(), 4_i64.to_le_bytes()].concat())),
    ];
    let case = Case::new("x.npz", npz(CompressionMethod::Deflated, &arrays));
    let expected = [
        [0.0, 0.0, 0.0, 0.0, 9.0],
        [0.0, 0.1, 1.0, 0.5, 9.0],
        [0.0, 0.2, 2.0, 1.0, 9.0],
        [1.0, 1.0, 3.0, 0.0, 4.0],
        [1.0, 1.1, 4.0, 0.5, 4.0],
        [1.0, 1.2, 5.0, 1.0, 4.0],
    ];
    for most in [1, 4, 6] {
        let (columns, values) = everything(&mut case.open(), most);
        assert_eq!(columns, ["trajectory", "q0", "q_dot0", "t", "g"]);
        assert_eq!(values, expected.concat());
    }
    let fortran = npy("'<f8'", true, "(2, 3, 1)", &doubles([0.0; 6]));
    let message = Case::new("x.npz", npz(CompressionMethod::Stored, &[("q", fortran)])).refused();
    assert!(message.contains("(array `q`) is in Fortran order"), "{message}");
    let short = npy("'<f8'", false, "(4,)", &doubles([0.0; 4]));
    let message = Case::new("x.npz", npz(CompressionMethod::Stored, &[("q", q), ("t", short)])).refused();
    assert!(message.contains("`t` has the shape (4,), which does not fit the 2 trajectories of 3 row(s)"), "{message}");
}

#[test]
fn what_cannot_be_read_rightly_is_refused_by_name() {
    let npz_of =
        |descr: &str, numbers: &[u8]| npz(CompressionMethod::Stored, &[("q0", npy(descr, false, "(1,)", numbers))]);
    for descr in ["'<c16'", "'<f16'", "'|b1'", "'<U4'", "'|O'", "'<M8[s]'", "'|S3'", "'<f2'"] {
        let message = Case::new("x.npz", npz_of(descr, &[0; 16])).refused();
        let name = descr.trim_matches('\'');
        assert!(message.contains(&format!("column `q0` has elements of type {name}; ")), "{message}");
        assert!(message.contains(".astype('f8')"), "{message}");
    }
    let large = (1_i64 << 53) + 1;
    let message = Case::new("x.npz", npz_of("'<i8'", &large.to_le_bytes())).refused();
    assert!(message.contains("row 0 (rows count from 0), column `q0`: the integer 9007199254740993"), "{message}");
    let message = Case::new("x.npz", npz_of("'<u8'", &u64::MAX.to_le_bytes())).refused();
    assert!(message.contains("the integer 18446744073709551615 has no exact double"), "{message}");

    let cut = npy("[('q0', '<f8')]", false, "(4,)", &[0; 31]);
    for (case, words) in [
        (Case::new("x.npy", cut.clone()), "was cut short: 31 bytes of numbers, expected 32"),
        (Case::new("x.npz", npz(CompressionMethod::Stored, &[("a", cut)])), "(array `a`) was cut short"),
        (Case::new("x.npy", npy("'<f8'", false, "(1, 1, 1)", &[0; 8])), "has the shape (1, 1, 1); a table needs two"),
        (Case::new("x.npy", npy("'<f8'", false, "()", &[0; 8])), "has the shape ()"),
        (Case::new("x.npy", npy("[('a', '<f8')]", false, "(1, 1)", &[0; 8])), "a structured array needs one dimension"),
        (Case::new("x.npy", npy("'<f8", false, "(1,)", &[0; 8])), "is no readable array: could not parse"),
        (Case::new("x.npy", &b"\x93NUMPY\x09\x00"[..]), "unsupported version: (9, 0)"),
        (Case::new("x.npz", npz(CompressionMethod::Stored, &[])), "is an NPZ without a column of numbers"),
        (
            Case::new("x.npz", npz(CompressionMethod::Stored, &[("a", b"no".to_vec())])),
            "(array `a`) is no readable array",
        ),
        (
            Case::new("x.npz", npz(CompressionMethod::Stored, &[("q", npy("'<f8'", false, "(0, 9000000000)", &[]))])),
            "(array `q`) has the shape (0, 9000000000); a table has at most 4096 columns",
        ),
        (Case::new("x.npz", &b"PK\x03\x04 and no more"[..]), "cannot be unpacked"),
    ] {
        let message = case.refused();
        assert!(message.contains(words), "{words}\n{message}");
    }
}

#[test]
fn a_damaged_archive_is_noticed() {
    let numbers = doubles((0..100).map(f64::from));
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let mut bytes = npz(method, &[("q0", npy("'<f8'", false, "(100,)", &numbers))]);
        // Within the numbers, or what they became: the directory and its checksum lie behind.
        let place = bytes.len() / 2;
        bytes[place] ^= 1;
        let message = Case::new("x.npz", bytes).refused();
        assert!(message.contains("(array `q0`) cannot be unpacked"), "{message}");
    }
}
