//! The tables of a tuning.

use serde_json::Value;

use super::result::{list, number, text};
use super::table::{right, started};
use crate::bench::number as shown;
use crate::error::TaskError;

/// Candidates of a role that are shown: the fastest, and what is taken without a choice.
const SHOWN: usize = 4;

/// What was timed and chosen, and where that is kept.
pub(super) fn tables(report: &Value, date: &str) -> Result<String, TaskError> {
    let tuning = &report["tuning"];
    let (adapter, clock) = (&report["adapter"], text(tuning, "clock")?);
    let [name, kind, backend, driver] = ["name", "kind", "backend", "driver"].map(|entry| text(adapter, entry));
    let mut out = format!("\n{} ({}, {}, {}), {date}\n", name?, kind?, backend?, driver?);
    out += &format!(
        "Medians of {} rounds by the {clock}'s clock; the fastest of each is chosen.\n",
        number(tuning, "rounds")?
    );
    for shape in list(tuning, "shapes", |shape| Ok(shape.clone()))? {
        out += &format!("\n{}: for {}\n{}\n", text(&shape, "name")?, text(&shape, "class")?, candidates(&shape)?);
        for left_out in list(&shape, "left_out", |left_out| Ok(left_out.clone()))? {
            let tile = left_out["tile"].as_str().unwrap_or("default");
            out += &format!("left out: {tile}: {}\n", text(&left_out, "reason")?);
        }
    }
    out += &match tuning["file"].as_str() {
        None if tuning["keep"] == false => {
            "\nNot kept: these sizes show that all runs, and nobody trains them.\n".to_owned()
        }
        Some(file) => format!("\nKept in {file}: `lnn` and this bench read it from now on.\n"),
        None => "\nNot kept, since there is no cache folder: LNN_CACHE_DIR can name one.\n".to_owned(),
    };
    Ok(out)
}

/// The fastest candidates of each role, and what is taken without a choice.
fn candidates(shape: &Value) -> Result<comfy_table::Table, TaskError> {
    let mut table = started(&["part", "tile", "time", "rate", ""]);
    let timings = list(shape, "timings", |timing| Ok((text(timing, "role")?, timing.clone())))?;
    let mut places: Vec<(String, usize)> = Vec::new();
    for (role, timing) in timings {
        // They come role by role, the fastest first.
        let place = match places.last_mut().filter(|(last, _)| *last == role) {
            Some((_, place)) => {
                *place += 1;
                *place
            }
            None => {
                places.push((role.clone(), 0));
                0
            }
        };
        let tile = timing["tile"].as_str();
        if place >= SHOWN && tile.is_some() {
            continue;
        }
        table.add_row([
            role,
            tile.unwrap_or("default").to_owned(),
            shown::duration(number(&timing, "seconds")?),
            shown::rate(number(&timing, "rate")?, "FLOP/s"),
            if place == 0 { "chosen" } else { "" }.to_owned(),
        ]);
    }
    Ok(right(table, 2))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(file: Value) -> Value {
        let timing = |role: &str, tile: Option<&str>, seconds: f64| json!({ "role": role, "tile": tile, "seconds": seconds, "rate": 1e9 / seconds });
        let tiles =
            ["32 samples × 128 units", "32 samples × 64 units", "16 samples × 128 units", "16 samples × 64 units"];
        let mut timings: Vec<_> = (0..4).map(|i| timing("forward", Some(tiles[i]), 1e-3 * (1 + i) as f64)).collect();
        timings.push(timing("forward", Some("48 samples × 64 units"), 6e-3));
        timings.push(timing("forward", None, 7e-3));
        timings.push(timing("weight gradient", None, 1e-4));
        json!({
            "adapter": { "name": "Some Card", "kind": "discrete", "backend": "vulkan", "driver": "driver 1.0" },
            "tuning": { "clock": "device", "rounds": 15, "file": file, "keep": true, "shapes": [{
                "name": "4×500, batch 4096", "class": "3 directions, up to 512 wide, 2049 to 4096 rows", "timings": timings,
                "left_out": [{ "tile": "8 samples, 64 rows of a weight", "reason": "no room" }],
            }] },
        })
    }

    #[test]
    fn the_fastest_are_shown_with_the_default_and_the_file() {
        let text = tables(&report(json!("/cache/tiles.ron")), "2026-01-02").expect("all entries");
        let rows: Vec<&str> =
            text.lines().filter(|line| line.contains("forward") || line.contains("weight grad")).collect();
        assert_eq!(rows.len(), 6, "{text}");
        assert!(
            rows[0].contains("32 samples × 128") && rows[0].contains("1.00 ms") && rows[0].contains("chosen"),
            "{text}"
        );
        assert!(rows[1..5].iter().all(|row| !row.contains("chosen")), "{text}");
        assert!(rows[4].contains("default") && rows[4].contains("7.00 ms") && !text.contains("48 samples"), "{text}");
        assert!(rows[5].contains("10.0 TFLOP/s") && rows[5].contains("chosen"), "{text}");
        assert!(text.contains("Kept in /cache/tiles.ron") && text.contains("no room"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
        let unkept = tables(&report(Value::Null), "2026-01-02").expect("all entries");
        assert!(unkept.contains("LNN_CACHE_DIR"), "{unkept}");
        let mut quick = report(Value::Null);
        quick["tuning"]["keep"] = false.into();
        assert!(tables(&quick, "").expect("all entries").contains("Not kept: these sizes"));
    }

    #[test]
    fn a_missing_entry_is_named() {
        let mut damaged = report(Value::Null);
        damaged["tuning"]["shapes"][0]["timings"][1].as_object_mut().expect("an object").remove("seconds");
        let message = tables(&damaged, "").expect_err("no seconds").to_string();
        assert!(message.contains("`seconds`"), "{message}");
    }
}
