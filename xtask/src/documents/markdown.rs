//! What a document asks its reader to run or compile.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// Code of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code {
    /// Line that it begins on, from 1.
    pub(super) line: usize,
    /// First word of the fence's information; `sh` for a command within a sentence.
    pub(super) language: String,
    /// Whether a fence's information says that documentation tests pass it over.
    pub(super) ignored: bool,
    /// Whether it is a block of its own.
    pub(super) block: bool,
    /// The text.
    pub(super) text: String,
}

/// Beginnings of a command within a sentence that can be run as it stands.
const INLINE: [&str; 2] = ["cargo xtask experiment ", "lnn "];

/// All code blocks with a language, and the commands within sentences, in their order.
pub(super) fn code(markdown: &str) -> Vec<Code> {
    let line = |place: usize| markdown[..place].matches('\n').count() + 1;
    let mut found = Vec::new();
    let mut open: Option<Code> = None;
    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(information))) => {
                let mut words = information.split([' ', ',']);
                let language = words.next().unwrap_or_default().to_owned();
                let ignored = words.any(|word| word.starts_with("ignore"));
                open = Some(Code { line: line(range.start), language, ignored, block: true, text: String::new() });
            }
            Event::Text(text) => {
                if let Some(code) = &mut open {
                    code.text += &text;
                }
            }
            Event::End(TagEnd::CodeBlock) => found.extend(open.take().filter(|code| !code.language.is_empty())),
            Event::Code(text) if is_command(&text) => {
                let text = text.replace('\n', " ");
                let (line, language) = (line(range.start), "sh".to_owned());
                found.push(Code { line, language, ignored: false, block: false, text });
            }
            _ => {}
        }
    }
    found
}

/// The commands of a block of shell, each as a sentence would name it: without comment, on one line.
pub(super) fn commands(block: &str) -> impl Iterator<Item = String> {
    let joined = block.replace("\\\n", " ");
    let plain = |line: &str| {
        let command = line.split(" #").next().unwrap_or_default();
        command.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    joined.lines().map(plain).filter(|line| !line.is_empty()).collect::<Vec<_>>().into_iter()
}

/// Whether code within a sentence is a command without a placeholder: `NAME`, `…` or `<name>`.
fn is_command(text: &str) -> bool {
    let placeholder = |word: &str| {
        let letters = || word.chars().filter(|c| c.is_alphabetic());
        let capitals = letters().all(char::is_uppercase) && (letters().count() > 1 || word.chars().count() == 1);
        word.contains(['…', '<', '[', '|']) || (letters().count() > 0 && capitals)
    };
    // A program and its verb alone are a name.
    let complete = text.split_whitespace().count() > 2;
    complete && INLINE.iter().any(|start| text.starts_with(start)) && !text.split([' ', ',']).any(placeholder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_commands_are_found_with_their_lines() {
        let text = "# Title\n\nRun `cargo xtask experiment wave\n--grid 2d` or `lnn eval --model M`, `q_dot`.\n\n```sh\nlnn info  # all\n\
                    ```\n\n1. one\n\n   ```rust,no_run\n   let x = 1;\n   ```\n\n```\nplain\n```\n";
        let found = code(text);
        let [inline, shell, rust] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (inline.line, inline.block, inline.text.as_str()),
            (3, false, "cargo xtask experiment wave --grid 2d")
        );
        assert_eq!((shell.line, shell.block, shell.text.as_str()), (6, true, "lnn info  # all\n"));
        assert_eq!((rust.line, rust.language.as_str(), rust.text.as_str()), (12, "rust", "let x = 1;\n"));
        assert!(
            !rust.ignored
                && code("```rust,ignore\nfn\n```\n")[0].ignored
                && code("```rust, ignore-x86\n```\n")[0].ignored
        );
    }

    #[test]
    fn a_sentence_finds_its_command_among_those_of_a_block() {
        let block = "cargo xtask experiment wave     # all\n\nlnn rollout --dt 1 \\\n  --out a.csv\n";
        let found: Vec<String> = commands(block).collect();
        assert_eq!(found, ["cargo xtask experiment wave", "lnn rollout --dt 1 --out a.csv"]);
    }

    #[test]
    fn a_command_with_a_placeholder_is_none() {
        for text in ["lnn info model.safetensors", "cargo xtask experiment dblpend --seeds 0-9 --system G=2"] {
            assert!(is_command(text), "{text}");
        }
        for text in [
            "lnn eval",
            "lnn eval --model M.safetensors…",
            "lnn train --data FILE",
            "cargo xtask experiment NAME",
            "lnn",
            "cargo test",
        ] {
            assert!(!is_command(text), "{text}");
        }
    }
}
