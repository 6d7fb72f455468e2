//! What is tried: a story in a mode, and at which requests its process is killed.
//!
//! Promises that what is printed is read back as the same case, so that one that failed can be tried again.

use std::{fmt, str::FromStr};

use taurus_sim::Mode;

use super::story::Story;

/// A story in a mode, with the points at which its process is killed; without one it is told undisturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub story: Story,
    pub mode: Mode,
    pub points: Vec<Point>,
}

/// A request at which the process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub side: Side,
    /// Which request of that side, counted from 1 since the process began, or since the story did if that was later.
    pub nth: usize,
    pub moment: Moment,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Api,
    Cloud,
}

/// When the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The request has left, and never has an effect.
    Before,
    /// The request has had its effect, and its answer is never heard.
    After,
}

impl Side {
    pub const ALL: [Self; 2] = [Self::Api, Self::Cloud];
}

impl Moment {
    pub const ALL: [Self; 2] = [Self::Before, Self::After];
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {:?}", self.story, self.mode)?;
        for Point { side, nth, moment } in &self.points {
            write!(formatter, " {side:?} {nth} {moment:?}")?;
        }
        Ok(())
    }
}

/// The text is none of a case.
#[derive(Debug)]
pub struct NoCase;

impl FromStr for Case {
    type Err = NoCase;

    fn from_str(text: &str) -> Result<Self, NoCase> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [story, mode, points @ ..] = words.as_slice() else {
            return Err(NoCase);
        };
        let (points, rest) = points.as_chunks::<3>();
        let point = |[side, nth, moment]: &[&str; 3]| {
            Ok(Point {
                side: word(&Side::ALL, side)?,
                nth: nth.parse().ok().filter(|nth| *nth > 0).ok_or(NoCase)?,
                moment: word(&Moment::ALL, moment)?,
            })
        };
        Ok(Self {
            story: word(&Story::ALL, story)?,
            mode: word(&Mode::ALL, mode)?,
            points: match rest {
                [] => points.iter().map(point).collect::<Result<_, _>>()?,
                _ => return Err(NoCase),
            },
        })
    }
}

/// The one that is written like this, in either case of letters.
fn word<T: Copy + fmt::Debug>(all: &[T], text: &str) -> Result<T, NoCase> {
    let mut all = all.iter().copied();
    let found = all.find(|one| format!("{one:?}").eq_ignore_ascii_case(text));
    found.ok_or(NoCase)
}

#[test]
fn a_case_is_read_as_it_is_printed() {
    for text in [
        "Edit M3",
        "Drift M1 Cloud 7 After",
        "Create M4 Api 12 Before Cloud 1 After",
    ] {
        assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
        let lower = text.to_lowercase().parse::<Case>().unwrap();
        assert_eq!(lower.to_string(), text);
    }
    for text in [
        "",
        "Edit",
        "Edit M5",
        "Edit M1 Cloud 7",
        "Edit M1 Cloud 0 After",
    ] {
        assert!(text.parse::<Case>().is_err(), "{text}");
    }
}
