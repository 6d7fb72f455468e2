//! The ids of a scenario: their form, that each is there once, and that what is named elsewhere is among them.

use std::collections::BTreeSet;

use serde_saphyr::{Location, Spanned};

use super::Wrong;
use super::fleet::ProjectNode;
use crate::fleet::{Fleet, FleetError, IdKind, well_formed};
use crate::{Effect, Fault};

/// All instances and proxies.
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// Collects the ids, in the order of the file.
    pub(super) fn of(projects: &[ProjectNode]) -> Result<Self, Wrong> {
        let mut names = Self(BTreeSet::new());
        for (number, project) in projects.iter().enumerate() {
            let field = format!("projects[{number}]");
            names.add(IdKind::Project, &project.id, &field)?;
            for count in 0..project.numbered {
                names.0.insert(Fleet::numbered_instance(count));
                names.0.insert(Fleet::numbered_proxy(count));
            }
            for (number, instance) in project.instances.iter().enumerate() {
                let field = format!("{field}.instances[{number}]");
                names.add(IdKind::Instance, &instance.id, &field)?;
                for (number, proxy) in instance.proxies.iter().enumerate() {
                    let field = format!("{field}.proxies[{number}]");
                    names.add(IdKind::Proxy, &proxy.id, &field)?;
                    if proxy.port.value == 0 {
                        return Err(Wrong {
                            at: proxy.port.referenced,
                            field: format!("{field}.port"),
                            what: "nothing listens on port 0".to_owned(),
                        });
                    }
                }
            }
        }
        if projects.is_empty() {
            let sample = Fleet::sample();
            let instances = sample.instances.into_iter().map(|instance| instance.id);
            let proxies = sample.proxies.into_iter().map(|proxy| proxy.id);
            names.0.extend(instances.chain(proxies));
        }
        Ok(names)
    }

    /// Whether an instance or a proxy has this id.
    pub(super) fn check(&self, id: &str, at: Location, field: &str) -> Result<(), Wrong> {
        if self.0.contains(id) {
            return Ok(());
        }
        Err(Wrong {
            at,
            field: field.to_owned(),
            what: format!("no instance and no proxy is {id:?}"),
        })
    }

    /// Whether a rule names only what is there.
    pub(super) fn check_fault(&self, number: usize, rule: &Spanned<Fault>) -> Result<(), Wrong> {
        let Fault {
            matches, effect, ..
        } = &rule.value;
        let hidden = match effect {
            Effect::Hide(id) => Some(id),
            _ => None,
        };
        for (id, field) in [
            (matches.instance.as_ref(), "match.instance"),
            (matches.proxy.as_ref(), "match.proxy"),
            (hidden, "effect.hide"),
        ] {
            if let Some(id) = id {
                let field = format!("faults[{number}].{field}");
                self.check(id, rule.referenced, &field)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, kind: IdKind, id: &Spanned<String>, field: &str) -> Result<(), Wrong> {
        let wrong = |error: FleetError| Wrong {
            at: id.referenced,
            field: format!("{field}.id"),
            what: error.to_string(),
        };
        well_formed(kind, &id.value).map_err(wrong)?;
        if self.0.insert(id.value.clone()) {
            Ok(())
        } else {
            Err(wrong(FleetError::Twice(id.value.clone())))
        }
    }
}
