//! What a command finds around it: streams, the terminal, the time and the environment. Tests make their own.

use std::io::{BufRead, Write};

use jiff::Timestamp;

/// What the output is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// How many columns there are; nothing where the output is no terminal: then no line is cut.
    pub columns: Option<usize>,
    /// Whether colours are shown: at a terminal alone, and not where `NO_COLOR` is set.
    pub colours: bool,
    /// Whether somebody can be asked.
    pub can_ask: bool,
}

/// All of it.
pub struct Surroundings<'a> {
    /// Standard input.
    pub input: &'a mut dyn BufRead,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
    /// The terminal.
    pub terminal: Terminal,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// The value of a variable of the environment.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}
