//! What can go wrong between the host and a graphics card.

use std::fmt::Write as _;

use super::adapter::AdapterSummary;

/// Why a device could not be opened, or could not do what it was asked for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No adapter at all.
    #[error(
        "no graphics adapter was found (looked for {backends}); install the graphics card's driver, or to compute in \
         software Mesa's Vulkan driver (Debian, Ubuntu: `apt install mesa-vulkan-drivers`; Fedora: `dnf install \
         mesa-vulkan-drivers`)"
    )]
    NoAdapter {
        /// The programming interfaces that were tried.
        backends: String,
    },
    /// No adapter has the name or kind that was asked for.
    #[error("no graphics adapter fits `{wanted}`; there {}", listed(.present))]
    NoSuchAdapter {
        /// What was asked for.
        wanted: String,
        /// All adapters.
        present: Vec<AdapterSummary>,
    },
    /// The driver refused to open the adapter.
    #[error("{adapter} cannot be opened: {message}; update its driver, or choose another adapter")]
    Refused {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        message: String,
    },
    /// The adapter is too small.
    #[error(
        "{what} needs {limit} of {needed}, but {adapter} offers {offered}; use a smaller batch or network, or another adapter"
    )]
    Limit {
        /// What was to be done.
        what: String,
        /// The limit's name.
        limit: &'static str,
        /// What was needed.
        needed: u64,
        /// What the adapter has.
        offered: u64,
        /// The adapter's name.
        adapter: String,
    },
    /// The adapter cannot do something that was asked for.
    #[error("{what} needs {feature}, which {adapter} does not have; {remedy}")]
    Feature {
        /// What was to be done.
        what: String,
        /// What it needs.
        feature: &'static str,
        /// The adapter's name.
        adapter: String,
        /// What to do.
        remedy: &'static str,
    },
    /// No kernel was made for what was asked for.
    #[error("there is no kernel {kernel} for {wanted}; there is one for {offered}; compute on the CPU")]
    NoKernel {
        /// The kernel's name.
        kernel: &'static str,
        /// What was wanted.
        wanted: String,
        /// What there is.
        offered: &'static str,
    },
    /// No variant of a kernel has the tile that was chosen.
    #[error("there is no kernel {kernel} in tiles of {tile}; there are those of {offered}; choose one, or none")]
    NoTile {
        /// The kernel's name.
        kernel: &'static str,
        /// What was chosen.
        tile: String,
        /// All there are.
        offered: String,
    },
    /// The device stopped working.
    #[error("{adapter} was lost: {reason}; nothing computed since the last download can be trusted")]
    Lost {
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// There is not enough memory on the device.
    #[error("{adapter} has no memory left for {what} ({bytes} bytes); use a smaller batch or network")]
    OutOfMemory {
        /// The adapter's name.
        adapter: String,
        /// What was to be allocated.
        what: String,
        /// Its size; 0 if only the driver knows.
        bytes: u64,
    },
    /// A kernel could not be compiled for the device.
    #[error(
        "kernel {kernel} does not compile on {adapter}: {message}; update the graphics driver, or report it with this message"
    )]
    Pipeline {
        /// The kernel's name.
        kernel: String,
        /// The adapter's name.
        adapter: String,
        /// What the driver said.
        message: String,
    },
    /// The device was used wrongly; the kernels' validation found it.
    #[error("{adapter} refused a command: {message}; this is a fault of the program, please report it")]
    Refusal {
        /// The adapter's name.
        adapter: String,
        /// What was wrong.
        message: String,
    },
    /// The device did not answer in time.
    #[error(
        "{what} did not end within {seconds} s on {adapter}; allow more time if it is only slow, or restart the driver"
    )]
    TimedOut {
        /// What was waited for.
        what: String,
        /// The time limit.
        seconds: f64,
        /// The adapter's name.
        adapter: String,
    },
}

fn listed(present: &[AdapterSummary]) -> String {
    let mut text = if present.len() == 1 { "is" } else { "are" }.to_owned();
    for (index, adapter) in present.iter().enumerate() {
        let _ = write!(text, "{} {adapter}", if index == 0 { "" } else { "," });
    }
    text
}
