//! A run's events as JSON, one object a line, for programs.

use lnn_train::experiment::Event;
use lnn_train::store::RunState;
use serde_json::{Value, json};

/// The object for an event, or `None` for one that says nothing new; `model` is the one in training.
///
/// Every object has `event`, the name of what happened; `docs/command-line.md` lists them. Training speaks at the log
/// lines of `metrics.jsonl` and not between them, so that the lines do not depend on the machine's speed.
pub(super) fn event_line(event: &Event<'_>, model: &str) -> Option<Value> {
    Some(match event {
        Event::Started { folder, backend, device, reason, threads, state } => json!({
            "event": "started", "folder": folder, "backend": backend, "device": device, "reason": reason,
            "threads": threads, "state": state_name(*state),
        }),
        Event::Notice(text) => json!({ "event": "notice", "text": text }),
        Event::Planned { model, tiles } => json!({ "event": "planned", "model": model, "tiles": tiles }),
        Event::Training { model, seeds, parameters, from_step, steps } => {
            let mut line = json!({
                "event": "training", "model": model, "parameters": parameters, "from_step": from_step, "steps": steps,
            });
            if !seeds.is_empty() {
                line["seeds"] = json!(seeds);
            }
            line
        }
        Event::IdleThreads { model, used, threads } => json!({
            "event": "idle_threads", "model": model, "used": used, "threads": threads,
        }),
        Event::Progress(progress) if !progress.logged => return None,
        Event::Progress(progress) => json!({
            "event": "progress", "model": model, "step": progress.step, "loss": progress.loss,
            "learning_rate": progress.learning_rate, "steps_per_second": progress.steps_per_second,
            "acceleration_l1": progress.acceleration_l1, "held_out_error": progress.held_out_error,
        }),
        Event::Trained(result) => json!({
            "event": "trained", "model": model, "steps": result.steps, "train_seconds": result.train_seconds,
            "skipped_steps": result.skipped_steps, "interrupted": result.interrupted,
        }),
        Event::Judging { model } => json!({ "event": "judging", "model": model }),
        Event::Reporting => json!({ "event": "reporting" }),
    })
}

/// How far a folder's run had come, as the lines spell it.
pub(super) fn state_name(state: RunState) -> &'static str {
    match state {
        RunState::New => "new",
        RunState::Unfinished => "unfinished",
        RunState::Finished => "finished",
    }
}
