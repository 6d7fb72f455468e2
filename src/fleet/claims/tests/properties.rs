//! Whatever happens to resources for one proxy, at most one of them may move it, and never one whom an owner lately left behind.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Debug, Clone)]
enum Event {
    Make(usize, u16),
    Delete(usize),
    Want(usize, u16),
    Observe(usize, bool),
    Look(usize, bool),
    /// Something else is said of it than how it stands to its proxy.
    Trouble(usize),
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let port = || 3306..3309_u16;
    let one = || 0..3_usize;
    prop_oneof![
        (one(), port()).prop_map(|(one, port)| Event::Make(one, port)),
        one().prop_map(Event::Delete),
        (one(), port()).prop_map(|(one, port)| Event::Want(one, port)),
        (one(), any::<bool>()).prop_map(|(one, observes)| Event::Observe(one, observes)),
        (one(), prop::bool::weighted(0.8)).prop_map(|(one, seen)| Event::Look(one, seen)),
        one().prop_map(Event::Trouble),
        Just(Event::Restart),
    ]
}

/// A world with one proxy, and whoever may moves its port.
struct World {
    claims: Claims,
    uptime: u64,
    born: u32,
    port: u16,
    objects: BTreeMap<usize, TaurusProxyPort>,
    /// Who moved the port last or had it as wanted, and when it was deleted.
    owner: Option<(usize, Option<u64>)>,
}

impl World {
    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Make(number, port) if !self.objects.contains_key(&number) => {
                self.born += 1;
                // Later ones may well come first in the order of UIDs.
                let uid = format!("{:03}", 999 - self.born);
                let second = i64::from(self.born / 2);
                let object = object(&uid, second, |value| {
                    value["metadata"]["name"] = json!(number.to_string());
                    value["spec"]["port"] = json!(port);
                });
                self.put(number, object);
            }
            Event::Delete(number) => {
                if let Some(object) = self.objects.remove(&number) {
                    self.claims.forget(&object.uid().unwrap(), at(self.uptime));
                    if let Some((owner, gone @ None)) = &mut self.owner
                        && *owner == number
                    {
                        *gone = Some(self.uptime);
                    }
                }
            }
            Event::Want(number, port) => self.edit(number, |object| object.spec.port = port.into()),
            Event::Observe(number, observes) => {
                if observes && self.owner.is_some_and(|(owner, _)| owner == number) {
                    self.owner = None;
                }
                self.edit(number, |object| {
                    object.spec.management_policy =
                        observes.then_some(crate::crd::ManagementPolicy::Observe);
                });
            }
            Event::Look(number, seen) => self.look(number, seen),
            Event::Trouble(number) => {
                if let Some(object) = self.objects.get(&number).cloned()
                    && let Some(status) = &object.status
                {
                    let judged = status.subject_uid.is_some();
                    self.put(number, saying(object, "CloudUnreachable", judged));
                }
            }
            Event::Restart => {
                self.claims = Claims::default();
                if self.owner.is_some_and(|(_, gone)| gone.is_some()) {
                    self.owner = None;
                }
                for object in self.objects.values() {
                    note(&self.claims, object, self.uptime);
                }
            }
            Event::Make(..) => {}
        }
    }

    fn edit(&mut self, number: usize, change: impl FnOnce(&mut TaurusProxyPort)) {
        if let Some(mut object) = self.objects.remove(&number) {
            change(&mut object);
            self.put(number, object);
        }
    }

    fn put(&mut self, number: usize, object: TaurusProxyPort) {
        note(&self.claims, &object, self.uptime);
        self.objects.insert(number, object);
    }

    /// It looks, moves the port if it may, and writes what it has come to.
    fn look(&mut self, number: usize, seen: bool) {
        let Some(object) = self.objects.get(&number).cloned() else {
            return;
        };
        let uid = object.uid().unwrap();
        self.claims.looked(&uid, seen, at(self.uptime));
        if !seen {
            return;
        }
        if object.spec.management_policy.is_some() {
            self.put(number, saying(object, "Observed", false));
            return;
        }
        let uptime = at(self.uptime);
        let stands = self
            .claims
            .standing(&uid, Some(self.port), uptime, PATIENCE);
        let wanted = u16::try_from(object.spec.port).unwrap();
        let reason = match &stands {
            Standing::Owner => {
                if self.port != wanted {
                    self.moved_by(number);
                }
                self.port = wanted;
                self.owner = Some((number, None));
                "Settled"
            }
            Standing::Open(_) if self.port == wanted => return,
            Standing::Open(_) => "TakingOver",
            Standing::Claimed(_) => "ProxyClaimed",
            Standing::Contested(_) => "ProxyContested",
        };
        self.put(number, saying(object, reason, stands == Standing::Owner));
    }

    fn moved_by(&self, number: usize) {
        if let Some((owner, gone)) = self.owner
            && owner != number
        {
            let gone = gone.unwrap_or_else(|| panic!("{number} moves what {owner} manages"));
            let waited = self.uptime - gone;
            assert!(waited >= PATIENCE.as_secs(), "{number} waits {waited} s");
            assert!(
                !self.objects.contains_key(&owner) || waited >= PATIENCE.as_secs(),
                "{owner} is back"
            );
        }
    }

    fn may_move(&self) -> Vec<usize> {
        let movers = self.objects.iter().filter(|(_, object)| {
            let proven =
                self.claims.directory().entries[&*object.uid().unwrap()].proof == Proof::Given;
            let observes = object.spec.management_policy.is_some();
            let wanted = object.spec.port != i32::from(self.port);
            proven && !observes && wanted
        });
        // Asked of copies: the answer makes an owner.
        movers
            .filter(|(_, object)| {
                let uid = object.uid().unwrap();
                let mut directory = self.claims.directory();
                let before = directory.entries[&*uid].owns;
                let stands = directory.standing(&uid, Some(self.port), at(self.uptime), PATIENCE);
                directory.entries.get_mut(&*uid).unwrap().owns = before;
                stands == Standing::Owner
            })
            .map(|(number, _)| *number)
            .collect()
    }
}

proptest! {
    #[test]
    fn h15_one_at_most_may_move_a_proxy_and_none_that_an_owner_left_lately(
        events in vec((event(), 0..200_u64), 1..40),
    ) {
        let mut world = World {
            claims: Claims::default(),
            uptime: 1000,
            born: 0,
            port: 3306,
            objects: BTreeMap::new(),
            owner: None,
        };
        for (event, pause) in events {
            world.uptime += pause;
            world.happen(&event);
            let movers = world.may_move();
            prop_assert!(movers.len() <= 1, "{movers:?} after {event:?}");
        }
    }
}
