//! CSV.

use std::io::{BufReader, Cursor};

use super::*;

#[test]
fn what_spreadsheets_and_programs_write_is_read() {
    let expected = (names(&["t [s]", "q0", "q_dot0"]), vec![0.0, 1.5, -2e-3, 0.1, 0.25, 7.0]);
    for text in [
        "t [s],q0,q_dot0\n0,1.5,-2e-3\n0.1,.25,7\n",
        "t [s],q0,q_dot0\n0,1.5,-2e-3\n0.1,.25,7",
        "\u{feff}t [s],q0,q_dot0\r\n0,1.5,-2e-3\r\n0.1,.25,7\r\n",
        "\"t [s]\",\"q0\",\"q_dot0\"\n\"0\",1.5,-2E-3\n0.1,0.25,\"7\"\n",
        " t [s] , q0 , q_dot0 \n  0 ,\t1.5, -0.002\n 0.1, +0.25 ,7. \n",
        "# by hand\n\nt [s],q0,q_dot0\n# first swing\n0,1.5,-2e-3\n\n\n0.1,0.25,7\n#\n",
        "t [s];q0;q_dot0\n0;1.5;-2e-3\n0.1;0.25;7\n",
        "t [s]\tq0\tq_dot0\n0\t1.5\t-2e-3\n0.1\t0.25\t7\n",
    ] {
        for most in [1, 2, 100] {
            let case = Case::new("swing.csv", text);
            assert_eq!(everything(&mut case.open(), most), expected, "{text}");
        }
    }
}

#[test]
fn numbers_come_back_to_the_bit_and_no_number_is_nan_or_infinite_as_written() {
    let case = Case::new("x.csv", "x\n0.1\n5e-324\n1.7976931348623157e308\nNaN\n-inf\nInfinity\n-0\n");
    let (_, values) = everything(&mut case.open(), 3);
    let expected = [0.1, 5e-324, f64::MAX, f64::NAN, f64::NEG_INFINITY, f64::INFINITY, -0.0];
    assert_eq!(values.len(), expected.len());
    for (value, expected) in values.iter().zip(expected) {
        assert!(value.to_bits() == expected.to_bits() || (value.is_nan() && expected.is_nan()), "{value} {expected}");
    }
}

#[test]
fn only_chosen_columns_must_hold_numbers() {
    let case = Case::new("x.csv", ",model,q0\n0,truth,1\n1,lnn,2\n");
    let mut reader = case.open();
    reader.select(&[2, 0]).expect("a text");
    let mut values = Vec::new();
    assert_eq!(reader.read(10, &mut values).expect("numbers"), 2);
    assert_eq!(values, [1.0, 0.0, 2.0, 1.0]);
    assert_eq!(reader.read(10, &mut values).expect("the end"), 0);
}

#[test]
fn a_file_without_names_is_read_with_those_given() {
    let case = Case::new("x.csv", "0,1\n2,3\n");
    assert!(
        case.refused().contains("line 1 starts with `0`, a number where column names belong"),
        "{}",
        case.refused()
    );
    let open = |given: &[&str]| TableReader::open(&case.path, Some(&names(given)));
    let mut reader = open(&["t", "q0 [m]"]).expect("named");
    assert_eq!(everything(&mut reader, 1), (names(&["t", "q0 [m]"]), vec![0.0, 1.0, 2.0, 3.0]));
    let message = case.message(&open(&["t"]).expect_err("two columns"));
    assert!(message.contains("1 column name(s) were given, but"), "{message}");
    let named = Case::new("x.csv", "t,q0\n0,1\n");
    let error = TableReader::open(&named.path, Some(&names(&["t", "q0"]))).expect_err("named twice");
    assert!(named.message(&error).contains("has column names of its own (t, q0)"), "{error}");
}

#[test]
fn every_fault_is_refused_by_line_and_column() {
    let long = format!("q0\n{}\n", "1".repeat(1 << 20));
    for (text, words) in [
        ("", "is empty"),
        ("# nothing\n\n", "is empty"),
        ("q0,t\n1,2\n3,x1\n", "line 3, column `t`: `x1` is no number; write a number there"),
        ("# a\nq0,t\n\n1,2\n3,4 5\n", "line 5, column `t`: `4 5` is no number"),
        ("q0;t\n1;0,5\n", "line 2, column `t`: `0,5` is no number; write decimals with a point"),
        ("q0,t\n1,\n", "line 2, column `t` is empty"),
        ("q0,t\n1,2,3\n", "line 2 has 3 field(s), but the header names 2 column(s)"),
        ("q0,t\r\n1,2\r\n3\r\n", "line 3 has 1 field(s)"),
        ("q0,t,q0\n1,2,3\n", "has two columns `q0`"),
        ("q0,note\n1,\"a\nb\"\n", "line 2 has a quotation mark that is not closed"),
        ("q0,\u{0}\n", "is neither CSV nor NPY nor NPZ"),
        (&long, "line 2 is longer than 1048576 bytes"),
    ] {
        let message = Case::new("swing.csv", text).refused();
        assert!(message.contains(words), "{words}\n{message}");
    }
    let latin = Case::new("x.csv", b"\xe9nergie\n1\n").refused();
    assert!(latin.contains("line 1 is not UTF-8"), "{latin}");
    let message = Case::new("x.csv", format!("q0\n{}\n", "é".repeat(100))).refused();
    assert!(message.contains(&format!("`{}…` is no number", "é".repeat(40))), "{message}");
}

#[test]
fn a_row_is_found_by_its_line_again() {
    let case = Case::new("x.csv", "# a\nq0\n1\n\n# b\n2\n3\n");
    let reader = case.open();
    assert_eq!([0, 1, 2].map(|row| reader.place(row)), [3, 6, 7].map(Place::Line));
    assert_eq!(reader.place(3), Place::Row(3));
    let case = Case::new("x.csv", "1\n#\n2\n");
    let reader = TableReader::open(&case.path, Some(&names(&["q0"]))).expect("named");
    assert_eq!([0, 1].map(|row| reader.place(row)), [1, 3].map(Place::Line));
}

#[test]
fn blocks_are_decoded_on_any_thread_as_read_does() {
    let text: String = (0..50).map(|i| format!("{i},{}\n{}", i * i, if i % 7 == 0 { "# c\n" } else { "" })).collect();
    let case = Case::new("x.csv", format!("a,b\n{text}"));
    let (_, expected) = everything(&mut case.open(), 1000);
    let mut reader = case.open();
    let mut blocks = Vec::new();
    loop {
        let mut raw = RawRows::default();
        if !reader.read_raw(4, &mut raw).expect("lines") {
            break;
        }
        blocks.push(raw);
    }
    let decoder = reader.decoder();
    let values: Vec<Vec<f64>> = std::thread::scope(|scope| {
        let decode = |raw| {
            let mut values = Vec::new();
            decoder.decode(raw, &mut values).expect("numbers");
            values
        };
        let threads: Vec<_> = blocks.iter().map(|raw| scope.spawn(move || decode(raw))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(values.concat(), expected);
}

#[test]
fn a_pipe_is_a_table_too() {
    let input = Box::new(BufReader::new(Cursor::new("t,q0\n1,2\n")));
    let mut reader = TableReader::from_text(std::path::Path::new("standard input"), input, None).expect("a table");
    assert_eq!(everything(&mut reader, 5).1, [1.0, 2.0]);
    assert_eq!(reader.place(0), Place::Row(0));
}
