//! What a person is told before a change: of all that it touches, what it would break.
//!
//! Promises short texts that depend on the facts alone, in an order that depends on the facts alone, so that the same facts cost no write.

use super::{
    Fate, Move, Touched,
    reader::{Unread, Why},
};

/// The longest warning, in characters.
const LONGEST: usize = 500;

/// Of what was found, that which a change would break, and what was not looked at.
pub fn of(touched: &[Touched], moved: &Move, unread: &[Unread]) -> Vec<String> {
    let mut broken: Vec<&Touched> = touched
        .iter()
        .filter(|touched| touched.fate != Fate::Follows)
        .collect();
    broken.sort_by_key(|touched| (touched.fate, &touched.kind, &touched.name, &touched.how));
    let mut warnings: Vec<String> = broken.into_iter().map(|it| warning(it, moved)).collect();
    warnings.dedup();
    warnings.extend(not_looked_at(unread));
    warnings
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
fn not_looked_at(unread: &[Unread]) -> Option<String> {
    // Who has rights in one namespace alone can't have that one, and needs not be told so at each change.
    let told = |unread: &&Unread| !(unread.is_everywhere && unread.why == Why::Forbidden);
    let mut texts: Vec<String> = unread
        .iter()
        .filter(told)
        .map(|unread| {
            let why = match unread.why {
                Why::Forbidden => "the operator may not read them",
                Why::Failed => "the API server failed",
                Why::TooMany => "there are too many",
            };
            format!("{} ({why})", unread.what)
        })
        .collect();
    texts.sort();
    texts.dedup();
    (!texts.is_empty()).then(|| {
        let texts = texts.join(", ");
        tame(&format!(
            "not all that uses the port was looked at: {texts}"
        ))
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
