//! An independent look at the JSON that the decoders read: slower, plainer, and without their helpers.

use serde::de::IgnoredAny;
use serde_json::Value;

/// The longest name or address that a decoder keeps, in characters.
const LONGEST_WORD: usize = 128;

/// A body as the client makes it from the bytes of an answer.
pub(crate) fn body(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// The JSON of a body that a decoder has understood.
///
/// Nothing where the body follows the grammar, and a field that nobody reads holds what this look can't: half a code, a number
/// without bounds, more levels than are sane.
pub(crate) fn json(body: &str) -> Option<Value> {
    serde_json::from_str::<IgnoredAny>(body).expect("what was understood is JSON");
    serde_json::from_str(body).ok()
}

/// A text, without the blanks around it; nothing if it is no text or only blanks.
pub(crate) fn word(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim()),
        _ => None,
    }
}

/// A job's id: a text, or a whole number that is not negative.
pub(crate) fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        text => word(text).map(str::to_owned),
    }
}

/// Whether `word` stands in `value`, in any case of its letters.
pub(crate) fn says(value: &Value, wanted: &str) -> bool {
    word(value).is_some_and(|word| word.eq_ignore_ascii_case(wanted))
}

/// Asserts that a text fits where it is shown.
pub(crate) fn assert_shown(text: &str) {
    assert!(
        text.chars().count() <= LONGEST_WORD,
        "too long to be shown: {text:?}"
    );
    assert!(
        !text.contains(char::is_control),
        "control characters are shown: {text:?}"
    );
}
