//! Numbers as a person reads them: three significant digits and a unit.

/// `x` rounded to three significant digits, without an exponent between 0.001 and a million.
pub(crate) fn significant(x: f64) -> String {
    if !x.is_finite() {
        return "–".into();
    }
    if x == 0.0 {
        return "0".into();
    }
    // Rounding first: 9.996 has the digits of 10.0, not those of 9.99.
    let scientific = format!("{x:.2e}");
    let (_, exponent) = scientific.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a whole number");
    if !(-3..6).contains(&exponent) {
        return scientific;
    }
    let rounded: f64 = scientific.parse().expect("the text was a number");
    format!("{rounded:.*}", usize::try_from(2 - exponent).unwrap_or(0))
}

/// A time given in seconds: `850 ns`, `12.3 µs`, `8.80 ms`, `1.20 s`.
pub(crate) fn duration(seconds: f64) -> String {
    scaled(seconds, &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")])
}

/// A count a second with its unit: `107 GFLOP/s` for 1.07e11 and `FLOP/s`.
pub(crate) fn rate(per_second: f64, unit: &str) -> String {
    scaled(per_second, &[(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, "")]) + unit
}

/// A fraction in per cent: `78.3 %`.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{} %", significant(100.0 * fraction))
}

/// Bytes: `29.0 kB`, 1 kB being 1000 of them.
pub(crate) fn bytes(count: f64) -> String {
    scaled(count, &[(1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")])
}

/// `x` in the largest of the units, given with falling size, in which it is at least 1.
fn scaled(x: f64, units: &[(f64, &str)]) -> String {
    // What rounds to 1000 of a unit is written as 1 of the next.
    let fits = |size: f64| x.abs() >= 0.9995 * size;
    let unit = units.iter().find(|(size, _)| fits(*size)).or(units.last());
    let (size, name) = unit.copied().unwrap_or((1.0, ""));
    format!("{} {name}", significant(x / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_kept_and_rounding_may_carry() {
        for (x, text) in [
            (0.0, "0"),
            (1.0, "1.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.96, "100"),
            (107.4, "107"),
            (1234.0, "1230"),
            (0.012_345, "0.0123"),
            (-2.5, "-2.50"),
            (1.5e-7, "1.50e-7"),
            (1.5e6, "1.50e6"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(significant(x), text, "{x}");
        }
    }

    #[test]
    fn units_follow_the_size() {
        for (seconds, text) in [
            (1.2, "1.20 s"),
            (8.8e-3, "8.80 ms"),
            (0.999_7e-3, "1.00 ms"),
            (80.4e-6, "80.4 µs"),
            (850e-9, "850 ns"),
            (0.5e-9, "0.500 ns"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(rate(1.07e11, "FLOP/s"), "107 GFLOP/s");
        assert_eq!(rate(999.9, "Hessians/s"), "1.00 kHessians/s");
        assert_eq!(percent(0.7834), "78.3 %");
        for (count, text) in [(250.04, "250 B"), (29e3, "29.0 kB"), (0.9999e9, "1.00 GB")] {
            assert_eq!(bytes(count), text);
        }
    }
}
