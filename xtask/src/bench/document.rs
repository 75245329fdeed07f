//! `docs/benchmarks/*.json` and the page made from them, `docs/benchmarks.md`.

use std::fs;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use super::number;
use crate::error::TaskError;

/// The templates by name: the page, then a part for each data file.
const TEMPLATES: [(&str, &str); 6] = [
    ("benchmarks.md", include_str!("../../templates/benchmarks.md")),
    ("cpu.md", include_str!("../../templates/cpu.md")),
    ("roofline.md", include_str!("../../templates/roofline.md")),
    ("lattice.md", include_str!("../../templates/lattice.md")),
    ("peers.md", include_str!("../../templates/peers.md")),
    ("gpu.md", include_str!("../../templates/gpu.md")),
];

/// Writes `docs/benchmarks/<name>.json` under `root`, then `docs/benchmarks.md` anew from all data files
/// there.
pub(crate) fn save(root: &Path, name: &str, value: &Value) -> Result<(), TaskError> {
    let folder = root.join("docs/benchmarks");
    fs::create_dir_all(&folder).map_err(|source| TaskError::Write { path: folder.clone(), source })?;
    let mut text = String::new();
    write_json(value, 0, &mut text);
    text.push('\n');
    replace(&folder.join(format!("{name}.json")), &text)?;
    replace(&root.join("docs/benchmarks.md"), &render(&data(&folder)?)?)
}

/// Appends JSON to `text` with an entry a line, but a list of plain values in one line: a list of timings would
/// fill pages otherwise.
fn write_json(value: &Value, depth: usize, text: &mut String) {
    let nested = |entry: &Value| entry.is_object() || entry.is_array();
    let (open, entries, close): (_, Vec<(Option<&String>, &Value)>, _) = match value {
        Value::Object(map) => ('{', map.iter().map(|(key, entry)| (Some(key), entry)).collect(), '}'),
        Value::Array(list) if list.iter().any(nested) => ('[', list.iter().map(|entry| (None, entry)).collect(), ']'),
        plain => return text.push_str(&plain.to_string()),
    };
    let line = |depth: usize, text: &mut String| text.extend(["\n", &"  ".repeat(depth)]);
    text.push(open);
    for (index, (key, entry)) in entries.iter().enumerate() {
        text.push_str(if index > 0 { "," } else { "" });
        line(depth + 1, text);
        if let Some(key) = key {
            text.extend([&Value::from(key.as_str()).to_string(), ": "]);
        }
        write_json(entry, depth + 1, text);
    }
    line(depth, text);
    text.push(close);
}

/// The page over `context`, the data by the name of their file; a part without data is left out.
pub(crate) fn render(context: &Map<String, Value>) -> Result<String, TaskError> {
    let failure = |error: minijinja::Error| TaskError::Format {
        origin: format!("xtask/templates/{}", error.name().unwrap_or("benchmarks.md")),
        expected: format!("a template that fits the data in docs/benchmarks ({error:#})"),
    };
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(failure)?);
    environment.add_filter("significant", number::significant);
    environment.add_filter("duration", number::duration);
    environment.add_filter("rate", |value: f64, unit: &str| number::rate(value, unit));
    environment.add_filter("percent", number::percent);
    environment.add_filter("bytes", number::bytes);
    for (name, source) in TEMPLATES {
        environment.add_template(name, source).map_err(failure)?;
    }
    environment.get_template("benchmarks.md").and_then(|page| page.render(Serde(context))).map_err(failure)
}

/// Every `<name>.json` of the folder, by its name.
fn data(folder: &Path) -> Result<Map<String, Value>, TaskError> {
    let read = |path: &Path, source| TaskError::Read { path: path.to_path_buf(), source };
    let mut data = Map::new();
    for entry in fs::read_dir(folder).map_err(|source| read(folder, source))? {
        let path = entry.map_err(|source| read(folder, source))?.path();
        let Some(name) = path.file_stem().filter(|_| path.extension().is_some_and(|kind| kind == "json")) else {
            continue;
        };
        let text = fs::read_to_string(&path).map_err(|source| read(&path, source))?;
        let value = serde_json::from_str(&text).map_err(|error| TaskError::Format {
            origin: path.display().to_string(),
            expected: format!("JSON ({error}); remove the file or measure again with `--save`"),
        })?;
        data.insert(name.to_string_lossy().into_owned(), value);
    }
    Ok(data)
}

/// Writes a file under another name and renames it, so that no reader sees half of it.
fn replace(path: &Path, text: &str) -> Result<(), TaskError> {
    let temporary: PathBuf = path.with_extension("new");
    fs::write(&temporary, text)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(|source| TaskError::Write { path: path.to_path_buf(), source })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::criterion::Unit;
    use super::super::criterion::tests::Folder;
    use super::super::gpu::tests::{report as gpu_report, targets as gpu_targets};
    use super::super::rates::tests::measurement;
    use super::super::{lattice, rates, roofline};
    use super::*;

    /// The data of `run`, as `bench cpu` saves it, on a machine that does not exist.
    fn sample() -> Map<String, Value> {
        let mut run = roofline::tests::run();
        run.push(measurement("generic", "tape of duals, 4 variables", Unit::Other("Hessians".into()), 2e6));
        run.extend(lattice::tests::run());
        let ceilings = rates::ceilings(&run);
        let machine = json!({ "processor": "Some CPU", "threads": 2, "system": "linux x86_64",
            "rustc": "rustc 1.89.0", "revision": "abc1234", "date": "2025-01-31" });
        let with_origin = |mut value: Value| {
            value["machine"] = machine.clone();
            value["command"] = json!("cargo xtask bench cpu --save");
            value
        };
        let steps = roofline::steps(&run, &ceilings);
        let lines = lattice::lines(&run, &ceilings, &lattice::tests::memory());
        Map::from_iter([
            ("cpu".to_owned(), with_origin(rates::document(&run, &ceilings))),
            ("roofline".to_owned(), with_origin(roofline::document(&steps))),
            ("lattice".to_owned(), with_origin(lattice::document(&lines))),
        ])
    }

    #[test]
    fn the_page_has_the_figures_of_the_data() {
        let page = render(&sample()).expect("the templates fit the data");
        assert_eq!(page, include_str!("golden.md"), "the page is\n{page}");
    }

    #[test]
    fn lists_of_plain_values_take_one_line() {
        let value = json!({ "a \"b\"": [1.5, 2, null, "x"], "c": [], "d": [{ "e": [0.1] }, [1, 2]] });
        let mut text = String::new();
        write_json(&value, 0, &mut text);
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), value);
        assert!(text.contains("\"a \\\"b\\\"\": [1.5,2,null,\"x\"],\n"), "{text}");
        assert!(text.contains("    {\n      \"e\": [0.1]\n    },\n    [1,2]\n"), "{text}");
    }

    #[test]
    fn parts_without_data_are_left_out() {
        let mut data = sample();
        data.remove("roofline");
        data.remove("lattice");
        let page = render(&data).expect("one part is enough");
        assert!(page.contains("## Parts of the engine") && !page.contains("## Where the time"), "{page}");
        assert!(!page.contains("## Fields"), "{page}");
        let page = render(&Map::new()).expect("no part is enough");
        assert!(page.contains("# Benchmarks") && page.matches("\n## ").count() == 1, "{page}");
        assert!(page.contains("## Graphics cards\n\nStill to be measured"), "{page}");
    }

    #[test]
    fn a_card_s_figures_stand_in_the_place_of_what_is_to_be_measured() {
        let mut report = gpu_report();
        report["targets"] = gpu_targets(&report);
        report["machine"] = json!({ "system": "linux x86_64", "rustc": null, "revision": null, "date": "2025-01-31" });
        report["command"] = json!("cargo xtask bench gpu --save");
        let page = render(&Map::from_iter([("gpu".to_owned(), report)])).expect("the template fits the data");
        for told in [
            "Some Card (discrete, vulkan, driver 1.0); linux x86_64; an unknown compiler; 2025-01-31; no revision;",
            "| multiplications and additions in registers | 60.0 TFLOP/s |",
            "| 4×500, batch 4096 | Adam | 4.00 ms | 1.02 M/s | 20.0 TFLOP/s | 33.3 % |",
            "| `layer_forward` | 500→500 | 3 | 600 µs | 40.0 TFLOP/s | 66.7 % |",
            "| `adam` |  | 1 | 15.0 µs | 1.40 TB/s | 70.0 % |",
            "| `clip_decide` |  | 1 | 3.00 µs | – | – |",
            "| RK4 step 3×64, 65536 states | default | 1.00 ms | 65.5 M/s | 24.0 TFLOP/s | 40.0 % |",
            "| RK4 step 4×500, 1024 states | tuned on 2026-01-01 | 2.00 ms | 512 k/s | 16.0 TFLOP/s | 26.7 % |",
            "- whole step, Adam, 4×500, batch 4096: 20.0 TFLOP/s; must 18.0 TFLOP/s, goal 28.0 TFLOP/s; reached: must.",
            "Tiles tuned for this adapter on 2026-01-01.",
            "- The authors' notebook, 3×600, 600000 steps of 512: 400 s, by the rate of 3000 steps.",
            "- Preset `fast`: 4.50 s for 20000 steps, to an acceleration L1 of 0.0225; 1.50 s to the paper's 0.073 or below.",
            "| training step 3×64, batch 512 | highest | 400 µs | 100 µs | 4.00× |",
            "| RK4 step 3×64, 1024 states | default | 30.0 µs | 50.0 µs | 0.600× |",
            "- 64 models of preset `fast` side by side, 20000 steps of each: 59.0 s, to a median acceleration L1 of 0.0225; 1 of them",
            "- fast, to an L1 ≤ 0.0345, 20000 steps, acceleration L1 0.0225: 4.50 s; must 5.00 s, goal 5.00 s; reached: goal.",
            "0.0225, 1 lost: 59.0 s, but 1 lost; must 60.0 s, goal 60.0 s; reached: no.",
        ] {
            assert!(page.contains(told), "{told}\nis not in\n{page}");
        }
        assert!(!page.contains("Still to be measured"), "{page}");
        assert!(!page.contains("\n\n\n"), "{page}");
    }

    #[test]
    fn what_a_run_on_a_card_left_out_is_not_shown() {
        let mut report = gpu_report();
        report["trainings"] = Value::Null;
        report["peers"] = json!({ "left_out": "no JAX there" });
        report["targets"] = gpu_targets(&report);
        report["machine"] = json!({ "system": "linux x86_64", "rustc": null, "revision": null, "date": "2025-01-31" });
        report["command"] = json!("cargo xtask bench gpu --save");
        let page = render(&Map::from_iter([("gpu".to_owned(), report)])).expect("the template fits the data");
        assert!(!page.contains("notebook, 3×600, 600000") && !page.contains("### JAX"), "{page}");
        assert!(page.contains("still to be measured: no JAX there.") && !page.contains("\n\n\n"), "{page}");
    }

    #[test]
    fn data_that_lack_an_entry_are_refused_by_the_templates_name() {
        let mut data = sample();
        data["cpu"]["groups"][2]["rows"][0].as_object_mut().expect("a row").remove("seconds");
        let message = render(&data).expect_err("no time to show").to_string();
        assert!(message.contains("cpu.md"), "{message}");
    }

    #[test]
    fn saving_writes_the_data_and_a_page_from_all_that_is_there() {
        let folder = Folder::new("document");
        let data = sample();
        save(&folder.0, "cpu", &data["cpu"]).expect("a fresh folder");
        let page = |root: &Path| fs::read_to_string(root.join("docs/benchmarks.md")).expect("just written");
        assert!(!page(&folder.0).contains("## Where the time"));
        save(&folder.0, "lattice", &data["lattice"]).expect("the same folder");
        save(&folder.0, "roofline", &data["roofline"]).expect("the same folder");
        assert_eq!(page(&folder.0), render(&data).expect("the templates fit the data"));
        let text = fs::read_to_string(folder.0.join("docs/benchmarks/cpu.json")).expect("just written");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), data["cpu"]);
        fs::write(folder.0.join("docs/benchmarks/cpu.json"), "{").expect("the folder can be written");
        let message = save(&folder.0, "roofline", &data["roofline"]).expect_err("damaged data").to_string();
        assert!(message.contains("cpu.json") && message.contains("--save"), "{message}");
    }
}
