//! The program's exit codes, all of them.

/// Something could not be done; standard error says what.
pub(super) const FAILURE: u8 = 1;
/// Done, and some of what was asked for ended early; what was reached is kept.
pub(super) const IN_PART: u8 = 3;
/// Stopped by Ctrl-C or a request to terminate, as shells number it.
pub(super) const INTERRUPTED: u8 = 130;

/// The codes in words, 2 being that of the argument parser.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed (standard error says why), 2 wrong usage, 3 done in part \
     (some motions of a rollout ended early; what they reached is kept), 130 interrupted.";
