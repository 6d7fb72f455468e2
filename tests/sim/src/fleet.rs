//! The projects, instances and proxies that a simulator starts with.
//!
//! Promises that ids have the documented form and are unique, so that a test can't go wrong by a typing error in one.

use crate::{Mode, sample};

const NOBODY: &str = "";

/// Projects, instances and proxies. What is added belongs to what was added before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    pub(crate) projects: Vec<ProjectSpec>,
    pub(crate) instances: Vec<InstanceSpec>,
    pub(crate) proxies: Vec<ProxySpec>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProjectSpec {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceSpec {
    pub(crate) id: String,
    pub(crate) project: String,
    /// ACTIVE without it.
    pub(crate) status: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProxySpec {
    pub(crate) id: String,
    pub(crate) instance: String,
    pub(crate) port: u16,
    /// ACTIVE without it.
    pub(crate) status: Option<String>,
    pub(crate) mode: Option<Mode>,
}

/// Why a fleet can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// The id has not the documented form.
    #[error("{kind} id {id:?} is not {form}")]
    BadId {
        /// Of what.
        kind: &'static str,
        /// The id.
        id: String,
        /// The documented form.
        form: &'static str,
    },
    /// Two things have the same id.
    #[error("id {0:?} is there twice")]
    Twice(String),
    /// An instance or a proxy comes before anything that it could belong to.
    #[error("{0:?} belongs to nothing: name its project or instance first")]
    Orphan(String),
    /// Nothing listens on port 0.
    #[error("proxy {0:?} has port 0")]
    NoPort(String),
}

impl Fleet {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The two instances of [`sample`], with one proxy each.
    pub fn sample() -> Self {
        Self::new()
            .project(sample::PROJECT)
            .instance(sample::INSTANCE)
            .tag("team", "orders")
            .tag("cost center", "0042")
            .proxy(sample::PROXY, sample::PORT)
            .instance(sample::OTHER_INSTANCE)
            .proxy(sample::OTHER_PROXY, sample::PORT)
    }

    /// Adds a project. The first one is named [`sample::REGION`], further ones get a number.
    #[must_use]
    pub fn project(mut self, id: &str) -> Self {
        let name = match self.projects.len() {
            0 => sample::REGION.to_owned(),
            count => format!("{}_{}", sample::REGION, count + 1),
        };
        self.projects.push(ProjectSpec {
            id: id.to_owned(),
            name,
        });
        self
    }

    /// Adds an instance to the project that was added last.
    #[must_use]
    pub fn instance(self, id: &str) -> Self {
        let project = self
            .projects
            .last()
            .map_or(NOBODY, |project| &project.id)
            .to_owned();
        self.instance_in(&project, id)
    }

    /// Adds an instance to this project.
    #[must_use]
    pub fn instance_in(mut self, project: &str, id: &str) -> Self {
        self.instances.push(InstanceSpec {
            id: id.to_owned(),
            project: project.to_owned(),
            status: None,
            tags: Vec::new(),
        });
        self
    }

    /// Gives a tag to the instance that was added last.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        if let Some(instance) = self.instances.last_mut() {
            instance.tags.push((key.to_owned(), value.to_owned()));
        }
        self
    }

    /// Adds a proxy to the instance that was added last.
    #[must_use]
    pub fn proxy(self, id: &str, port: u16) -> Self {
        let instance = self
            .instances
            .last()
            .map_or(NOBODY, |instance| &instance.id)
            .to_owned();
        self.proxy_in(&instance, id, port)
    }

    /// Adds a proxy to this instance.
    #[must_use]
    pub fn proxy_in(mut self, instance: &str, id: &str, port: u16) -> Self {
        self.proxies.push(ProxySpec {
            id: id.to_owned(),
            instance: instance.to_owned(),
            port,
            status: None,
            mode: None,
        });
        self
    }

    /// Adds this many instances with one proxy each, port 3306, to the project that was added last. Their ids are
    /// [`Fleet::numbered_instance`] and [`Fleet::numbered_proxy`], counted from 0.
    #[must_use]
    pub fn numbered(self, count: usize) -> Self {
        let project = self
            .projects
            .last()
            .map_or(NOBODY, |project| &project.id)
            .to_owned();
        self.numbered_in(&project, count)
    }

    /// As [`Fleet::numbered`], for this project.
    #[must_use]
    pub fn numbered_in(mut self, project: &str, count: usize) -> Self {
        for number in 0..count {
            self = self
                .instance_in(project, &Self::numbered_instance(number))
                .proxy(&Self::numbered_proxy(number), sample::PORT);
        }
        self
    }

    /// The id of an instance that [`Fleet::numbered`] makes.
    pub fn numbered_instance(number: usize) -> String {
        format!("{number:032x}in07")
    }

    /// The id of a proxy that [`Fleet::numbered`] makes.
    pub fn numbered_proxy(number: usize) -> String {
        format!("{number:032x}po01")
    }

    /// Whether ids have the documented form, are unique, and belong to something.
    pub fn check(&self) -> Result<(), FleetError> {
        let mut ids = std::collections::BTreeSet::new();
        let mut unique = |id: &str| {
            if ids.insert(id.to_owned()) {
                Ok(())
            } else {
                Err(FleetError::Twice(id.to_owned()))
            }
        };
        for project in &self.projects {
            well_formed(IdKind::Project, &project.id)?;
            unique(&project.id)?;
        }
        for instance in &self.instances {
            well_formed(IdKind::Instance, &instance.id)?;
            unique(&instance.id)?;
            if !self
                .projects
                .iter()
                .any(|project| project.id == instance.project)
            {
                return Err(FleetError::Orphan(instance.id.clone()));
            }
        }
        for proxy in &self.proxies {
            well_formed(IdKind::Proxy, &proxy.id)?;
            unique(&proxy.id)?;
            if proxy.port == 0 {
                return Err(FleetError::NoPort(proxy.id.clone()));
            }
        }
        let known: std::collections::BTreeSet<&str> = self
            .instances
            .iter()
            .map(|instance| &*instance.id)
            .collect();
        match self
            .proxies
            .iter()
            .find(|proxy| !known.contains(&*proxy.instance))
        {
            Some(proxy) => Err(FleetError::Orphan(proxy.id.clone())),
            None => Ok(()),
        }
    }
}

/// What an id names; each kind has its documented form.
#[derive(Debug, Clone, Copy)]
pub(crate) enum IdKind {
    Project,
    Instance,
    Proxy,
}

impl IdKind {
    /// Whether the text is 32 letters or digits and the suffix of its kind.
    pub(crate) fn fits(self, id: &str) -> bool {
        let suffix = match self {
            Self::Project => "",
            Self::Instance => "in07",
            Self::Proxy => "po01",
        };
        id.strip_suffix(suffix).is_some_and(|body| {
            body.len() == 32 && body.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
    }
}

pub(crate) fn well_formed(kind: IdKind, id: &str) -> Result<(), FleetError> {
    let (name, form) = match kind {
        IdKind::Project => ("project", "32 letters or digits"),
        IdKind::Instance => ("instance", "32 letters or digits followed by in07"),
        IdKind::Proxy => ("proxy", "32 letters or digits followed by po01"),
    };
    if kind.fits(id) {
        Ok(())
    } else {
        Err(FleetError::BadId {
            kind: name,
            id: id.to_owned(),
            form,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_and_numbered_fleets_are_sound() {
        assert_eq!(Fleet::sample().check(), Ok(()));
        assert_eq!(Fleet::sample().numbered(300).check(), Ok(()));
    }

    #[test]
    fn a_fleet_that_cannot_be_is_refused_by_name() {
        let project = Fleet::new().project(sample::PROJECT);
        for (fleet, error) in [
            (
                Fleet::new().project("short"),
                r#"project id "short" is not 32 letters or digits"#.to_owned(),
            ),
            (
                project.clone().instance(sample::PROXY),
                format!(
                    "instance id {:?} is not 32 letters or digits followed by in07",
                    sample::PROXY
                ),
            ),
            (
                project.clone().project(sample::PROJECT),
                format!("id {:?} is there twice", sample::PROJECT),
            ),
            (
                project.clone().proxy(sample::PROXY, 3306),
                format!(
                    "{:?} belongs to nothing: name its project or instance first",
                    sample::PROXY
                ),
            ),
            (
                project.instance(sample::INSTANCE).proxy(sample::PROXY, 0),
                format!("proxy {:?} has port 0", sample::PROXY),
            ),
        ] {
            assert_eq!(fleet.check().unwrap_err().to_string(), error);
        }
    }
}
