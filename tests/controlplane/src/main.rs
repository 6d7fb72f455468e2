//! Runs a control plane until it is interrupted, for trying things by hand.

use std::io::{self, Write as _};

use clap::Parser;
use taurus_controlplane::ControlPlane;

/// Run a Kubernetes control plane (kube-apiserver and etcd) on this machine until Ctrl-C, and say where its kubeconfig is.
///
/// The programs are those of `make control-plane`, or those in the folder that `KUBEBUILDER_ASSETS` names.
#[derive(Debug, Parser)]
struct Arguments;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments = Arguments::parse();
    let plane = ControlPlane::start().await?;
    let mut out = io::stdout();
    writeln!(out, "kube-apiserver is ready at {}", plane.url())?;
    writeln!(out, "kubeconfig: {}", plane.kubeconfig().display())?;
    writeln!(
        out,
        "try: {} --kubeconfig {} get ns",
        plane.kubectl().display(),
        plane.kubeconfig().display()
    )?;
    writeln!(out, "Ctrl-C ends it.")?;
    out.flush()?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
