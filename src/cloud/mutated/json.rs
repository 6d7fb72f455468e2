//! JSON as text can have it, with fields twice and in any order, and what can go wrong in it.

use std::fmt;

use proptest::prelude::*;
use serde_json::{Value, json};

/// A JSON value that keeps the order of its fields and may have one twice.
#[derive(Debug, Clone)]
pub enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Leaf(Value),
}

/// What goes wrong at one place: with a field of an object, or with an item of an array.
#[derive(Debug, Clone)]
pub enum Mutation {
    /// It is not there.
    Drop,
    /// This stands in its place.
    Put(Value),
    /// It is the one item of an array.
    IntoArray,
    /// It is a field of an object.
    IntoObject,
    /// It is there twice.
    Repeat,
    /// It is there twice, and the first or the last of both is this.
    RepeatAs { value: Value, last: bool },
    /// It and all its neighbours stand in the opposite order.
    Reverse,
}

/// Up to four mutations, each with the number of its place.
pub fn mutations() -> impl Strategy<Value = Vec<(usize, Mutation)>> {
    // The fixtures have fewer places than this; numbers beyond them begin again.
    prop::collection::vec((0..10_000_usize, mutation()), 1..=4)
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        Just(Mutation::Drop),
        junk().prop_map(Mutation::Put),
        Just(Mutation::IntoArray),
        Just(Mutation::IntoObject),
        Just(Mutation::Repeat),
        (junk(), any::<bool>()).prop_map(|(value, last)| Mutation::RepeatAs { value, last }),
        Just(Mutation::Reverse),
    ]
}

/// Values of every type, none of which is a port, an id, a time, a code, or a word that says something.
fn junk() -> impl Strategy<Value = Value> {
    // 68842 is 3306 to whoever keeps 16 bits only.
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(68_842),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("junk"),
        json!("\u{0}\u{1f4a5}\u{202e}"),
        json!([]),
        json!({}),
        json!([3306]),
        json!({"value": 3306}),
    ])
}

impl Node {
    /// Does it at the place of this number, counted through the whole tree; nothing where the tree has no places.
    pub fn mutate(&mut self, place: usize, mutation: &Mutation) {
        let places = self.places();
        if places > 0 {
            self.mutate_at(&mut (place % places), mutation);
        }
    }

    fn places(&self) -> usize {
        match self {
            Self::Object(fields) => fields.iter().map(|(_, inner)| 1 + inner.places()).sum(),
            Self::Array(items) => items.iter().map(|inner| 1 + inner.places()).sum(),
            Self::Leaf(_) => 0,
        }
    }

    fn mutate_at(&mut self, left: &mut usize, mutation: &Mutation) -> bool {
        let count = match self {
            Self::Object(fields) => fields.len(),
            Self::Array(items) => items.len(),
            Self::Leaf(_) => 0,
        };
        for index in 0..count {
            if *left == 0 {
                match self {
                    Self::Object(fields) => {
                        let name = fields[index].0.clone();
                        change(
                            fields,
                            index,
                            mutation,
                            |node| (name.clone(), node),
                            |field| &mut field.1,
                        );
                    }
                    Self::Array(items) => change(items, index, mutation, |node| node, |item| item),
                    Self::Leaf(_) => {}
                }
                return true;
            }
            *left -= 1;
            let inner = match self {
                Self::Object(fields) => &mut fields[index].1,
                Self::Array(items) => &mut items[index],
                Self::Leaf(_) => return false,
            };
            if inner.mutate_at(left, mutation) {
                return true;
            }
        }
        false
    }
}

/// Changes one of the entries of an object or an array.
fn change<T: Clone>(
    entries: &mut Vec<T>,
    index: usize,
    mutation: &Mutation,
    entry: impl Fn(Node) -> T,
    node: impl Fn(&mut T) -> &mut Node,
) {
    let inner = node(&mut entries[index]);
    match mutation {
        Mutation::Drop => {
            entries.remove(index);
        }
        Mutation::Put(value) => *inner = value.clone().into(),
        Mutation::IntoArray => *inner = Node::Array(vec![inner.clone()]),
        Mutation::IntoObject => *inner = Node::Object(vec![("value".to_owned(), inner.clone())]),
        Mutation::Repeat => {
            let twice = entries[index].clone();
            entries.push(twice);
        }
        Mutation::RepeatAs { value, last } => {
            let at = if *last { entries.len() } else { 0 };
            entries.insert(at, entry(value.clone().into()));
        }
        Mutation::Reverse => entries.reverse(),
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Object(fields) => Self::Object(
                fields
                    .into_iter()
                    .map(|(name, inner)| (name, inner.into()))
                    .collect(),
            ),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            leaf => Self::Leaf(leaf),
        }
    }
}

/// As it goes over the wire.
impl fmt::Display for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(fields) => {
                formatter.write_str("{")?;
                for (index, (name, inner)) in fields.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(formatter, "{comma}{}:{inner}", Value::from(name.as_str()))?;
                }
                formatter.write_str("}")
            }
            Self::Array(items) => {
                formatter.write_str("[")?;
                for (index, inner) in items.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(formatter, "{comma}{inner}")?;
                }
                formatter.write_str("]")
            }
            Self::Leaf(value) => write!(formatter, "{value}"),
        }
    }
}

#[test]
fn each_mutation_does_what_it_says() {
    for (place, mutation, text) in [
        (0, Mutation::Drop, r#"{"b":[1,2]}"#),
        (2, Mutation::Drop, r#"{"a":"x","b":[2]}"#),
        (0, Mutation::Put(json!(null)), r#"{"a":null,"b":[1,2]}"#),
        (0, Mutation::IntoArray, r#"{"a":["x"],"b":[1,2]}"#),
        (0, Mutation::IntoObject, r#"{"a":{"value":"x"},"b":[1,2]}"#),
        (0, Mutation::Repeat, r#"{"a":"x","b":[1,2],"a":"x"}"#),
        (
            0,
            Mutation::RepeatAs {
                value: json!(7),
                last: true,
            },
            r#"{"a":"x","b":[1,2],"a":7}"#,
        ),
        (
            3,
            Mutation::RepeatAs {
                value: json!(7),
                last: false,
            },
            r#"{"a":"x","b":[7,1,2]}"#,
        ),
        (1, Mutation::Reverse, r#"{"b":[1,2],"a":"x"}"#),
        (4, Mutation::Drop, r#"{"b":[1,2]}"#),
    ] {
        let mut node = Node::from(json!({"a": "x", "b": [1, 2]}));
        node.mutate(place, &mutation);
        assert_eq!(node.to_string(), text, "{mutation:?}");
    }
}
