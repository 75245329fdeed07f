//! What the bench prints, as the tables take it.

use serde_json::Value;

use super::peers::PeerCase;
use crate::bench::number as shown;
use crate::error::TaskError;

/// A run of `benches/gpu`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Results {
    /// Name, kind, interface and driver.
    pub(crate) adapter: String,
    /// Whether it computes on the processor.
    pub(crate) software: bool,
    /// Whether the sizes are those that show no speed.
    pub(crate) quick: bool,
    pub(crate) ceilings: Ceilings,
    pub(crate) cases: Vec<Case>,
    pub(crate) rollouts: Vec<Rollout>,
    /// None where only some cases were asked for.
    pub(crate) trainings: Option<Trainings>,
    pub(crate) peers: Compared,
}

/// JAX on the same card, or why it was not measured.
pub(crate) type Compared = Result<Vec<PeerCase>, String>;

/// Whole trainings as `lnn experiment` makes them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Trainings {
    pub(crate) paper: Paper,
    pub(crate) fast: Fast,
    pub(crate) ensemble: Ensemble,
}

/// The authors' own training of the double pendulum.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Paper {
    /// The network, and its steps.
    pub(crate) what: String,
    /// Of all its steps.
    pub(crate) steps: f64,
    /// That were timed.
    pub(crate) measured_steps: f64,
    /// Of all its steps: by the rate of those that were timed, if these are fewer.
    pub(crate) seconds: f64,
}

/// The training of preset `fast`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fast {
    pub(crate) steps: f64,
    pub(crate) seconds: f64,
    pub(crate) acceleration_l1: f64,
    /// The paper's acceleration L1.
    pub(crate) accuracy: f64,
    /// Seconds to the first log line with that or less.
    pub(crate) seconds_to_accuracy: Option<f64>,
}

/// Models side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ensemble {
    pub(crate) models: f64,
    /// Models that could learn no more before their last step.
    pub(crate) lost: f64,
    pub(crate) steps: f64,
    /// Of all of them.
    pub(crate) seconds: f64,
    /// The median.
    pub(crate) acceleration_l1: f64,
}

impl Ensemble {
    /// How accurate the models became.
    pub(crate) fn in_words(&self) -> String {
        let Self { models, lost, steps, acceleration_l1, .. } = *self;
        let lost = if lost > 0.0 { format!(", {lost} lost") } else { String::new() };
        let l1 = shown::significant(acceleration_l1);
        format!("{models} models of {steps} steps, median L1 {l1}{lost}")
    }
}

impl Paper {
    /// Its steps, and from how many the time is known.
    pub(crate) fn in_words(&self) -> String {
        let Self { what, steps, measured_steps, .. } = self;
        let by = if measured_steps < steps { format!(", by the rate of {measured_steps}") } else { String::new() };
        format!("{what}{by}")
    }
}

impl Fast {
    /// How accurate it became.
    pub(crate) fn in_words(&self) -> String {
        let Self { steps, acceleration_l1, .. } = *self;
        format!("{steps} steps, acceleration L1 {}", shown::significant(acceleration_l1))
    }
}

/// What the adapter does at best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ceilings {
    /// Operations a second of multiplications and additions in registers.
    pub(crate) multiply_add: f64,
    /// Bytes a second of a copy, read and written ones.
    pub(crate) copy: f64,
    /// Seconds of a dispatch that does nothing.
    pub(crate) empty_dispatch: f64,
}

/// A network and a batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) batch: f64,
    /// Day of the tuning of its tiles; none for those that are taken without one.
    pub(crate) tuned_on: Option<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) kernels: Vec<Kernel>,
}

/// A whole step with one optimiser.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) optimiser: String,
    pub(crate) seconds: f64,
    /// Operations of the layer products a second.
    pub(crate) rate: f64,
}

/// The dispatches of one kernel in a step that do the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kernel {
    pub(crate) name: String,
    pub(crate) what: String,
    pub(crate) dispatches: u64,
    pub(crate) seconds: f64,
    pub(crate) operations: Option<f64>,
    pub(crate) bytes: Option<f64>,
}

/// Steps of many motions side by side.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rollout {
    pub(crate) name: String,
    pub(crate) states: f64,
    /// Day of the tuning of its tiles; none for those that are taken without one.
    pub(crate) tuned_on: Option<String>,
    /// Of a step of all states.
    pub(crate) seconds: f64,
    /// Operations of the layer products a second.
    pub(crate) rate: f64,
}

impl Results {
    /// Of the bench's document.
    ///
    /// # Errors
    /// An entry is missing.
    pub(crate) fn new(report: &Value) -> Result<Self, TaskError> {
        let adapter = &report["adapter"];
        let [name, kind, backend, driver] = ["name", "kind", "backend", "driver"].map(|entry| text(adapter, entry));
        let ceilings = &report["ceilings"];
        Ok(Self {
            adapter: format!("{} ({}, {}, {})", name?, kind?, backend?, driver?),
            software: flag(report, "software")?,
            quick: flag(report, "quick")?,
            ceilings: Ceilings {
                multiply_add: number(ceilings, "multiply_add")?,
                copy: number(ceilings, "copy")?,
                empty_dispatch: number(ceilings, "empty_dispatch")?,
            },
            cases: list(report, "cases", case)?,
            rollouts: list(report, "rollouts", rollout)?,
            trainings: some(report, "trainings", trainings)?,
            peers: compared(&report["peers"])?,
        })
    }

    /// The case of this name, if it was measured.
    pub(crate) fn case(&self, name: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.name == name)
    }
}

impl Kernel {
    /// Operations or bytes a second as a fraction of what the adapter does at best; nothing for a kernel without either.
    pub(crate) fn fraction(&self, ceilings: &Ceilings) -> Option<f64> {
        let of_operations = self.operations.map(|operations| operations / self.seconds / ceilings.multiply_add);
        of_operations.or_else(|| self.bytes.map(|bytes| bytes / self.seconds / ceilings.copy))
    }
}

fn case(value: &Value) -> Result<Case, TaskError> {
    let step = |step: &Value| {
        let (optimiser, seconds) = (text(step, "optimiser")?, number(step, "seconds")?);
        Ok(Step { optimiser, seconds, rate: number(step, "rate")? })
    };
    let kernel = |kernel: &Value| {
        Ok(Kernel {
            name: text(kernel, "kernel")?,
            what: text(kernel, "what")?,
            dispatches: number(kernel, "dispatches")? as u64,
            seconds: number(kernel, "seconds")?,
            operations: kernel["operations"].as_f64(),
            bytes: kernel["bytes"].as_f64(),
        })
    };
    Ok(Case {
        name: text(value, "name")?,
        batch: number(value, "batch")?,
        tuned_on: tuned_on(value),
        steps: list(value, "steps", step)?,
        kernels: list(value, "kernels", kernel)?,
    })
}

fn rollout(value: &Value) -> Result<Rollout, TaskError> {
    Ok(Rollout {
        name: text(value, "name")?,
        states: number(value, "states")?,
        tuned_on: tuned_on(value),
        seconds: number(value, "seconds")?,
        rate: number(value, "rate")?,
    })
}

fn tuned_on(value: &Value) -> Option<String> {
    value["tuned_on"].as_str().map(str::to_owned)
}

/// The comparison with JAX.
pub(super) fn compared(value: &Value) -> Result<Compared, TaskError> {
    match value["left_out"].as_str() {
        Some(why) => Ok(Err(why.to_owned())),
        None => list(value, "cases", PeerCase::read).map(Ok),
    }
}

fn trainings(value: &Value) -> Result<Trainings, TaskError> {
    let (paper, fast, ensemble) = (&value["paper"], &value["fast"], &value["ensemble"]);
    Ok(Trainings {
        paper: Paper {
            what: text(paper, "what")?,
            steps: number(paper, "steps")?,
            measured_steps: number(paper, "measured_steps")?,
            seconds: number(paper, "seconds")?,
        },
        fast: Fast {
            steps: number(fast, "steps")?,
            seconds: number(fast, "seconds")?,
            acceleration_l1: number(fast, "acceleration_l1")?,
            accuracy: number(fast, "accuracy")?,
            seconds_to_accuracy: fast["seconds_to_accuracy"].as_f64(),
        },
        ensemble: Ensemble {
            models: number(ensemble, "models")?,
            lost: number(ensemble, "lost")?,
            steps: number(ensemble, "steps")?,
            seconds: number(ensemble, "seconds")?,
            acceleration_l1: number(ensemble, "acceleration_l1")?,
        },
    })
}

pub(super) fn missing(entry: &str, what: &str) -> TaskError {
    TaskError::Format { origin: "the bench `gpu`".into(), expected: format!("{what} in the entry `{entry}`") }
}

pub(super) fn number(value: &Value, entry: &str) -> Result<f64, TaskError> {
    value[entry].as_f64().ok_or_else(|| missing(entry, "a number"))
}

pub(super) fn text(value: &Value, entry: &str) -> Result<String, TaskError> {
    value[entry].as_str().map(str::to_owned).ok_or_else(|| missing(entry, "a text"))
}

pub(super) fn flag(value: &Value, entry: &str) -> Result<bool, TaskError> {
    value[entry].as_bool().ok_or_else(|| missing(entry, "yes or no"))
}

pub(super) fn list<T>(
    value: &Value,
    entry: &str,
    read: impl Fn(&Value) -> Result<T, TaskError>,
) -> Result<Vec<T>, TaskError> {
    value[entry].as_array().ok_or_else(|| missing(entry, "a list"))?.iter().map(read).collect()
}

/// An entry that may be `null`, but not absent.
fn some<T>(value: &Value, entry: &str, read: impl Fn(&Value) -> Result<T, TaskError>) -> Result<Option<T>, TaskError> {
    match value.get(entry) {
        None => Err(missing(entry, "an object or null")),
        Some(Value::Null) => Ok(None),
        Some(value) => read(value).map(Some),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A card of 60 TFLOP/s and 2 TB/s, on which a step takes 4 ms.
    pub(crate) fn report() -> Value {
        let product = |kernel: &str, what: &str, dispatches: u64, seconds: f64, operations: f64| {
            json!({ "kernel": kernel, "what": what, "dispatches": dispatches, "seconds": seconds,
                "operations": operations, "operations_a_second": operations / seconds,
                "bytes": null, "bytes_a_second": null })
        };
        let memory = |kernel: &str, what: &str, seconds: f64, bytes: Option<f64>| {
            json!({ "kernel": kernel, "what": what, "dispatches": 1, "seconds": seconds, "operations": null,
                "operations_a_second": null, "bytes": bytes, "bytes_a_second": bytes.map(|bytes| bytes / seconds) })
        };
        json!({
            "adapter": { "name": "Some Card", "kind": "discrete", "backend": "vulkan", "driver": "driver 1.0" },
            "software": false,
            "quick": false,
            "rounds": 15,
            "ceilings": { "multiply_add": 60e12, "copy": 2e12, "empty_dispatch": 2e-6 },
            "cases": [{
                "name": "4×500, batch 4096",
                "width": 500, "layers": 4, "batch": 4096, "coordinates": 2, "engine": "tiled",
                "parameters": 755_501, "operations": 80e9, "kernel_seconds": 4.2e-3, "refresh_every": 10, "tuned_on": "2026-01-01",
                "steps": [
                    { "optimiser": "Adam", "seconds": 4e-3, "rate": 20e12 },
                    { "optimiser": "SOAP", "seconds": 5e-3, "rate": 16e12 },
                ],
                "kernels": [
                    product("layer_forward", "6→500", 1, 2e-5, 1e8),
                    product("layer_forward", "500→500", 3, 6e-4, 24e9),
                    product("functional_reverse", "500→500", 3, 7e-4, 15e9),
                    product("weight_gradient", "500→500", 3, 1e-3, 25e9),
                    memory("hessian_contract", "500 wide", 25e-6, Some(45e6)),
                    memory("loss_total", "", 5e-6, Some(16_384.0)),
                    memory("clip_decide", "", 3e-6, None),
                    memory("adam", "", 15e-6, Some(21e6)),
                ],
            }],
            "rollouts": [
                { "name": "RK4 step 3×64, 65536 states", "width": 64, "layers": 3, "states": 65_536, "coordinates": 2, "engine": "narrow",
                    "tuned_on": null, "operations": 24e9, "steps_a_timing": 100, "seconds": 1e-3, "state_steps_a_second": 65.536e6, "rate": 24e12 },
                { "name": "RK4 step 4×500, 1024 states", "width": 500, "layers": 4, "states": 1024, "coordinates": 2, "engine": "tiled",
                    "tuned_on": "2026-01-01", "operations": 32e9, "steps_a_timing": 50, "seconds": 2e-3, "state_steps_a_second": 512e3, "rate": 16e12 },
            ],
            "trainings": {
                "paper": { "what": "3×600, 600000 steps of 512", "steps": 600_000, "measured_steps": 3000, "measured_seconds": 2.0, "checkpoint_seconds": 0.05,
                    "seconds": 400.0, "acceleration_l1": null },
                "fast": { "steps": 20_000, "seconds": 4.5, "acceleration_l1": 0.0225, "accuracy": 0.073,
                    "seconds_to_accuracy": 1.5 },
                "ensemble": { "models": 64, "lost": 1, "steps": 20_000, "seconds": 59.0, "acceleration_l1": 0.0225 },
            },
            "peers": { "python": "python3", "versions": { "jax": "0.9", "lnn": "0.1.0" }, "device": "cuda:0 (Some Card)",
                "rounds": 3, "cases": [
                { "name": "training step 4×500, batch 4096", "work": "step", "precision": "highest", "jax": 10e-3, "ours": 4e-3 },
                { "name": "training step 3×64, batch 512", "work": "step", "precision": "highest", "jax": 0.4e-3, "ours": 0.1e-3 },
                { "name": "training step 4×500, batch 4096", "work": "step", "precision": "default", "jax": 3.2e-3, "ours": 4e-3 },
                { "name": "training step 3×64, batch 512", "work": "step", "precision": "default", "jax": 0.4e-3, "ours": 0.1e-3 },
                { "name": "RK4 step 3×64, 1024 states", "work": "rollout", "precision": "highest", "jax": 60e-6, "ours": 50e-6 },
                { "name": "RK4 step 3×64, 1024 states", "work": "rollout", "precision": "default", "jax": 30e-6, "ours": 50e-6 },
            ] },
        })
    }

    pub(crate) fn results() -> Results {
        Results::new(&report()).expect("all entries are there")
    }

    #[test]
    fn fractions_are_those_of_the_ceiling_for_the_kind_of_work() {
        let results = results();
        let fraction = |place: usize| results.cases[0].kernels[place].fraction(&results.ceilings);
        let close = |left: Option<f64>, right: f64| left.is_some_and(|left| (left - right).abs() < 4.0 * f64::EPSILON);
        // 24e9 operations in 0.6 ms are 40 TFLOP/s; 45 MB in 25 µs are 1.8 TB/s.
        assert!(close(fraction(1), 40.0 / 60.0) && close(fraction(4), 0.9));
        assert_eq!(fraction(6), None);
    }

    #[test]
    fn a_missing_entry_is_named() {
        for (pointer, entry) in [
            ("/ceilings", "copy"),
            ("", "software"),
            ("/cases/0", "kernels"),
            ("/cases/0/steps/1", "rate"),
            ("", "rollouts"),
            ("/rollouts/1", "seconds"),
            ("/rollouts/0", "rate"),
            ("/adapter", "driver"),
            ("", "trainings"),
            ("/trainings/ensemble", "lost"),
            ("/trainings/paper", "seconds"),
            ("/trainings/fast", "acceleration_l1"),
            ("/peers", "cases"),
            ("/peers/cases/1", "ours"),
            ("/peers/cases/0", "work"),
        ] {
            let mut damaged = report();
            let parent = damaged.pointer_mut(pointer).and_then(Value::as_object_mut).expect("an object");
            assert!(parent.remove(entry).is_some(), "{pointer}");
            let message = Results::new(&damaged).expect_err(entry).to_string();
            assert!(message.contains(&format!("`{entry}`")), "{message}");
        }
    }
}
