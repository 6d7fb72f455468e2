//! An order as it is kept until the next one: small, since each resource that publishes something keeps one.
//!
//! Pure. Relies on the caller for the resource itself, which it knows anyway. Promises that the order of the same resource comes back as it
//! was, and that the order of another one is never taken for it.

use super::{
    order::{Ahead, Known, Names, Order, Rival},
    standing::Owner,
    wanted::Place,
};
use crate::{desired::Wish, model::Mark};

/// An order without its resource; what few orders have takes a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filed {
    /// Tells resources apart.
    owner: Mark,
    wish: Wish,
    before: Option<Box<Names>>,
    known: Known,
    verified: Option<Box<Known>>,
    ahead: Option<Box<Ahead>>,
    firm: Option<Box<Place>>,
    rivals: Box<[Rival]>,
    sweeps: bool,
    waits: bool,
    ends: bool,
}

impl Filed {
    /// What is kept of an order.
    pub fn of(order: &Order) -> Self {
        let Order {
            owner,
            wish,
            before,
            sweeps,
            known,
            verified,
            ahead,
            firm,
            waits,
            ends,
            rivals,
        } = order.clone();
        Self {
            owner: Mark::of(&owner),
            wish,
            before: Some(before)
                .filter(|names| *names != Names::default())
                .map(Box::new),
            known,
            verified: verified.map(Box::new),
            ahead: ahead.map(Box::new),
            firm: firm.map(Box::new),
            rivals: rivals.into(),
            sweeps,
            waits,
            ends,
        }
    }

    /// Whether it is this order.
    pub fn is(&self, order: &Order) -> bool {
        *self == Self::of(order)
    }

    /// What the resource wished for.
    pub fn wish(&self) -> &Wish {
        &self.wish
    }

    /// The order again; nothing where it was another resource's.
    pub fn order(&self, owner: Owner) -> Option<Order> {
        if Mark::of(&owner) != self.owner {
            return None;
        }
        let filed = self.clone();
        Some(Order {
            owner,
            wish: filed.wish,
            before: filed.before.map(|names| *names).unwrap_or_default(),
            sweeps: filed.sweeps,
            known: filed.known,
            verified: filed.verified.map(|known| *known),
            ahead: filed.ahead.map(|ahead| *ahead),
            firm: filed.firm.map(|place| *place),
            waits: filed.waits,
            ends: filed.ends,
            rivals: filed.rivals.into_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{desired::ServiceWish, model::JobId};

    fn order() -> Order {
        Order {
            owner: Owner {
                namespace: "shop".to_owned(),
                name: "orders".to_owned(),
                uid: "u1".to_owned(),
                api_version: "v1".to_owned(),
                proxy: "p1".to_owned(),
            },
            wish: Wish {
                service: Some(ServiceWish {
                    name: "orders-db".to_owned(),
                    port: 3306,
                }),
                config_map: None,
            },
            before: Names {
                service: Some("old-db".to_owned()),
                config_map: None,
            },
            sweeps: true,
            known: Known::Keep(None),
            verified: Some(Known::Gone),
            ahead: Some(Ahead::During(JobId::parse("job-1").unwrap())),
            firm: Place::parse("10.20.0.2:3306"),
            waits: true,
            ends: false,
            rivals: vec![Rival {
                name: "other".to_owned(),
                uid: "u2".to_owned(),
                wishes: Names::default(),
                has: Names::default(),
            }],
        }
    }

    #[test]
    fn an_order_comes_back_as_it_was_and_to_no_other_resource() {
        let filed = Filed::of(&order());
        assert!(filed.is(&order()));
        assert_eq!(filed.order(order().owner), Some(order()));
        let other = Owner {
            proxy: "p2".to_owned(),
            ..order().owner
        };
        assert_eq!(filed.order(other.clone()), None);
        let of_another = Order {
            owner: other,
            ..order()
        };
        assert!(!filed.is(&of_another));
    }

    #[test]
    fn an_order_takes_little_memory() {
        let bytes = size_of::<Filed>();
        assert!(bytes <= 200, "{bytes}");
    }
}
