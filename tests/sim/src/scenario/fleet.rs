//! Projects, instances and proxies of a scenario.

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::fleet::Fleet;
use crate::{Mode, sample};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProjectNode {
    pub(super) id: Spanned<String>,
    /// The name by which IAM knows it; invented without it.
    name: Option<String>,
    #[serde(default)]
    pub(super) instances: Vec<InstanceNode>,
    /// This many more instances with a proxy each.
    #[serde(default)]
    pub(super) numbered: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstanceNode {
    pub(super) id: Spanned<String>,
    status: Option<String>,
    #[serde(default)]
    pub(super) proxies: Vec<ProxyNode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxyNode {
    pub(super) id: Spanned<String>,
    #[serde(default = "usual_port")]
    pub(super) port: Spanned<u16>,
    status: Option<String>,
    mode: Option<Mode>,
}

fn usual_port() -> Spanned<u16> {
    Spanned::new(
        sample::PORT,
        serde_saphyr::Location::UNKNOWN,
        serde_saphyr::Location::UNKNOWN,
    )
}

/// The fleet; what is wrong with it was found before.
pub(super) fn build(projects: &[ProjectNode]) -> Fleet {
    let mut fleet = Fleet::new();
    for project in projects {
        fleet = fleet.project(&project.id.value);
        if let (Some(name), Some(made)) = (&project.name, fleet.projects.last_mut()) {
            made.name.clone_from(name);
        }
        for instance in &project.instances {
            fleet = fleet.instance(&instance.id.value);
            if let Some(made) = fleet.instances.last_mut() {
                made.status.clone_from(&instance.status);
            }
            for proxy in &instance.proxies {
                fleet = fleet.proxy(&proxy.id.value, proxy.port.value);
                if let Some(made) = fleet.proxies.last_mut() {
                    made.status.clone_from(&proxy.status);
                    made.mode = proxy.mode;
                }
            }
        }
        fleet = fleet.numbered(project.numbered);
    }
    fleet
}
