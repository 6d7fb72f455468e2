//! `docs/plugin.md`: what stands below its mark is made from the command line.

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;

/// Where the made part begins.
const MARK: &str = "<!-- Made from the command line: WRITE_DOCS=1 cargo test --workspace --locked --lib page:: -->\n";

/// The part that is made.
fn made() -> String {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let mut text = section("All commands", &command);
    for verb in command.get_subcommands() {
        text.push_str(&section(verb.get_name(), verb));
    }
    text
}

fn section(name: &str, command: &Command) -> String {
    let help = command.clone().render_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let help = lines.join("\n");
    format!("\n### {name}\n\n```text\n{}\n```\n", help.trim_end())
}

#[test]
fn the_page_says_what_the_commands_take() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plugin.md");
    let page = std::fs::read_to_string(path).unwrap();
    let (head, old) = page.split_once(MARK).expect("the mark of the made part");
    let new = made();
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{MARK}{new}")).unwrap();
        return;
    }
    assert!(
        old == new,
        "docs/plugin.md is stale: WRITE_DOCS=1 cargo test --workspace --locked --lib page::"
    );
}
