//! Faults that were found in this operator, as `tests/fixtures/cases/found.txt` lists them.

/// One fault, and what has to hold instead.
pub struct Row {
    /// The ids under which it was found, such as `R01`.
    pub ids: Vec<&'static str>,
    /// What has to hold.
    pub holds: &'static str,
}

/// Rows that have no test of their own yet. Whoever writes one takes the row out.
pub const NOT_YET: &[&str] = &[];

/// Each heading of the list with its rows.
pub fn chapters() -> Vec<(&'static str, Vec<Row>)> {
    let text = include_str!("../../fixtures/cases/found.txt");
    let chapters = text.split("\n## ").skip(1);
    chapters
        .map(|chapter| {
            let (heading, rows) = chapter.split_once('\n').unwrap();
            let rows = rows.lines().filter(|line| !line.is_empty()).map(row);
            (heading, rows.collect())
        })
        .collect()
}

fn row(line: &'static str) -> Row {
    let (ids, holds) = line.split_once(": ").unwrap();
    Row {
        ids: ids.split(", ").collect(),
        holds,
    }
}

impl Row {
    /// Whether a test of this name shows it.
    pub fn is_shown_by(&self, test: &str) -> bool {
        let mut ids = test.split('_').take_while(|part| is_id(part));
        ids.any(|id| self.ids.iter().any(|it| it.eq_ignore_ascii_case(id)))
    }
}

/// Whether part of a test's name is an id: a letter, digits, and perhaps a letter.
fn is_id(part: &str) -> bool {
    let digits = part.get(1..).unwrap_or_default();
    let digits = digits.strip_suffix(|last: char| last.is_ascii_lowercase());
    let digits = digits.unwrap_or(part.get(1..).unwrap_or_default());
    part.starts_with(|first: char| first.is_ascii_lowercase())
        && !digits.is_empty()
        && digits.bytes().all(|digit| digit.is_ascii_digit())
}
