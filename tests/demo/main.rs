//! The main job as a user sees it: a resource is applied, its proxy's port moves while an application queries, drift is put right,
//! nonsense is refused.
//!
//! Relies on the programs that `make demo` builds. The control plane is real, the cloud is simulated, and there is no
//! kubelet: the operator runs beside the control plane, as its own program with the rights of its service account. Promises
//! to end by itself where nobody is watching, with an error if something was not seen; else to stay until Ctrl-C.
#![expect(
    clippy::disallowed_methods,
    reason = "this is no part of the operator: it waits, and looks around"
)]

use std::{
    error::Error,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::time::timeout;

mod application;
mod cluster;
mod programs;
mod table;

use application::Application;
use cluster::Cluster;
use programs::{Operator, Simulator};
use table::Row;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The proxy of `orders.yaml`.
const PROXY: &str = "4d1f0a77c2b94e5f8a6031d7be92c405po01";

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Show the operator at work against a simulated cloud, on this machine, then stay until Ctrl-C.
///
/// `make demo` builds what it runs, and starts it.
#[derive(Debug, clap::Parser)]
struct Arguments;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Arguments = clap::Parser::parse();
    let began = Instant::now();
    let stage = Stage::set().await?;
    stage.play().await?;
    say(&format!(
        "Seen all of it in {} s.",
        began.elapsed().as_secs()
    ))?;
    if is_watched() {
        stage.stay().await?;
    }
    stage.strike().await
}

/// Whether somebody is watching.
fn is_watched() -> bool {
    let unattended = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    !unattended && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// All that runs.
struct Stage {
    cluster: Cluster,
    simulator: Simulator,
    operator: Operator,
    application: Application,
}

impl Stage {
    async fn set() -> Result<Self> {
        title("Starting a Kubernetes API server with its etcd")?;
        let cluster = Cluster::start().await?;
        say(&format!("It listens at {}.", cluster.url()))?;
        title("Starting a simulated cloud whose changes take 6 seconds")?;
        let simulator = Simulator::start().await?;
        say(&format!(
            "It listens at {}, with two proxies on port 3306.",
            simulator.url()
        ))?;
        title(
            "Installing the custom resource and the operator's rights, and starting the operator",
        )?;
        for files in [
            ["-k", "crds"],
            ["-f", "deploy/base/namespace.yaml"],
            ["-f", "deploy/base/rbac.yaml"],
            ["-f", "deploy/components/services/rbac.yaml"],
        ] {
            cluster
                .kubectl(&["apply", "--server-side", files[0], files[1]])
                .await?;
        }
        cluster.kubectl(&["create", "namespace", "demo"]).await?;
        let rights = cluster.operator_kubeconfig().await?;
        let operator = Operator::start(&rights, simulator.url()).await?;
        say(&format!(
            "It is ready, and serves /livez, /readyz and /metrics at {}.",
            operator.url()
        ))?;
        say(
            "There are no pods here, so it runs as a program of its own, a good deal hurried: --pace 20, --resync 5s.",
        )?;
        title("Starting an application that queries by way of the Service orders-db")?;
        let client = cluster.client().await?;
        let application = Application::start(client, simulator.cloud()).await?;
        say(
            "There is no kube-proxy here: a small forwarder leads new connections to where the EndpointSlice leads, and the proxy answers \
             only at the port where the cloud has it. The application is never told of another address.",
        )?;
        Ok(Self {
            cluster,
            simulator,
            operator,
            application,
        })
    }

    async fn play(&self) -> Result<()> {
        title("Applying a resource that wants port 3307")?;
        let manifest = self.manifest()?;
        self.show(&["apply", "-f", path(&manifest)?]).await?;
        let began = self.application.answered().await?;
        say(
            "The application queries its database: the Service leads to the old port until the new one is verified.",
        )?;
        self.watch("the wanted port", |row| {
            row.ready == "True" && row.actual == "3307"
        })
        .await?;
        self.tell_of_application(began).await?;
        self.show(&["get", "tpp", "-n", "demo", "-o", "wide"])
            .await?;
        self.show(&["describe", "tpp", "orders", "-n", "demo"])
            .await?;
        self.expect_changes(1).await?;

        title("Somebody changes the port behind the operator's back, to 3399")?;
        let began = Instant::now();
        self.simulator.set_port(PROXY, 3399).await?;
        self.watch("the drift", |row| row.ready != "True").await?;
        self.watch("the port put right", |row| {
            row.ready == "True" && row.actual == "3307"
        })
        .await?;
        self.tell_of_application(began).await?;
        self.show(&[
            "get",
            "events",
            "-n",
            "demo",
            "--sort-by=.metadata.creationTimestamp",
        ])
        .await?;
        self.expect_changes(2).await?;

        title("Asking for a port that the service keeps for itself")?;
        let patch = r#"{"spec":{"port":20000}}"#;
        let refusal = self
            .cluster
            .refusal(&[
                "patch",
                "tpp",
                "orders",
                "-n",
                "demo",
                "--type=merge",
                "-p",
                patch,
            ])
            .await?;
        say(&format!(
            "$ kubectl patch tpp orders -n demo --type=merge -p '{patch}'\n{}",
            refusal.trim()
        ))?;
        if !refusal.contains("spec.port") {
            return Err("the refusal does not name the field".into());
        }
        self.expect_changes(2).await
    }

    /// Prints a row whenever it has changed, until it is as wanted.
    async fn watch(&self, what: &str, is: impl Fn(&Row) -> bool) -> Result<()> {
        let watching = async {
            let mut last = None;
            loop {
                let row = Row::read(&self.cluster.kubectl(&table::COMMAND).await?)?;
                if last.as_ref() != Some(&row) {
                    say(&row.to_string())?;
                }
                if is(&row) {
                    return Ok(());
                }
                last = Some(row);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        match timeout(PATIENCE, watching).await {
            Ok(result) => result,
            Err(_) => Err(format!("{what} was not seen within {} s", PATIENCE.as_secs()).into()),
        }
    }

    /// What the application saw of a move of the port; it queries again by now.
    async fn tell_of_application(&self, began: Instant) -> Result<()> {
        self.application.answered().await?;
        let tally = self.application.since(began);
        say(&format!("The application saw: {tally}."))
    }

    async fn expect_changes(&self, wanted: usize) -> Result<()> {
        let changes = self.simulator.changes(PROXY).await?;
        say(&format!(
            "The cloud was asked for a change of this proxy {changes} time(s) so far."
        ))?;
        if changes == wanted {
            Ok(())
        } else {
            Err(format!("{wanted} would have been right").into())
        }
    }

    async fn show(&self, arguments: &[&str]) -> Result<()> {
        let output = self.cluster.kubectl(arguments).await?;
        say(&format!(
            "$ kubectl {}\n{}",
            arguments.join(" "),
            output.trim_end()
        ))
    }

    fn manifest(&self) -> Result<PathBuf> {
        let text = include_str!("orders.yaml").replace("${ENDPOINT}", self.simulator.url());
        let file = self.cluster.folder().join("orders.yaml");
        std::fs::write(&file, text)?;
        Ok(file)
    }

    async fn stay(&self) -> Result<()> {
        title("All of it keeps running. Try in another terminal:")?;
        say(&format!(
            "export KUBECONFIG={}\nalias kubectl={}\nkubectl get tpp -A -w\nkubectl patch tpp orders -n demo --type=merge -p '{{\"spec\":{{\"port\":3310}}}}'\n\
             curl -s {}/_sim/state\ncurl -s {}/metrics\nThe manifest is {}. The operator's log is {}.\nCtrl-C ends everything.",
            self.cluster.kubeconfig().display(),
            self.cluster.kubectl_path().display(),
            self.simulator.url(),
            self.operator.url(),
            self.cluster.folder().join("orders.yaml").display(),
            self.operator.log().display(),
        ))?;
        Ok(tokio::signal::ctrl_c().await?)
    }

    /// Ends the operator as a pod is ended, and everything else after it.
    async fn strike(self) -> Result<()> {
        title("Ending the operator and everything else")?;
        timeout(PATIENCE, self.operator.end()).await??;
        self.simulator.end().await
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| "a path is no text".into())
}

fn title(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "\n=== {text}")?)
}

fn say(text: &str) -> Result<()> {
    Ok(writeln!(io::stdout(), "{text}")?)
}
