//! Members of an ensemble at one step again after a kill between their saves.

use std::path::Path;

use super::{Operation, Slot, checkpoint_path, examine, load_checkpoint, previous_checkpoint_path};
use crate::store::StoreError;

/// Takes the members of an ensemble that are trained together back to one step, where the process was killed between their
/// saves: those that have gone further return to the checkpoint before their latest, if it is of the step of the others.
///
/// # Errors
/// As [`load_checkpoint`], and [`StoreError::Write`].
pub fn align_checkpoints(folder: &Path, members: &[String]) -> Result<(), StoreError> {
    let mut latest = Vec::new();
    for member in members {
        match load_checkpoint(folder, member)? {
            Some(found) if found.checkpoint.record.lost.is_some() => {}
            Some(found) => latest.push((member, found.checkpoint.record.step)),
            // Its training has not begun, or not come to its first checkpoint: there is nothing to return to.
            None => return Ok(()),
        }
    }
    let Some(step) = latest.iter().map(|&(_, step)| step).min() else { return Ok(()) };
    for (member, _) in latest.into_iter().filter(|&(_, own)| own > step) {
        let (current, previous) = (checkpoint_path(folder, member), previous_checkpoint_path(folder, member));
        if let Slot::Usable(checkpoint) = examine(&previous, member)?
            && checkpoint.record.step == step
        {
            Operation::Rename { from: previous, to: current }.perform()?;
            Operation::SyncFolder { path: folder.to_owned() }.perform()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::save_checkpoint;
    use super::super::tests::checkpoint;
    use super::*;

    #[test]
    fn members_that_a_kill_left_at_two_steps_go_back_to_the_earlier_one() {
        let place = tempfile::tempdir().expect("temporary folder");
        let save = |member: &str, step: u64, lost: bool| {
            let mut checkpoint = checkpoint(step);
            checkpoint.record.model = member.to_owned();
            checkpoint.record.lost = lost.then(|| "it learns nothing".to_owned());
            save_checkpoint(place.path(), &checkpoint).expect("writable");
        };
        let steps = |members: &[String]| -> Vec<u64> {
            let latest = |member| load_checkpoint(place.path(), member).expect("readable").expect("saved");
            members.iter().map(|member| latest(member).checkpoint.record.step).collect()
        };
        let members = ["a", "b", "c"].map(String::from);
        for step in [10, 20] {
            members.iter().for_each(|member| save(member, step, false));
        }
        // Killed after the first member's next save; the last one was lost before.
        save("a", 30, false);
        save("c", 12, true);
        align_checkpoints(place.path(), &members).expect("readable");
        assert_eq!(steps(&members), [20, 20, 12]);
        align_checkpoints(place.path(), &members).expect("nothing to do");
        assert_eq!(steps(&members), [20, 20, 12]);
        // Trained one after the other: the one that has ended keeps what it has.
        save("a", 90, false);
        save("a", 100, false);
        align_checkpoints(place.path(), &members).expect("readable");
        assert_eq!(steps(&members), [100, 20, 12]);
        align_checkpoints(place.path(), &["a", "nobody"].map(String::from)).expect("one has not begun");
        assert_eq!(steps(&members), [100, 20, 12]);
    }
}
