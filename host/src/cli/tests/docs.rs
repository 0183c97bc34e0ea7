//! The commands that README.md and the manual tell are ones that there are.

use clap::{Command, CommandFactory, Parser};

use super::Arguments;
use stoa_tests::docs::{Page, pages};

#[test]
fn commands_in_blocks_are_understood() {
    let found: Vec<_> = pages().iter().flat_map(wrong_commands).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    let commands = pages()
        .iter()
        .map(|page| commands(page).len())
        .sum::<usize>();
    assert!(commands > 10, "only {commands} commands were found");
}

#[test]
fn commands_in_the_text_have_their_flags() {
    let found: Vec<_> = pages().iter().flat_map(wrong_mentions).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn a_wrong_command_is_found() {
    let wrong = |line: &str| wrong_commands(&Page::of(&format!("```sh\n{line}\n```\n"))).len();
    assert_eq!(wrong("stoa ls # all of them"), 0);
    assert_eq!(
        wrong("curl -H \"x: $(stoa token --subject a)\" | jq .; stoa ls"),
        0
    );
    for line in [
        "stoa fly",
        "stoa ls --wide",
        "curl -H \"x: $(stoa token --subjects a)\"",
        "cargo run --release -- upp components  # builds",
        "stoa ls && stoa scale product",
    ] {
        assert_eq!(wrong(line), 1, "{line}");
    }

    let mentioned = |text: &str| wrong_mentions(&Page::of(text)).len();
    assert_eq!(
        mentioned("By `stoa config SERVICE [get|rollback [--to N]] -o json`."),
        0
    );
    assert_eq!(
        mentioned("| `stoa key new\\|ls`, `stoa COMMAND --help` | keys |"),
        0
    );
    for text in [
        "Say `stoa fly`.",
        "Say `stoa scale NAME\n--most N`.",
        "| `stoa key new\\|list` | keys |",
    ] {
        assert_eq!(mentioned(text), 1, "{text}");
    }
}

/// The commands of a page's blocks that the command line refuses.
fn wrong_commands(page: &Page) -> Vec<String> {
    let refused = commands(page).into_iter().filter_map(|(line, command)| {
        let fault = Arguments::try_parse_from(command.split_whitespace()).err()?;
        Some(format!("{}: {command}: {fault}", page.place(line)))
    });
    refused.collect()
}

/// Every `stoa …` of a page's shell blocks, with the line of its block.
fn commands(page: &Page) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for block in page.blocks("sh") {
        let text = block.text.replace("\\\n", " ");
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let line = line.split(" #").next().unwrap_or_default();
            let line = line.replace("cargo run --release -- ", "stoa ");
            let simple = line.split(['(', ')', ';', '|', '&', '`']);
            let ours = simple
                .map(str::trim)
                .filter(|part| part.starts_with("stoa "));
            found.extend(ours.map(|command| (block.line, command.to_owned())));
        }
    }
    found
}

/// What a page's text says of commands and flags that there are not.
fn wrong_mentions(page: &Page) -> Vec<String> {
    let mut root = Arguments::command();
    root.build();
    let mentions = mentions(page).into_iter();
    let wrong = mentions.filter_map(|(line, mention)| {
        let fault = check(&root, &mention).err()?;
        Some(format!("{}: `{mention}`: {fault}", page.place(line)))
    });
    wrong.collect()
}

/// Code in a page's text that begins with `stoa `, which may go over lines, with the
/// line of its paragraph.
fn mentions(page: &Page) -> Vec<(usize, String)> {
    let mut paragraphs: Vec<(usize, String)> = Vec::new();
    let mut before = "";
    for (number, line) in page.prose() {
        let goes_on = !before.is_empty() && !line.is_empty() && !line.starts_with('|');
        match paragraphs.last_mut().filter(|_| goes_on) {
            Some((_, paragraph)) => {
                paragraph.push(' ');
                paragraph.push_str(line.trim());
            }
            None => paragraphs.push((number, line.to_owned())),
        }
        before = line;
    }
    let code = paragraphs.iter().flat_map(|(number, paragraph)| {
        let spans = paragraph.split('`').skip(1).step_by(2);
        spans.map(|span| (*number, span.to_owned()))
    });
    code.filter(|(_, span)| span.starts_with("stoa ")).collect()
}

/// Whether there is the command that a usage such as `stoa scale SERVICE [--min N]`
/// tells, with all of its flags.
fn check(root: &Command, usage: &str) -> Result<(), String> {
    let usage = usage.replace('\\', "").replace(['[', ']', '…'], " ");
    let mut words = usage.split_whitespace().skip(1);
    let name = words.next().ok_or("which command?")?;
    if is_placeholder(name) {
        return Ok(());
    }
    let command = root
        .find_subcommand(name)
        .ok_or("there is no such command")?;
    let words: Vec<_> = words.collect();
    let actions = words.iter().take(1).filter(|_| command.has_subcommands());
    for action in actions.flat_map(|word| word.split('|')) {
        let known = is_placeholder(action) || command.find_subcommand(action).is_some();
        known
            .then_some(())
            .ok_or_else(|| format!("there is no {action}"))?;
    }
    for flag in words.iter().filter(|word| word.starts_with('-')) {
        let flag = flag.split(['=', '|']).next().unwrap_or_default();
        has_flag(command, flag)
            .then_some(())
            .ok_or_else(|| format!("there is no {flag}"))?;
    }
    Ok(())
}

/// It stands for a word of the reader's.
fn is_placeholder(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_uppercase())
}

/// Whether a command, or one of its actions, takes the flag.
fn has_flag(command: &Command, flag: &str) -> bool {
    let takes = command.get_arguments().any(|argument| {
        let long = argument
            .get_long()
            .is_some_and(|long| flag == format!("--{long}"));
        let short = argument
            .get_short()
            .is_some_and(|short| flag == format!("-{short}"));
        long || short
    });
    takes
        || command
            .get_subcommands()
            .any(|action| has_flag(action, flag))
}
