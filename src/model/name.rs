//! What resources are called in Kubernetes, for those who keep it of thousands: cheap to clone, one text for all who share it.

use std::{borrow::Borrow, fmt, ops::Deref, sync::Arc};

/// The UID of a resource: opaque, never given twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(Arc<str>);

impl From<&str> for Uid {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Uid {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Deref for Uid {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Namespace and name of a resource, which a successor may have as well. Ordered by the namespace first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName(Arc<str>);

impl ResourceName {
    /// Neither part can hold the mark between them, so that no two pairs have the same text.
    const BETWEEN: char = '/';

    /// The name of a resource in a namespace.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}{}{name}", Self::BETWEEN).into())
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.parts().0
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once(Self::BETWEEN).unwrap_or_default()
    }
}

impl fmt::Display for ResourceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a namespace may have this name: a label of the DNS, in lowercase letters, digits and hyphens.
pub fn is_namespace(name: &str) -> bool {
    let letters = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let ends = !name.starts_with('-') && !name.ends_with('-');
    letters && ends && (1..=63).contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_parts_that_it_was_made_of() {
        let name = ResourceName::new("shop", "orders");
        assert_eq!((name.namespace(), name.name()), ("shop", "orders"));
        assert_eq!(name.to_string(), "shop/orders");
        assert_ne!(name, ResourceName::new("shops", "orders"));
    }
}
