//! `import`: manifests for proxies that exist, from the cloud or from a Terraform state.
//!
//! Only reads. Promises that what it prints passes `lint` and changes nothing when it is applied: `managementPolicy: Observe`, and the
//! port as it was read. Names follow from the proxy alone, so that a later run gives the same proxy the same name; where the name is
//! another proxy's, the whole id stands in it.

mod checks;
mod cloud;
mod credentials;
mod existing;
mod found;
mod kustomization;
mod manifest;
mod progress;
mod report;
mod split;
mod tfstate;

use serde_json::Value;

use crate::{
    Ending,
    cli::{Format, Global, ImportArguments},
    cluster::Cluster,
    failure::Failure,
    format,
    surroundings::Surroundings,
};
use existing::Existing;
pub use found::{Found, Place};
pub use manifest::{Manifest, manifest_of};
pub use report::{Report, sorted_out};

/// Reads, and prints or writes what is not managed yet.
pub async fn run(
    global: &Global,
    arguments: &ImportArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let arguments = &checks::checked(global, arguments)?;
    let cluster = if arguments.no_cluster {
        None
    } else {
        Some(Cluster::find(global).await?)
    };
    let mut existing = match &cluster {
        Some(cluster) => Existing::of_cluster(cluster).await?,
        None => Existing::default(),
    };
    if let Some(folder) = &arguments.split {
        existing.read_folder(folder)?;
    }
    let (found, unread) = match &arguments.from_tfstate {
        Some(file) => (tfstate::read(file, arguments)?, Vec::new()),
        None => cloud::read(cluster.as_ref(), arguments, around).await?,
    };
    let settings = manifest::Settings {
        namespace: global.namespace.clone(),
        secret: arguments
            .credentials_ref
            .clone()
            .or_else(|| arguments.secret.clone()),
    };
    let (manifests, mut report) = sorted_out(found, &existing, &settings)?;
    report.unread = unread;
    match (&arguments.split, global.output) {
        (Some(folder), _) => report.written = Some(split::write(folder, &manifests)?),
        (None, Some(Format::Json)) => {
            let objects: Vec<&Value> = manifests.iter().map(|manifest| &manifest.object).collect();
            let both = serde_json::json!({"manifests": objects, "report": report});
            around.out.write_all(format::json(&both)?.as_bytes())?;
        }
        (None, Some(Format::Name)) => {
            for manifest in &manifests {
                around
                    .out
                    .write_all(crate::status::name_of(&manifest.name).as_bytes())?;
            }
        }
        (None, _) => {
            for manifest in &manifests {
                around.out.write_all(b"---\n")?;
                around.out.write_all(manifest.text.as_bytes())?;
            }
        }
    }
    around.err.write_all(report.shown().as_bytes())?;
    Ok(if report.unread.is_empty() && report.skipped.is_empty() {
        Ending::Done
    } else {
        Ending::Faults
    })
}
