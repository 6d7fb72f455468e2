//! `status --watch`: the same again, whenever something has changed.
//!
//! At a terminal the screen is drawn anew, at most once a second; elsewhere a line is printed for each resource that has changed.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    api::DynamicObject,
    runtime::{WatchStreamExt as _, watcher},
};

use super::{Fleet, Installed, One, fleet};
use crate::{
    Ending,
    cli::{Format, Global, StatusArguments},
    cluster::Cluster,
    failure::{Failure, with_causes},
    resource::Summary,
    surroundings::Surroundings,
    table::table,
};

/// No screen is drawn sooner after another one.
const PAUSE: Duration = Duration::from_secs(1);

/// Clears the screen and begins at its top.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J\u{1b}[3J";

/// Shows until the command is interrupted, or nobody reads it any more.
pub async fn run(
    cluster: &Cluster,
    global: &Global,
    arguments: &StatusArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    if matches!(global.output, Some(Format::Json | Format::Yaml)) {
        return Err(Failure::Usage(
            "--watch shows tables and names: leave -o json or -o yaml out".to_owned(),
        ));
    }
    let mut settings = watcher::Config::default();
    if let Some(name) = &arguments.name {
        settings = settings.fields(&format!("metadata.name={name}"));
    }
    if let Some(selector) = &arguments.selector {
        settings = settings.labels(selector);
    }
    let api = match arguments.name {
        Some(_) => cluster.resources_of(cluster.namespace()),
        None => cluster.resources(),
    };
    let mut events = watcher(api, settings).default_backoff().boxed();
    let mut shown = Shown::default();
    let mut drawn = tokio::time::interval(PAUSE);
    drawn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.try_next() => match event {
                Ok(Some(event)) => shown.take(event, around, cluster, arguments)?,
                Ok(None) => return Ok(Ending::Done),
                // The watch is begun anew by itself.
                Err(error) => writeln!(around.err, "the watch broke: {}", with_causes(&error))?,
            },
            _ = drawn.tick(), if around.terminal.columns.is_some() => {
                if shown.is_new {
                    let text = shown.screen(cluster, global, arguments, around).await;
                    around.out.write_all(format!("{CLEAR}{text}").as_bytes())?;
                    around.out.flush()?;
                }
            }
        }
    }
}

#[derive(Default)]
struct Shown {
    fleet: BTreeMap<(String, String), Summary>,
    one: Option<DynamicObject>,
    /// Whether it differs from what is on the screen.
    is_new: bool,
}

impl Shown {
    fn take(
        &mut self,
        event: watcher::Event<DynamicObject>,
        around: &mut Surroundings<'_>,
        cluster: &Cluster,
        arguments: &StatusArguments,
    ) -> Result<(), Failure> {
        let (object, is_gone) = match event {
            watcher::Event::Init => {
                self.fleet.clear();
                return Ok(());
            }
            watcher::Event::InitDone => {
                self.is_new = true;
                return Ok(());
            }
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => (object, false),
            watcher::Event::Delete(object) => (object, true),
        };
        let summary = Summary::of(&object);
        let key = (summary.namespace.clone(), summary.name.clone());
        let before = if is_gone {
            self.fleet.remove(&key)
        } else {
            self.fleet.insert(key, summary.clone())
        };
        self.one = (arguments.name.is_some() && !is_gone).then_some(object);
        let changed = is_gone || before.as_ref() != Some(&summary);
        self.is_new |= changed;
        if changed && around.terminal.columns.is_none() {
            let view = fleet::View {
                everywhere: cluster.everywhere(),
                all: true,
                wide: false,
                terminal: around.terminal,
                now: (around.now)(),
            };
            let mut row = fleet::row(&summary, &view);
            if is_gone && let Some(last) = row.last_mut() {
                *last = "deleted".into();
            }
            // The titles are those of a table, the widths of a line: who reads this is a program or a log.
            let text = table(&fleet::head(&view), &[row], around.terminal);
            let line = text.lines().nth(1).unwrap_or_default();
            writeln!(around.out, "{line}")?;
            around.out.flush()?;
        }
        Ok(())
    }

    async fn screen(
        &mut self,
        cluster: &Cluster,
        global: &Global,
        arguments: &StatusArguments,
        around: &Surroundings<'_>,
    ) -> String {
        self.is_new = false;
        let now = (around.now)();
        if arguments.name.is_some() {
            let Some(object) = &self.one else {
                return "the resource is not there\n".to_owned();
            };
            return One::of(object).shown(around.terminal, now);
        }
        let installed = Installed::look(cluster, &arguments.operator_namespace, now).await;
        let fleet = Fleet::new(self.fleet.values().cloned().collect(), installed);
        fleet.shown(&fleet::View {
            everywhere: cluster.everywhere(),
            all: arguments.all,
            wide: global.output == Some(Format::Wide),
            terminal: around.terminal,
            now,
        })
    }
}
