//! A driver for the tests of kernels: the machine's own, or Mesa's in software, installed if that can be done unasked.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a test program writes once, before the adapter that it runs its kernels on.
pub(super) const ADAPTER: &str = "graphics adapter: ";

/// The packages of Debian and its relatives.
const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];

/// Nothing if there is a driver or one was installed; else why not, and what to do. The tests of kernels then fail.
pub(super) fn ensure_driver() -> Option<String> {
    // Metal and Direct3D 12 come with their systems.
    if !cfg!(target_os = "linux") || has_driver(&manifest_folders()) {
        return None;
    }
    let remedy = "install one (Debian, Ubuntu: `sudo apt install mesa-vulkan-drivers libvulkan1`; Fedora: `sudo dnf install \
                  mesa-vulkan-drivers vulkan-loader`)";
    let missing = |why: &str| Some(format!("no Vulkan driver for the tests of kernels, and {why}: {remedy}"));
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return missing("there is no apt-get to install one");
    }
    let Some(prefix) = as_root() else {
        return missing("installing one needs root or sudo without a password");
    };
    eprintln!("--- install of {}", PACKAGES.join(" and "));
    let apt_get = |arguments: &[&str]| {
        let words = [prefix, &["apt-get"], arguments].concat();
        // Nobody is there to answer questions; its output is no result of ours.
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null()).stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let install = [&["install", "--yes", "--no-install-recommends"][..], &PACKAGES].concat();
    // The lists of packages may be old or missing.
    if apt_get(&install) || (apt_get(&["update"]) && apt_get(&install)) {
        return if has_driver(&manifest_folders()) { None } else { missing("apt-get installed none") };
    }
    missing("apt-get could not install one, as it says above")
}

/// Where drivers put their manifests, by the Vulkan loader's documentation.
fn manifest_folders() -> Vec<PathBuf> {
    let mut folders: Vec<_> = ["/etc", "/usr/local/etc", "/usr/local/share", "/usr/share"].map(PathBuf::from).into();
    for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        folders.extend(std::env::var_os(variable).map(PathBuf::from));
    }
    if let Some(home) = std::env::var_os("HOME").map(PathBuf::from) {
        folders.extend([home.join(".config"), home.join(".local/share")]);
    }
    folders.iter().map(|folder| folder.join("vulkan/icd.d")).collect()
}

/// Whether a folder holds a manifest, or a variable of the loader names one.
fn has_driver(folders: &[PathBuf]) -> bool {
    let named = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| {
        let files = std::env::var_os(name).unwrap_or_default();
        std::env::split_paths(&files).any(|file| file.is_file())
    });
    named || folders.iter().any(|folder| holds_manifest(folder))
}

fn holds_manifest(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
}

/// What to write before a command so that root runs it, if that needs no password.
fn as_root() -> Option<&'static [&'static str]> {
    let user = Command::new("id").arg("-u").output().ok()?;
    if String::from_utf8_lossy(&user.stdout).trim() == "0" {
        return Some(&[]);
    }
    succeeds(Command::new("sudo").args(["-n", "true"])).then_some(&["sudo", "-n"])
}

fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_manifest_holds_a_driver() {
        let folder = std::env::temp_dir().join(format!("lnn-vulkan-{}", std::process::id()));
        assert!(!holds_manifest(&folder), "it is not there yet");
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        std::fs::write(folder.join("readme.txt"), "").expect("a file in it");
        assert!(!holds_manifest(&folder), "a file of another kind");
        std::fs::write(folder.join("lvp_icd.json"), "{}").expect("a file in it");
        assert!(holds_manifest(&folder));
        std::fs::remove_dir_all(&folder).expect("our own folder");
    }

    #[test]
    fn the_loader_s_usual_folder_is_looked_at() {
        assert!(manifest_folders().contains(&PathBuf::from("/usr/share/vulkan/icd.d")));
    }
}
