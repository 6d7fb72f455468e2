//! What is wrong with a manifest, at one of its fields.

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The field; empty where it is about the whole.
    pub field: String,
    /// What is wrong, as the API server says it.
    pub message: String,
}

impl Fault {
    /// A fault of a field.
    pub fn of(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            message: message.into(),
        }
    }
}
