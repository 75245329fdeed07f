//! Time and memory a site of fields on lines, from what `benches/lattice.rs` times and leaves behind.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use serde_json::{Value, json};

use super::criterion::Measurement;
use super::number;
use super::rates::{Ceiling, fraction};
use crate::error::TaskError;

/// The bench that times them.
const GROUP: &str = "lattice";

/// Sites from which on a line is long: no part of its time is that of starting work on threads.
const LONG: u64 = 1000;

/// Most bytes that were held at once for a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Memory {
    network: String,
    sites: u64,
    bytes: u64,
}

/// One line of sites.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    network: String,
    sites: u64,
    /// Of an acceleration.
    seconds: f64,
    /// Of its derivatives and their assembly, without the solve.
    local: f64,
    /// The acceleration's rate of layer products as a fraction of the product rate.
    fraction: Option<f64>,
    bytes: u64,
}

/// What the bench wrote of memory below criterion's folder in a run that began at `since`; nothing if it did not run.
pub(crate) fn memory(folder: &Path, since: SystemTime) -> Result<Vec<Memory>, TaskError> {
    let path = folder.join(GROUP).join("memory.json");
    // Older figures are another run's, perhaps of another version.
    if fs::metadata(&path).and_then(|data| data.modified()).is_ok_and(|time| time < since) || !path.exists() {
        return Ok(Vec::new());
    }
    let unexpected = |what: String| TaskError::Format {
        origin: path.display().to_string(),
        expected: format!("a list of networks, sites and bytes, as benches/lattice.rs writes it{what}"),
    };
    let text = fs::read_to_string(&path).map_err(|source| TaskError::Read { path: path.clone(), source })?;
    let value: Value = serde_json::from_str(&text).map_err(|error| unexpected(format!(" ({error})")))?;
    let entry = |entry: &Value| {
        let network = entry["network"].as_str()?.to_owned();
        Some(Memory { network, sites: entry["sites"].as_u64()?, bytes: entry["bytes"].as_u64()? })
    };
    let entries = value.as_array().and_then(|list| list.iter().map(entry).collect());
    entries.ok_or_else(|| unexpected(String::new()))
}

/// The lines of a run of which acceleration, assembly and memory were measured.
pub(crate) fn lines(measurements: &[Measurement], ceilings: &[Ceiling], memory: &[Memory]) -> Vec<Line> {
    let find = |what: &str, of: &Memory| {
        let name = format!("{what} {}, n = {}", of.network, of.sites);
        measurements.iter().find(|found| found.group == GROUP && found.name == name)
    };
    let line = |of: &Memory| {
        let (whole, local) = (find("acceleration", of)?, find("assembly", of)?);
        Some(Line {
            network: of.network.clone(),
            sites: of.sites,
            seconds: whole.seconds,
            local: local.seconds / whole.seconds,
            fraction: fraction(whole, ceilings),
            bytes: of.bytes,
        })
    };
    memory.iter().filter_map(line).collect()
}

impl Line {
    fn seconds_a_site(&self) -> f64 {
        self.seconds / self.sites as f64
    }
}

/// How time and memory grow among the long lines of one network.
#[derive(Clone, Debug, PartialEq)]
struct Growth {
    network: String,
    first: u64,
    last: u64,
    /// Largest time a site over the smallest, less one: 0 where the time is linear.
    spread: f64,
    /// Bytes of the last line beyond the first one's, for each site beyond: without the buffers that all lines have.
    bytes_a_site: f64,
}

/// The growth with the network that has the longest line; none if it has only one that is long.
fn growth(lines: &[Line]) -> Option<Growth> {
    let network = &lines.iter().max_by_key(|line| line.sites)?.network;
    let long = || lines.iter().filter(|line| line.network == *network && line.sites >= LONG);
    let first = long().min_by_key(|line| line.sites)?;
    let last = long().max_by_key(|line| line.sites).filter(|last| last.sites > first.sites)?;
    let times = || long().map(Line::seconds_a_site);
    let (low, high) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    let bytes_a_site = (last.bytes as f64 - first.bytes as f64) / (last.sites - first.sites) as f64;
    let (network, first, last) = (network.clone(), first.sites, last.sites);
    Some(Growth { network, first, last, spread: high / low - 1.0, bytes_a_site })
}

/// The table for the terminal.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["network", "sites", "acceleration", "a site", "local", "of product", "memory"]);
    for line in lines {
        table.add_row([
            line.network.clone(),
            line.sites.to_string(),
            number::duration(line.seconds),
            number::duration(line.seconds_a_site()),
            number::percent(line.local),
            line.fraction.map_or_else(|| "–".into(), number::percent),
            number::bytes(line.bytes as f64),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut text = format!("{table}\n");
    if let Some(Growth { network, first, last, spread, bytes_a_site }) = growth(lines) {
        let (percent, bytes) = (number::percent(spread), number::bytes(bytes_a_site));
        text += &format!("From {first} to {last} sites with {network} the time a site differs by {percent}, ");
        text += &format!("and a site takes {bytes}.\n");
    }
    text
}

/// The content of `lattice.json`.
pub(crate) fn document(lines: &[Line]) -> Value {
    let line = |line: &Line| {
        json!({
            "network": line.network,
            "sites": line.sites,
            "seconds": line.seconds,
            "seconds_a_site": line.seconds_a_site(),
            "local": line.local,
            "fraction": line.fraction,
            "bytes": line.bytes,
        })
    };
    let growth = growth(lines).map(|Growth { network, first, last, spread, bytes_a_site }| {
        json!({ "network": network, "first": first, "last": last, "spread": spread, "bytes_a_site": bytes_a_site })
    });
    json!({ "lines": lines.iter().map(line).collect::<Vec<_>>(), "growth": growth })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::criterion::tests::Folder;
    use super::super::rates::ceilings;
    use super::super::rates::tests::{f32s, measurement};
    use super::*;

    const NETWORK: &str = "3x64";

    /// Four lines of 1.0, 0.5, 0.5 and 0.55 µs a site, of which assembly takes 80 %, at ten thousand operations a site.
    pub(crate) fn run() -> Vec<Measurement> {
        let lines = [(100, 1e-4), (1000, 5e-4), (10_000, 5e-3), (100_000, 5.5e-2)];
        let measurement = |what: &str, sites: u64, seconds: f64| {
            let name = format!("{what} {NETWORK}, n = {sites}");
            let elements = 1e4 * sites as f64;
            Measurement { seconds, elements, ..measurement(GROUP, &name, f32s(1), 1.0) }
        };
        let both = |(sites, seconds): (u64, f64)| {
            [measurement("acceleration", sites, seconds), measurement("assembly", sites, 0.8 * seconds)]
        };
        lines.into_iter().flat_map(both).collect()
    }

    /// 250 bytes a site and 4000 more.
    pub(crate) fn memory() -> Vec<Memory> {
        let line = |sites| Memory { network: NETWORK.into(), sites, bytes: 4000 + 250 * sites };
        [100, 1000, 10_000, 100_000].map(line).into()
    }

    #[test]
    fn a_line_has_its_time_a_site_and_what_goes_into_it() {
        let mut run = run();
        run.push(measurement("product", "1024x64x64 forward", f32s(1), 4e10));
        let lines = lines(&run, &ceilings(&run), &memory());
        assert_eq!(lines.iter().map(|line| line.sites).collect::<Vec<_>>(), [100, 1000, 10_000, 100_000]);
        let line = &lines[1];
        let close = |left: f64, right: f64| (left - right).abs() <= 4.0 * f64::EPSILON * right;
        assert!(close(line.seconds_a_site(), 5e-7) && line.bytes == 254_000, "{line:?}");
        // 1e7 operations in half a millisecond are 20 GFLOP/s.
        assert!(close(line.local, 0.8) && close(line.fraction.expect("a product was measured"), 0.5), "{line:?}");
    }

    #[test]
    fn the_growth_is_that_of_the_long_lines_of_one_network() {
        let mut lines = lines(&run(), &[], &memory());
        lines.push(Line { network: "3x400".into(), sites: 2000, seconds: 1.0, ..lines[0].clone() });
        let found = growth(&lines).expect("three long lines");
        assert_eq!((&*found.network, found.first, found.last), (NETWORK, 1000, 100_000));
        assert!((found.spread - 0.1).abs() <= 8.0 * f64::EPSILON, "{}", found.spread);
        assert_eq!(found.bytes_a_site, 250.0, "without the 4000 that every line takes");
        assert_eq!(growth(&lines[..2]), None, "one long line does not grow");
        assert_eq!(growth(&[]), None);
    }

    #[test]
    fn a_line_with_a_part_that_was_not_measured_is_left_out() {
        let run = run();
        for missing in 0..run.len() {
            let mut part = run.clone();
            part.remove(missing);
            assert_eq!(lines(&part, &[], &memory()).len(), 3, "{}", run[missing].name);
        }
        assert_eq!(lines(&run, &[], &memory()[1..]).len(), 3);
        assert!(lines(&run, &[], &[]).is_empty());
    }

    #[test]
    fn the_terminal_shows_each_line_and_the_growth() {
        let text = table(&lines(&run(), &[], &memory()));
        let row = text.lines().find(|line| line.contains("10000 ")).expect("in the table");
        let cells: Vec<&str> = row.trim_matches('│').split('┆').map(str::trim).collect();
        assert_eq!(cells, [NETWORK, "10000", "5.00 ms", "500 ns", "80.0 %", "–", "2.50 MB"]);
        let growth = "From 1000 to 100000 sites with 3x64 the time a site differs by 10.0 %, and a site takes 250 B.";
        assert!(text.contains(growth), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    }

    #[test]
    fn memory_is_read_from_this_runs_file_only() {
        let folder = Folder::new("memory");
        assert_eq!(super::memory(&folder.0, SystemTime::UNIX_EPOCH).expect("no file"), []);
        fs::create_dir_all(folder.0.join(GROUP)).expect("a fresh folder");
        let write = |text: &str| fs::write(folder.0.join(GROUP).join("memory.json"), text).expect("a fresh file");
        write(r#"[{ "network": "3x64", "sites": 100, "bytes": 29000 }]"#);
        assert_eq!(super::memory(&folder.0, SystemTime::UNIX_EPOCH).expect("well-formed"), memory()[..1]);
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        assert_eq!(super::memory(&folder.0, later).expect("an old file"), []);
        for damaged in ["[", "{}", r#"[{ "network": "3x64", "sites": 100 }]"#] {
            write(damaged);
            let message = super::memory(&folder.0, SystemTime::UNIX_EPOCH).expect_err(damaged).to_string();
            assert!(message.contains("memory.json"), "{message}");
        }
    }
}
