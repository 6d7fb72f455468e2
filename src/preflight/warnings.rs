//! What a person reads before a change: of all that it touches, what it would break.
//!
//! Promises short texts that depend on the facts alone, in an order that depends on the facts alone, so that the same facts cost no write;
//! that what could not be read changes nothing of what was known of it, and holds up nothing else; and that no more is said at a time
//! than a person reads.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Fate, Move, Touched, cilium,
    reader::{ANNOTATIONS, GROUPS, PODS, POLICIES, SLICES, Unread, Why},
};

/// So many warnings are shown at a time, at most.
pub const MOST: usize = 8;

/// The longest warning, in characters.
const LONGEST: usize = 500;

/// An event takes no longer text of warnings, in bytes.
const LONGEST_NEWS: usize = 800;

/// Stands for all that is read, where nothing was.
const EVERYTHING: &str = "everything";

const SERVICE_ENTRY: &str = "ServiceEntry";
const DESTINATION_RULE: &str = "DestinationRule";

/// What policies of Cilium are judged by.
const OF_CILIUM: [&str; 5] = [
    cilium::NAMESPACED,
    cilium::CLUSTERWIDE,
    GROUPS,
    ANNOTATIONS,
    PODS,
];

/// The kinds of what a change breaks, in the order in which they are shown, and what each is judged by.
static KINDS: [(&str, &[&str]); 7] = [
    (cilium::CLUSTERWIDE, &OF_CILIUM),
    (cilium::NAMESPACED, &OF_CILIUM),
    ("NetworkPolicy", &[POLICIES]),
    ("EndpointSlice", &[SLICES]),
    (
        DESTINATION_RULE,
        &[DESTINATION_RULE, SERVICE_ENTRY, GROUPS, SLICES],
    ),
    ("Namespace", &[ANNOTATIONS, PODS, SERVICE_ENTRY, GROUPS]),
    (SERVICE_ENTRY, &[SERVICE_ENTRY, GROUPS]),
];

/// What begins a text about what was not looked at.
const NOT_ALL: &str = "not all that uses the port was looked at: ";

/// Said of a list that failed.
const FAILED: &str = "the API server failed";

/// What one look has found.
#[derive(Debug, Default)]
pub struct Look {
    /// What the change would break, by the place of its kind.
    broken: BTreeSet<(usize, String)>,
    unread: Vec<Unread>,
    /// Whether nothing was read at all.
    is_blank: bool,
}

/// What is known of a change: from the last look, and of what that could not read, from those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// By the place of their kind.
    broken: BTreeMap<usize, Few>,
    /// How many more a record speaks of.
    unnamed: usize,
    /// What was not looked at.
    notes: Vec<String>,
    /// What the last look could not read.
    failing: BTreeSet<&'static str>,
}

/// The first texts of a kind, and how many more there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Few {
    texts: Vec<String>,
    more: usize,
}

/// Of what was found, that which a change would break, and what was not looked at.
pub fn of(touched: &[Touched], moved: &Move, unread: &[Unread]) -> Look {
    let broken = touched.iter().filter(|it| it.fate != Fate::Follows);
    let texts = broken.map(|it| (place(&it.kind), warning(it, moved)));
    Look {
        broken: texts.collect(),
        unread: unread.to_vec(),
        is_blank: false,
    }
}

impl Look {
    /// One that could read nothing at all.
    pub fn blank() -> Self {
        Self {
            is_blank: true,
            ..Self::default()
        }
    }
}

impl Known {
    /// What a plan on record speaks of.
    pub fn of_record(warnings: &[String]) -> Self {
        let mut known = Self::default();
        for text in warnings {
            let kind = text.split(' ').next().unwrap_or_default();
            let place = place(kind);
            if place < KINDS.len() {
                known.broken.entry(place).or_default().take(text.clone());
            } else if let Some(count) = counted(text) {
                known.unnamed = count;
            } else if *text == nothing_read() {
                known.failing.insert(EVERYTHING);
                known.notes.push(text.clone());
            } else if text.starts_with(NOT_ALL) {
                let all = KINDS.iter().flat_map(|(_, judged_by)| judged_by.iter());
                let failing = all.filter(|what| text.contains(&format!("{what} ({FAILED})")));
                known.failing.extend(failing);
                known.notes.push(text.clone());
            }
        }
        known
    }

    /// What is known after a look.
    pub fn after(before: Option<&Self>, look: Look) -> Self {
        // What fails once may be read the next time: until then there is nothing new to say.
        let fails_again = |what: &str| {
            before.is_none_or(|known| {
                known.failing.contains(what) || known.failing.contains(EVERYTHING)
            })
        };
        if look.is_blank {
            let mut known = before.cloned().unwrap_or_default();
            if fails_again(EVERYTHING) {
                known.notes = vec![nothing_read()];
            }
            known.failing = [EVERYTHING].into();
            return known;
        }
        let failed = look.unread.iter().filter(|it| it.why == Why::Failed);
        let failing: BTreeSet<&'static str> = failed.map(|unread| unread.what).collect();
        let mut known = Self::default();
        for (place, text) in look.broken {
            known.broken.entry(place).or_default().take(text);
        }
        if let Some(before) = before {
            for (place, (_, judged_by)) in KINDS.iter().enumerate() {
                if judged_by.iter().any(|what| failing.contains(what)) {
                    known.broken.remove(&place);
                    let stands = before.broken.get_key_value(&place);
                    known
                        .broken
                        .extend(stands.map(|(place, few)| (*place, few.clone())));
                }
            }
        }
        let is_said = |unread: &&Unread| unread.why != Why::Failed || fails_again(unread.what);
        let notes = not_looked_at(look.unread.iter().filter(is_said));
        known.notes = notes.into_iter().collect();
        known.failing = failing;
        known
    }

    /// Whether something could not be read that may be read the next time.
    pub fn is_in_part(&self) -> bool {
        !self.failing.is_empty()
    }

    /// The first texts, and how many more there are.
    pub fn texts(&self, most: usize) -> (Vec<String>, usize) {
        let few = self.broken.values();
        let hidden: usize = few.clone().map(|few| few.more).sum();
        let all = few.flat_map(|few| &few.texts).chain(&self.notes);
        let count = all.clone().count();
        let texts: Vec<String> = all.take(most).cloned().collect();
        let more = count - texts.len() + hidden + self.unnamed;
        (texts, more)
    }

    /// What is not among `reported`, as one text. That nothing could be read is no news of the cluster.
    pub fn news(&self, reported: &[String]) -> Option<String> {
        let (texts, more) = self.texts(MOST);
        let blank = nothing_read();
        let new = texts
            .iter()
            .filter(|text| !reported.contains(text) && **text != blank);
        let new: Vec<&str> = new.map(String::as_str).collect();
        (!new.is_empty()).then(|| joined(&new, more))
    }
}

impl Few {
    fn take(&mut self, text: String) {
        if self.texts.len() < MOST {
            self.texts.push(text);
        } else {
            self.more += 1;
        }
    }
}

/// The place of a kind among those that are shown; others come last.
fn place(kind: &str) -> usize {
    let known = KINDS.iter().position(|(known, _)| *known == kind);
    known.unwrap_or(KINDS.len())
}

/// Texts as one, no longer than an event takes; `more` says how many there are besides.
pub fn joined(texts: &[&str], more: usize) -> String {
    let mut joined = String::new();
    let mut left = texts.len();
    for text in texts {
        if !joined.is_empty() {
            if joined.len() + text.len() > LONGEST_NEWS {
                break;
            }
            joined.push_str("; ");
        }
        joined.push_str(text);
        left -= 1;
    }
    if left + more > 0 {
        joined.push_str("; ");
        joined.push_str(&and_more(left + more));
    }
    joined
}

/// What is said where there are more warnings than are shown.
pub fn and_more(count: usize) -> String {
    format!("and {count} more: kubectl taurus-port plan shows them")
}

/// The number in a text of [`and_more`].
pub fn counted(text: &str) -> Option<usize> {
    let number = text.strip_prefix("and ")?.split(' ').next()?;
    let count = number.parse().ok()?;
    (and_more(count) == text).then_some(count)
}

fn warning(touched: &Touched, moved: &Move) -> String {
    let Touched {
        kind,
        name,
        how,
        fate,
    } = touched;
    let mut parts = ["which ", "whose "].into_iter();
    let how = parts.find_map(|part| how.strip_prefix(part)).unwrap_or(how);
    let (from, to) = (moved.from, moved.to);
    let advice = match fate {
        Fate::Shuts => {
            format!("allow port {to} before the change starts, and keep {from} until it has ended")
        }
        Fate::Stale => format!(
            "it still has port {from} after the change; spec.service keeps a Service that follows the port"
        ),
        Fate::Unknown if kind == "Namespace" => {
            format!("tell the mesh of port {to}, or let applications use a Service of spec.service")
        }
        Fate::Unknown => format!("add port {to} before the change starts"),
        Fate::Follows => String::new(),
    };
    tame(&format!("{kind} {name}: {how}; {advice}"))
}

/// One warning for all that was not looked at.
fn not_looked_at<'u>(unread: impl Iterator<Item = &'u Unread>) -> Option<String> {
    // Who has rights in one namespace alone can't have that one, and needs not hear so at each change.
    let is_said = |unread: &&Unread| !(unread.is_everywhere && unread.why == Why::Forbidden);
    let texts: BTreeSet<String> = unread
        .filter(is_said)
        .map(|unread| {
            let why = match unread.why {
                Why::Forbidden => "the operator may not read them",
                Why::Failed => FAILED,
                Why::TooMany => "there are too many",
                Why::TooLarge => "some are too large, or can't be decoded",
            };
            format!("{} ({why})", unread.what)
        })
        .collect();
    (!texts.is_empty()).then(|| {
        let texts: Vec<String> = texts.into_iter().collect();
        tame(&format!("{NOT_ALL}{}", texts.join(", ")))
    })
}

/// What was not read at all.
pub fn nothing_read() -> String {
    "what uses the port was not looked at: the API server failed or did not answer in time"
        .to_owned()
}

/// Names that others have given, without what is no text, and to a length that fits.
pub fn tame(text: &str) -> String {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.take(LONGEST).collect()
}
