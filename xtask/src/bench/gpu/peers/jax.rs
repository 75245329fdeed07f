//! A Python whose JAX computes where we do.

use std::process::{Command, Stdio};

/// Prints the kinds of the devices that JAX finds on the platform in its argument, as a list in JSON.
const PRINT_KINDS: &str =
    "import json, sys, jax; print(json.dumps(sorted({d.device_kind for d in jax.devices(sys.argv[1])})))";

/// A Python with a JAX that has devices of a platform.
#[derive(Clone, Debug)]
pub(crate) struct Jax {
    pub(crate) python: String,
    /// As JAX names it: `cpu` or `cuda`.
    pub(crate) platform: &'static str,
    /// Of the devices.
    kinds: Vec<String>,
}

impl Jax {
    /// The JAX of the Python that was asked for, or of the usual ones; or what was looked for and found.
    pub(crate) fn find(asked: Option<&str>, platform: &'static str) -> Result<Self, String> {
        let names = asked.map_or_else(|| vec!["python3", "python"], |name| vec![name]);
        let mut found = Vec::new();
        for name in names {
            match device_kinds(name, platform) {
                Ok(kinds) => return Ok(Self { python: name.to_owned(), platform, kinds }),
                Err(why) => found.push(format!("`{name}`: {why}")),
            }
        }
        let what = if platform == "cpu" { "JAX on the processor" } else { "a JAX with a CUDA device" };
        Err(format!("looked for {what}, and found none: {}; `--python` names another Python", found.join("; ")))
    }

    /// Its kinds of devices, for a person.
    pub(crate) fn device(&self) -> String {
        self.kinds.join(", ")
    }

    /// Refuses times of JAX on another card than the adapter of this name, or on one that cannot be told from its others.
    pub(crate) fn require_same_card(&self, adapter: &str) -> Result<(), String> {
        require_same_card(&self.kinds, adapter).map_err(|why| format!("`{}`: {why}", self.python))
    }
}

/// Each kind of the platform's devices that the JAX of this Python has.
fn device_kinds(python: &str, platform: &str) -> Result<Vec<String>, String> {
    let output = Command::new(python)
        .args(["-I", "-c", PRINT_KINDS, platform])
        .env("JAX_PLATFORMS", platform)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let last = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().trim().to_owned();
    if !output.status.success() {
        return Err(last(&output.stderr));
    }
    // Plug-ins of JAX may have printed before.
    let line = last(&output.stdout);
    serde_json::from_str(&line).map_err(|_| format!("it prints `{line}`, which is no list of devices"))
}

/// Refuses times of JAX on another card than the adapter of this name, or on one that cannot be told from its others.
///
/// Vulkan and CUDA name a card alike. Names are compared by whole words, so that an A10 is no A100; that of OpenGL, for
/// one, has more words.
fn require_same_card(kinds: &[String], adapter: &str) -> Result<(), String> {
    let words = |name: &str| -> Vec<String> {
        let words = name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    };
    const REMEDY: &str = "CUDA_VISIBLE_DEVICES says which card JAX sees, and `--adapter` which one is ours";
    let [kind] = kinds else {
        let seen = kinds.join(", ");
        return Err(format!("JAX sees not one kind of card but {}: {seen}; {REMEDY}", kinds.len()));
    };
    let (kind_words, adapter_words) = (words(kind), words(adapter));
    if kind_words.is_empty() || !adapter_words.windows(kind_words.len()).any(|part| part == kind_words) {
        return Err(format!("JAX computes on {kind}, and we on {adapter}, which is another card; {REMEDY}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_that_is_not_there_is_named_with_what_was_looked_for() {
        let why = Jax::find(Some("no-such-python-anywhere"), "cuda").expect_err("none");
        assert!(why.contains("CUDA") && why.contains("`no-such-python-anywhere`") && why.contains("--python"), "{why}");
    }

    #[cfg(unix)]
    #[test]
    fn a_python_without_jax_is_told_by_its_last_word() {
        // `false` fails without a word, as a Python that is broken might.
        assert_eq!(device_kinds("false", "cuda"), Err(String::new()));
        // `echo` says something else than it was asked for.
        let why = device_kinds("echo", "cuda").expect_err("no list");
        assert!(why.contains("no list of devices") && why.contains("cuda"), "{why}");
        let why = Jax::find(None, "no-such-platform").expect_err("none");
        assert!(why.contains("`python3`"), "{why}");
    }

    #[test]
    fn jax_is_compared_on_a_card_of_our_name_alone() {
        let judged = |kinds: &[&str], adapter: &str| {
            require_same_card(&kinds.iter().map(|&kind| kind.to_owned()).collect::<Vec<_>>(), adapter)
        };
        for (kind, adapter) in [
            ("NVIDIA H100 80GB HBM3", "NVIDIA H100 80GB HBM3"),
            ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090/PCIe/SSE2"),
            ("Tesla V100-SXM2-16GB", "tesla v100 sxm2 16gb"),
        ] {
            assert_eq!(judged(&[kind], adapter), Ok(()), "{kind}");
        }
        for (kind, adapter) in [
            ("NVIDIA A10", "NVIDIA A100-SXM4-40GB"),
            ("NVIDIA H100 80GB HBM3", "NVIDIA H200"),
            // A part of a card.
            ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "NVIDIA H100 80GB HBM3"),
            ("", "NVIDIA H200"),
        ] {
            let why = judged(&[kind], adapter).expect_err(kind);
            assert!(why.contains(kind) && why.contains(adapter) && why.contains("another card"), "{why}");
        }
        for kinds in [&[][..], &["NVIDIA H100", "NVIDIA T4"]] {
            let why = judged(kinds, "NVIDIA H100").expect_err("not one");
            assert!(why.contains(&kinds.len().to_string()) && why.contains("CUDA_VISIBLE_DEVICES"), "{why}");
            assert!(kinds.iter().all(|kind| why.contains(kind)), "{why}");
        }
    }
}
