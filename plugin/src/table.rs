//! Tables and paragraphs that fit the terminal, with colours or without.
//!
//! Promises that no line is wider than the terminal, and that colours change no other character.

use console::{Style, measure_text_width};

use crate::surroundings::Terminal;

/// Between two columns.
const GAP: usize = 2;

/// How a cell looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// As any text.
    #[default]
    Plain,
    /// In order.
    Good,
    /// At work or waited for.
    Busy,
    /// A person has to act.
    Bad,
    /// A heading.
    Strong,
    /// Of less weight.
    Faint,
}

impl Tone {
    /// The text in this tone.
    pub fn paint(self, text: &str, terminal: Terminal) -> String {
        let style = Style::new();
        let style = match self {
            Self::Plain => return text.to_owned(),
            Self::Good => style.green(),
            Self::Busy => style.yellow(),
            Self::Bad => style.red(),
            Self::Strong => style.bold(),
            Self::Faint => style.dim(),
        };
        if terminal.colours {
            style.force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }
}

/// A cell.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// Its text.
    pub text: String,
    /// How it looks.
    pub tone: Tone,
}

impl Cell {
    /// A cell in this tone.
    pub fn of(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::of(text, Tone::Plain)
    }
}

/// The least room in which a text for people says something.
const LEAST_ROOM: usize = 16;

/// A table; its last column is cut, or left out where next to nothing of it would be seen, and all are where even that is not enough.
pub fn table(head: &[&str], rows: &[Vec<Cell>], terminal: Terminal) -> String {
    let head: Vec<Cell> = head
        .iter()
        .map(|text| Cell::of(*text, Tone::Strong))
        .collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in std::iter::once(&head).chain(rows) {
        for (place, cell) in row.iter().enumerate() {
            let width = measure_text_width(&cell.text);
            match widths.get_mut(place) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    let before = widths.split_last().map_or(0, |(_, before)| {
        before.iter().map(|width| width + GAP).sum::<usize>()
    });
    let last = widths.last().copied().unwrap_or_default();
    let room = terminal
        .columns
        .map(|columns| columns.saturating_sub(before));
    if room.is_some_and(|room| room < LEAST_ROOM.min(last)) {
        widths.pop();
    }
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        text.push_str(&line(row, &widths, terminal));
        text.push('\n');
    }
    text
}

fn line(row: &[Cell], widths: &[usize], terminal: Terminal) -> String {
    let mut left = terminal.columns.unwrap_or(usize::MAX);
    let mut line = String::new();
    for (place, (cell, width)) in row.iter().zip(widths).enumerate() {
        let shown = cut(&cell.text, left);
        let used = measure_text_width(&shown);
        line.push_str(&cell.tone.paint(&shown, terminal));
        left = left.saturating_sub(used);
        if place + 1 == widths.len() || left == 0 {
            break;
        }
        let blanks = (width.saturating_sub(used) + GAP).min(left);
        line.push_str(&" ".repeat(blanks));
        left -= blanks;
    }
    line.trim_end().to_owned()
}

/// The text in so many columns, with a mark where it was cut.
pub fn cut(text: &str, columns: usize) -> String {
    if measure_text_width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 0;
    let mut letter_text = [0; 4];
    for letter in text.chars() {
        let width = measure_text_width(letter.encode_utf8(&mut letter_text));
        if used + width + 1 > columns {
            break;
        }
        used += width;
        short.push(letter);
    }
    if columns > 0 {
        short.push('…');
    }
    short
}

/// The words in lines of so many columns, each after the indent. A word that is longer has a line of its own, and is cut by nobody.
pub fn wrapped(text: &str, indent: &str, columns: Option<usize>) -> String {
    let room = columns.map_or(usize::MAX, |columns| {
        columns.saturating_sub(measure_text_width(indent)).max(20)
    });
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("{indent}{line}")).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NARROW: Terminal = Terminal {
        columns: Some(20),
        colours: true,
        can_ask: false,
    };

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![
                "a".into(),
                Cell::of("bad", Tone::Bad),
                "a long message of several words".into(),
            ],
            vec![
                "a-much-longer-name-than-fits".into(),
                "x".into(),
                "y".into(),
            ],
        ]
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_and_without_one_none_is_cut() {
        let text = table(&["NAME", "B", "MESSAGE"], &rows(), NARROW);
        for line in console::strip_ansi_codes(&text).lines() {
            assert!(measure_text_width(line) <= 20, "{line:?}");
        }
        let whole = table(&["NAME", "B", "MESSAGE"], &rows(), Terminal::default());
        assert!(whole.contains("a long message of several words"), "{whole}");
        assert!(!whole.contains('…') && !whole.contains('\u{1b}'), "{whole}");
    }

    #[test]
    fn wide_letters_count_twice() {
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn paragraphs_keep_all_words() {
        let text = wrapped("one two three four five six seven", "  ", Some(24));
        assert_eq!(text, "  one two three four\n  five six seven");
    }
}
