//! The plugin in a real terminal: tmux draws it, and what stands on the screen is looked at.

use std::{
    process::{Command, Output},
    time::Instant,
};

use futures::{StreamExt as _, stream};
use kube::api::{Patch, PatchParams};
use serde_json::json;
use taurus_controlplane::needs;
use taurus_port_operator::crd::APPROVE;

use crate::plane::{PATIENCE, Place, status, with_completion};

const ROWS: usize = 24;

/// A terminal with a server of its own, which ends with it.
pub struct Screen<'p> {
    place: &'p Place,
    folder: tempfile::TempDir,
    columns: usize,
}

impl<'p> Screen<'p> {
    /// A terminal of so many columns, in which a command of the plugin runs, and which stays.
    pub fn with(place: &'p Place, columns: usize, line: &str) -> Self {
        let line = format!("kubectl taurus-port -n {} {line}; cat", place.namespace);
        Self::of(place, columns, &line)
    }

    /// The same with any command.
    fn of(place: &'p Place, columns: usize, line: &str) -> Self {
        if !Command::new("tmux")
            .arg("-V")
            .output()
            .is_ok_and(|it| it.status.success())
        {
            needs::lacking("tmux", "it makes terminals; Debian's package tmux has it");
        }
        let folder = tempfile::tempdir().unwrap();
        let screen = Self {
            place,
            folder,
            columns,
        };
        let (x, y) = (columns.to_string(), ROWS.to_string());
        let here = screen.folder.path().to_str().unwrap();
        let made = screen.tmux(&["new-session", "-d", "-x", &x, "-y", &y, "-c", here, line]);
        assert!(made.status.success(), "{made:?}");
        screen
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        with_completion(&mut tmux, &self.place.plane, self.folder.path())
            .env("HOME", self.folder.path())
            .env_remove("TMUX")
            .env_remove("NO_COLOR")
            .env("LC_ALL", "C.UTF-8")
            .arg("-S")
            .arg(self.folder.path().join("socket"))
            .args(["-f", "/dev/null"])
            .args(arguments)
            .output()
            .unwrap()
    }

    fn keys(&self, keys: &[&str]) {
        let sent = self.tmux(&[&["send-keys"][..], keys].concat());
        assert!(sent.status.success(), "{sent:?}");
    }

    /// What stands on the screen; with `joined` lines that were broken by the terminal are one.
    fn text(&self, joined: bool) -> String {
        let how = if joined { "-pJ" } else { "-p" };
        String::from_utf8(self.tmux(&["capture-pane", how]).stdout).unwrap()
    }

    /// The screen, once this stands on it.
    pub fn until(&self, wanted: &str) -> String {
        let began = Instant::now();
        loop {
            let text = self.text(false);
            if text.contains(wanted) {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "{wanted:?} never came: {text}");
        }
    }

    /// No line was broken by the terminal, and none is wider.
    pub fn fits(&self) {
        let lines = |joined: bool| -> Vec<String> {
            let text = self.text(joined);
            let lines = text.lines().map(|line| line.trim_end().to_owned());
            lines.collect()
        };
        let text = lines(false);
        assert_eq!(text, lines(true), "a line was broken");
        for line in &text {
            assert!(
                console::measure_text_width(line) <= self.columns,
                "{line:?}"
            );
        }
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

async fn fleet(place: &Place, count: usize) {
    stream::iter(0..count)
        .for_each_concurrent(8, |number| async move {
            let said = if number % 100 == 7 {
                status("Stalled", "PortRejected", 3306)
            } else {
                status("Ready", "Settled", 3307)
            };
            let spec = json!({"proxyID": format!("{number:032x}po01")});
            place.make(&format!("orders-{number}"), spec, said).await;
        })
        .await;
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn the_fleet_and_one_resource_fit_a_screen_of_80_and_of_200_columns() {
    let alone = Place::new().await;
    fleet(&alone, 1).await;
    for columns in [80, 200] {
        let screen = Screen::with(&alone, columns, "status");
        let text = screen.until("orders-0");
        assert!(text.starts_with("1 resource: 1 ready"), "{text}");
        screen.fits();
    }
    let place = Place::new().await;
    fleet(&place, 300).await;
    let mut said = status("Reconciling", "WaitingForApproval", 3306);
    let entry = |id: &str| {
        json!({"id": id, "fromPort": 3305, "toPort": 3306, "outcome": "Succeeded", "trigger": "Edit",
            "jobID": "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541", "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:01:00Z"})
    };
    said["lastChange"] = entry("b");
    said["history"] = json!([entry("b"), entry("a")]);
    said["plan"] = json!({"id": "00112233aabbccdd", "fromPort": 3306, "toPort": 3307, "madeAt": "2026-01-01T00:00:00Z",
        "waitsFor": ["Approval"]});
    place
        .make("users", json!({"approval": "Manual"}), said)
        .await;
    for columns in [80, 200] {
        let screen = Screen::with(&place, columns, "status");
        let text = screen.until("297 more are in order");
        let counts = "301 resources: 3 stalled, 1 reconciling, 297 ready, 1 planned";
        assert!(text.starts_with(counts), "{text}");
        screen.fits();

        let screen = Screen::with(&place, columns, "status users");
        let text = screen.until("access");
        assert!(
            text.starts_with(&format!("{}/users: Reconciling for ", place.namespace))
                && text
                    .lines()
                    .next()
                    .is_some_and(|line| line.contains(", WaitingForApproval")),
            "the first line is still there: {text}"
        );
        screen.fits();
        let coloured = screen.tmux(&["capture-pane", "-pe"]);
        assert!(coloured.stdout.contains(&0x1b), "colours at a terminal");

        let screen = Screen::with(&place, columns, "history users");
        screen.until("ENDED");
        screen.fits();
    }
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn a_person_is_asked_and_a_watch_is_drawn_anew() {
    let place = Place::new().await;
    let mut said = status("Reconciling", "WaitingForApproval", 3306);
    said["plan"] = json!({"id": "00112233aabbccdd", "fromPort": 3306, "toPort": 3307, "madeAt": "2026-01-01T00:00:00Z",
        "waitsFor": ["Approval"]});
    place
        .make("orders", json!({"approval": "Manual"}), said)
        .await;
    let approved = async || {
        let object = place.get("orders").await;
        object
            .metadata
            .annotations
            .unwrap_or_default()
            .remove(APPROVE)
    };
    let no = Screen::with(&place, 80, "approve orders");
    let question = no.until("Go on? [y/N]");
    assert!(question.contains("port 3306 to 3307"), "{question}");
    no.keys(&["n", "Enter"]);
    no.until("Nothing was changed.");
    assert_eq!(approved().await, None);
    let yes = Screen::with(&place, 80, "approve orders");
    yes.until("Go on? [y/N]");
    yes.keys(&["y", "Enter"]);
    yes.until("is approved");
    assert_eq!(approved().await.as_deref(), Some("00112233aabbccdd"));

    let watch = Screen::with(&place, 80, "status --watch");
    watch.until("WaitingForApproval");
    let ready = Patch::Merge(json!({"status": status("Ready", "Settled", 3307)}));
    let api = place.api();
    api.patch_status("orders", &PatchParams::default(), &ready)
        .await
        .unwrap();
    let drawn = watch.until("1 ready");
    assert!(
        !drawn.contains("WaitingForApproval"),
        "it is drawn anew: {drawn}"
    );
    watch.keys(&["C-c"]);

    // Of one resource all is shown that is shown without the watch.
    let instance = taurus_sim::Fleet::numbered_instance(1235);
    for (name, proxy) in [("carts", 1), ("stock", 2)] {
        let spec = json!({"instanceID": instance, "proxyID": format!("{proxy:032x}po01")});
        place
            .make(name, spec, status("Ready", "Settled", 3307))
            .await;
    }
    let one = Screen::with(&place, 200, "status carts --watch");
    one.until(&format!("{}/stock", place.namespace));
    one.keys(&["C-c"]);
}

/// The shells, and how each is begun without the settings of a person.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "bash --norc --noprofile -i"),
    ("zsh", "zsh -f -i"),
    ("fish", "fish --no-config --private -i"),
];

/// Those that can be had here, and those that can't.
fn shells() -> (Vec<(&'static str, &'static str)>, Vec<&'static str>) {
    let (found, lacking): (Vec<_>, Vec<_>) = SHELLS.into_iter().partition(|(shell, _)| {
        let found = Command::new(shell).arg("--version").output();
        found.is_ok_and(|output| output.status.success())
    });
    let lacking = lacking.into_iter().map(|(shell, _)| shell);
    (found, lacking.collect())
}

/// Names the shells in which nothing could be tried: they are no part of what a test may ask of a machine.
fn all_were_tried(lacking: &[&str]) {
    for one in lacking {
        println!("not tried, since it is not installed: {one}");
    }
}

/// The line by which a shell takes the script that a command prints.
fn taking(shell: &str, command: &str) -> String {
    match shell {
        "zsh" => format!("autoload -U compinit; compinit -u -D; source <({command})"),
        "fish" => format!("{command} | source"),
        _ => format!("source <({command})"),
    }
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn shells_complete_verbs_flags_names_and_files() {
    let place = Place::new().await;
    place.make("orders", json!({}), json!({})).await;
    let namespace = &place.namespace;
    let (found, lacking) = shells();
    for (shell, begun) in found {
        let screen = Screen::of(&place, 120, begun);
        let line = taking(shell, "kubectl-taurus_port completion $SHELL_NAME")
            .replace("$SHELL_NAME", shell);
        // The word stands on the screen only where it was run, not as it is typed.
        screen.keys(&[
            &format!("{line}; touch manifest.yaml; echo rea\"\"dy"),
            "Enter",
        ]);
        screen.until("ready");
        for (typed, completed) in [
            ("hist", "kubectl-taurus_port history ".to_owned()),
            (
                "status --oper",
                "kubectl-taurus_port status --operator-namespace ".to_owned(),
            ),
            (
                &format!("-n {namespace} history or"),
                format!("kubectl-taurus_port -n {namespace} history orders "),
            ),
            (
                "lint mani",
                "kubectl-taurus_port lint manifest.yaml ".to_owned(),
            ),
        ] {
            screen.keys(&["C-u", "C-l"]);
            screen.keys(&["-l", &format!("kubectl-taurus_port {typed}")]);
            screen.keys(&["Tab"]);
            // What is typed next stands behind a blank: the word was whole.
            screen.keys(&["-l", "x"]);
            screen.until(&format!("{completed}x"));
        }
    }
    all_were_tried(&lacking);
}

#[taurus_needs::test(flavor = "multi_thread")]
async fn kubectl_completes_names_in_each_shell() {
    /// What kubectl's script for bash builds upon.
    const BASH_COMPLETION: &str = "/usr/share/bash-completion/bash_completion";
    let place = Place::new().await;
    place.make("orders", json!({}), json!({})).await;
    let namespace = &place.namespace;
    let (found, mut lacking) = shells();
    for (shell, begun) in found {
        let mut line = taking(shell, &format!("kubectl completion {shell}"));
        if shell == "bash" {
            if !std::path::Path::new(BASH_COMPLETION).exists() {
                lacking.push("bash-completion");
                continue;
            }
            line = format!("source {BASH_COMPLETION}; {line}");
        }
        let screen = Screen::of(&place, 120, begun);
        screen.keys(&[&format!("{line}; echo rea\"\"dy"), "Enter"]);
        screen.until("ready");
        screen.keys(&["C-u", "C-l"]);
        screen.keys(&[
            "-l",
            &format!("kubectl taurus-port -n {namespace} history or"),
        ]);
        screen.keys(&["Tab"]);
        screen.until("history orders");
    }
    all_were_tried(&lacking);
}
