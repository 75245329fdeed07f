//! Rates of the kernels and of whole training steps on a graphics adapter, as JSON on standard output.
//!
//! `cargo xtask bench gpu` runs it and shows the tables. It is no criterion benchmark: the device's own clock times what the
//! device does, without submission and readback, and all kernels of a step in the order and the state of the caches in
//! which a training has them. What is timed is repeated, and the medians are given.

mod case;
mod ceilings;
mod step;
mod timing;
mod work;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use lnn_gpu::device::{AdapterChoice, AdapterKind, Device, DeviceOptions};
use serde_json::{Value, json};

const PURPOSE: &str = "\
`gpu` is started by `cargo xtask bench gpu`, which shows its figures as tables. By itself it prints one JSON document:

  gpu [--adapter NAME] [--quick] [FILTER…]

  --adapter NAME   best, discrete, integrated, virtual, cpu, or a part of an adapter's name
  --quick          tiny sizes, few rounds: to see that all runs, not how fast
  FILTER…          only cases with all of these words in their names; × may be written x
";

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The command line.
#[derive(Debug, Default)]
struct Options {
    help: bool,
    adapter: AdapterChoice,
    quick: bool,
    filters: Vec<String>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut options = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--help" | "-h" => options.help = true,
                // Cargo adds it to whatever is a bench.
                "--bench" => {}
                "--quick" => options.quick = true,
                "--adapter" => {
                    let name = arguments.next_if(|next| !next.starts_with("--"));
                    let name =
                        name.ok_or("`--adapter` takes `best`, a kind such as `discrete`, or a part of a name")?;
                    options.adapter = name.parse()?;
                }
                option if option.starts_with('-') => {
                    return Err(format!("there is no option `{option}`; `--help` lists those that are").into());
                }
                _ => options.filters.push(argument),
            }
        }
        Ok(options)
    }
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut stdout = std::io::stdout().lock();
    if options.help {
        return Ok(stdout.write_all(PURPOSE.as_bytes())?);
    }
    let cases = case::matching(options.quick, &options.filters)?;
    let device = Device::open(&DeviceOptions { adapter: options.adapter.clone(), ..DeviceOptions::default() })?;
    let adapter = device.adapter();
    let software = adapter.kind == AdapterKind::Cpu;
    if software && !options.quick {
        let message = format!(
            "{adapter} computes in software on the processor, where these sizes take far too long and the times say \
             nothing of a graphics card: add `--quick`, or choose another adapter with `--adapter`"
        );
        return Err(message.into());
    }
    eprintln!("graphics adapter: {adapter}");
    let rounds = if options.quick { 3 } else { 15 };
    eprintln!("ceilings");
    let ceilings = ceilings::measure(&device, options.quick, rounds)?;
    let mut measured = Vec::with_capacity(cases.len());
    for case in &cases {
        eprintln!("{}", case.name());
        measured.push(case::measure(&device, case, rounds, options.quick)?);
    }
    let document = json!({
        "adapter": {
            "name": adapter.name,
            "kind": adapter.kind.name(),
            "backend": adapter.backend,
            "driver": adapter.driver,
        },
        "software": software,
        "quick": options.quick,
        "rounds": rounds,
        "ceilings": ceilings,
        "cases": measured,
    });
    Ok(writeln!(stdout, "{document}")?)
}

/// As JSON, `null` where there is none.
fn count(number: Option<f64>) -> Value {
    number.map_or(Value::Null, Value::from)
}
