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

use std::io::Write;

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
        Some(Cluster::find(global).await.map_err(|failure| match failure {
            Failure::Kubeconfig(why) => Failure::Kubeconfig(format!(
                "{why}; it is asked which proxies are managed already, and --no-cluster does without that"
            )),
            other => other,
        })?)
    };
    let mut existing = match &cluster {
        Some(cluster) => Existing::of_cluster(cluster).await?,
        None => Existing::default(),
    };
    if let Some(folder) = &arguments.split {
        existing.read_folder(folder)?;
    }
    let read = match &arguments.from_tfstate {
        Some(file) => cloud::Read {
            found: tfstate::read(file, arguments)?,
            ..cloud::Read::default()
        },
        None => cloud::read(cluster.as_ref(), arguments, around).await?,
    };
    let settings = manifest::Settings {
        namespace: global.namespace.clone(),
        secret: arguments
            .credentials_ref
            .clone()
            .or_else(|| arguments.secret.clone()),
    };
    let (manifests, mut report) = sorted_out(read.found, &existing, &settings)?;
    report.unread = read.unread;
    report.earlier = read.earlier;
    if let Some(folder) = &arguments.split {
        report.written = Some(split::write(folder, &manifests)?);
    }
    print(&manifests, &report, (global, arguments), around.out)?;
    around.err.write_all(report.shown().as_bytes())?;
    Ok(if report.is_whole() {
        Ending::Done
    } else {
        Ending::Faults
    })
}

/// Prints what `-o` asks for; without it the manifests, unless they are in files.
fn print(
    manifests: &[Manifest],
    report: &Report,
    (global, arguments): (&Global, &ImportArguments),
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match global.output {
        Some(Format::Json) => {
            let objects: Vec<&Value> = manifests.iter().map(|manifest| &manifest.object).collect();
            let both = serde_json::json!({"manifests": objects, "report": report});
            out.write_all(format::json(&both)?.as_bytes())?;
        }
        Some(Format::Name) => {
            for manifest in manifests {
                out.write_all(format::resource_line(&manifest.name).as_bytes())?;
            }
        }
        None | Some(Format::Wide) if arguments.split.is_some() => {}
        None | Some(Format::Yaml | Format::Wide) => {
            for manifest in manifests {
                out.write_all(b"---\n")?;
                out.write_all(manifest.text.as_bytes())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_printed_also_beside_files() {
        let manifest = Manifest {
            name: "orders-00000001".to_owned(),
            object: serde_json::json!({"kind": "TaurusProxyPort"}),
            text: "kind: TaurusProxyPort\n".to_owned(),
            file: None,
        };
        let printed = |output: Option<Format>, split: bool| {
            let global = Global {
                output,
                ..Global::default()
            };
            let arguments = ImportArguments {
                split: split.then(|| "ports".into()),
                ..ImportArguments::default()
            };
            let mut out = Vec::new();
            let (manifests, report) = ([manifest.clone()], Report::default());
            print(&manifests, &report, (&global, &arguments), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        for split in [false, true] {
            let json = printed(Some(Format::Json), split);
            let json: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["manifests"][0]["kind"], "TaurusProxyPort");
            assert!(json["report"].is_object());
            assert!(printed(Some(Format::Yaml), split).starts_with("---\nkind: "));
            assert!(printed(Some(Format::Name), split).contains("orders-00000001"));
        }
        assert!(printed(None, false).starts_with("---\nkind: "));
        assert_eq!(printed(None, true), "");
    }
}
