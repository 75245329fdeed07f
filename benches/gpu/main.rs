//! Rates of the kernels, of whole training steps, of rollouts and of whole trainings on a graphics adapter, as JSON on standard
//! output.
//!
//! `cargo xtask bench gpu` runs it and shows the tables. It is no criterion benchmark: the device's own clock times each kernel of a
//! step, in the order and the state of the caches in which a training has it, and the wall clock whole steps, many in one
//! submission. What is timed is repeated, and the medians are given.

mod asked;
mod case;
mod ceilings;
mod options;
mod peer;
// A lattice has entries in the recipe that neither a step nor a rollout has a use for.
#[allow(dead_code)]
#[path = "../peers/recipe.rs"]
mod recipe;
mod rollout;
mod step;
mod timing;
mod trainings;
mod tune;
mod work;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use lnn::train::backend::Card;
use lnn::train::backend::cache::CacheFolder;
use lnn_gpu::device::{AdapterKind, AdapterSummary};
use serde_json::{Value, json};

use options::Options;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(text) => match writeln!(std::io::stdout(), "{text}") {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What goes to standard output.
fn run(options: &Options) -> Result<String, Box<dyn Error>> {
    let Options { quick, tune, whole, .. } = *options;
    if options.help {
        return Ok(options::PURPOSE.to_owned());
    }
    if let Some(work) = &options.peer {
        return Ok(peer::run(work, &options.adapter)?.to_string());
    }
    if options.names_adapter {
        let card = Card::open(&options.adapter, None)?;
        return Ok(identity(card.device().adapter()).to_string());
    }
    let (cases, rollouts) = if tune { (Vec::new(), Vec::new()) } else { asked::cases(quick, &options.filters)? };
    let shapes = if tune { tune::shapes(quick, &options.shapes, &options.filters)? } else { Vec::new() };
    let mut card = Card::open(&options.adapter, CacheFolder::of_user())?;
    let adapter = card.device().adapter().clone();
    if is_software(&adapter) && !quick {
        let message = format!(
            "{adapter} computes in software on the processor, where these sizes take far too long and the times say \
             nothing of a graphics card: add `--quick`, or choose another adapter with `--adapter`"
        );
        return Err(message.into());
    }
    eprintln!("graphics adapter: {adapter}");
    card.notices().iter().for_each(|notice| eprintln!("note: {notice}"));
    let rounds = if quick { 3 } else { 15 };
    let mut document = identity(&adapter);
    document["quick"] = quick.into();
    document["rounds"] = rounds.into();
    if tune {
        // Tiny sizes that nobody named are nobody's.
        let keep = !quick || !options.shapes.is_empty();
        document["tuning"] = tune::run(&mut card, &shapes, rounds, keep)?;
        return Ok(document.to_string());
    }
    eprintln!("ceilings");
    document["ceilings"] = ceilings::measure(card.device(), quick, rounds)?;
    let mut measured = Vec::with_capacity(cases.len());
    for case in &cases {
        eprintln!("{}", case.name());
        measured.push(case::measure(&card, case, rounds, quick)?);
    }
    document["cases"] = measured.into();
    let mut measured = Vec::with_capacity(rollouts.len());
    for rollout in &rollouts {
        eprintln!("{}", rollout.name());
        measured.push(rollout::measure(&card, rollout, rounds, quick)?);
    }
    document["rollouts"] = measured.into();
    // Some cases alone are no whole run.
    document["trainings"] = if options.filters.is_empty() || whole {
        trainings::measure(&card, quick, whole)?
    } else {
        eprintln!("whole trainings are left out, since only some cases were asked for; --whole makes them");
        Value::Null
    };
    Ok(document.to_string())
}

/// What computes, and whether that is the processor.
fn identity(adapter: &AdapterSummary) -> Value {
    json!({
        "adapter": {
            "name": adapter.name,
            "kind": adapter.kind.name(),
            "backend": adapter.backend,
            "driver": adapter.driver,
        },
        "software": is_software(adapter),
    })
}

fn is_software(adapter: &AdapterSummary) -> bool {
    adapter.kind == AdapterKind::Cpu
}

/// As JSON, `null` where there is none.
fn count(number: Option<f64>) -> Value {
    number.map_or(Value::Null, Value::from)
}
