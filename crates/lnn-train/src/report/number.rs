//! Numbers as text for tables, axes and captions.

/// Writes `value` with `digits` significant digits: plain decimals for everyday sizes, powers of ten
/// beyond, `n/a` for NaN and `∞` for infinities.
pub(crate) fn significant(value: f64, digits: usize) -> String {
    if value.is_nan() {
        return "n/a".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞" } else { "−∞" }.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = digits.max(1);
    // Rounding first: 9.996 with three digits is 10.0, one decade up.
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').expect("the e format always writes an exponent");
    let exponent: i32 = exponent.parse().expect("the e format writes an integer exponent");
    let text = if (-4..6).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{mantissa}e{exponent}")
    };
    text.replace('-', "−")
}

/// Writes a count with thin groups of three digits: `12 345`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    if digits.len() <= 4 {
        return digits;
    }
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            // No-break space, so that a number is never split over two lines.
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

/// Writes a duration in seconds as a person would say it: `58 s`, `8 min 20 s`, `2 h 03 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "n/a".to_owned();
    }
    if seconds < 9.95 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    match whole {
        0..=119 => format!("{whole} s"),
        120..=7199 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Writes 10 to an integer power: plain decimals near one, superscripts beyond.
pub(crate) fn power_of_ten(exponent: i32) -> String {
    if (-4..=5).contains(&exponent) {
        return if exponent < 0 {
            format!("{:.*}", exponent.unsigned_abs() as usize, 10f64.powi(exponent))
        } else {
            10u32.pow(exponent.unsigned_abs()).to_string()
        };
    }
    let superscript: String = exponent
        .to_string()
        .chars()
        .map(|character| match character {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            digit => char::from_u32('⁰' as u32 + digit.to_digit(10).unwrap_or(0))
                .expect("the superscript digits 0 and 4 to 9 are contiguous in Unicode"),
        })
        .collect();
    format!("10{superscript}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn significant_digits_round_and_stay_readable() {
        assert_eq!(significant(0.012_94, 3), "0.0129");
        assert_eq!(significant(9.996, 3), "10.0");
        assert_eq!(significant(229.4, 3), "229");
        assert_eq!(significant(-2.5, 2), "−2.5");
        assert_eq!(significant(1.234e-7, 3), "1.23e−7");
        assert_eq!(significant(1.0e12, 2), "1.0e12");
        assert_eq!(significant(0.0, 3), "0");
        assert_eq!(significant(f64::NAN, 3), "n/a");
        assert_eq!(significant(f64::NEG_INFINITY, 3), "−∞");
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(9999), "9999");
        assert_eq!(grouped(12_345), "12\u{a0}345");
        assert_eq!(grouped(1_234_567), "1\u{a0}234\u{a0}567");
    }

    #[test]
    fn durations_are_said_in_the_fitting_unit() {
        assert_eq!(duration(2.04), "2.0 s");
        assert_eq!(duration(57.6), "58 s");
        assert_eq!(duration(500.4), "8 min 20 s");
        assert_eq!(duration(7384.0), "2 h 03 min");
        assert_eq!(duration(f64::NAN), "n/a");
    }

    #[test]
    fn powers_of_ten_use_superscripts_far_from_one() {
        assert_eq!(power_of_ten(-2), "0.01");
        assert_eq!(power_of_ten(0), "1");
        assert_eq!(power_of_ten(3), "1000");
        assert_eq!(power_of_ten(-10), "10⁻¹⁰");
        assert_eq!(power_of_ten(5), "100000");
        assert_eq!(power_of_ten(6), "10⁶");
        assert_eq!(power_of_ten(23), "10²³");
    }
}
