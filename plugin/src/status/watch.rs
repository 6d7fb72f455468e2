//! `status --watch`: the same again, whenever something has changed.
//!
//! At a terminal the screen is drawn anew, at most once a second; elsewhere a line is printed for each resource that has changed.

use std::{collections::BTreeMap, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _};
use kube::{
    api::DynamicObject,
    runtime::{WatchStreamExt as _, watcher},
};

use super::{Fleet, Installed, One, fleet, one};
use crate::{
    Ending,
    cli::{Format, Global, StatusArguments},
    cluster::Cluster,
    failure::Failure,
    format,
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
        // A name that is missing is told as without the watch.
        cluster.get(name).await?;
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
    // A screen shows tables; names and what is no terminal are lines.
    let is_screen = around.terminal.columns.is_some() && global.output != Some(Format::Name);
    let mut drawn = tokio::time::interval(PAUSE);
    drawn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.try_next() => match event {
                Ok(Some(event)) => {
                    if let Some((summary, is_gone)) = shown.take(event, arguments)
                        && !is_screen
                    {
                        line(&summary, is_gone, cluster, global, around)?;
                    }
                }
                Ok(None) => return Ok(Ending::Done),
                Err(error) => {
                    let (failure, is_final) = broken(&error);
                    if is_final {
                        return Err(failure);
                    }
                    // The watch is begun anew by itself.
                    writeln!(around.err, "the watch broke and is begun anew: {failure}")?;
                }
            },
            _ = drawn.tick(), if is_screen => {
                if shown.is_new {
                    let text = shown.screen(cluster, global, arguments, around).await;
                    around.out.write_all(format!("{CLEAR}{text}").as_bytes())?;
                    around.out.flush()?;
                }
            }
        }
    }
}

/// What is said of a watch that broke, and whether it would break again: who may not list or watch, or asks for what is not there.
fn broken(error: &watcher::Error) -> (Failure, bool) {
    let failed = |what: &str, error: &kube::Error| {
        let refused = match error {
            kube::Error::Api(status) => matches!(status.code, 401 | 403 | 404),
            _ => false,
        };
        (Failure::kubernetes(what, error), refused)
    };
    match error {
        watcher::Error::InitialListFailed(error) => failed("can't list the resources", error),
        watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
            failed("can't watch the resources", error)
        }
        watcher::Error::WatchError(status) => failed(
            "can't watch the resources",
            &kube::Error::Api(status.clone()),
        ),
        watcher::Error::NoResourceVersion => {
            let failure = Failure::Kubernetes {
                what: "can't watch the resources".to_owned(),
                why: error.to_string(),
            };
            (failure, true)
        }
    }
}

/// Prints what has changed, in a line of its own: who reads it is a program or a log.
fn line(
    summary: &Summary,
    is_gone: bool,
    cluster: &Cluster,
    global: &Global,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    if global.output == Some(Format::Name) {
        around
            .out
            .write_all(format::resource_line(&summary.name).as_bytes())?;
        return Ok(around.out.flush()?);
    }
    let view = fleet::View {
        everywhere: cluster.everywhere(),
        all: true,
        wide: global.output == Some(Format::Wide),
        terminal: around.terminal,
        now: (around.now)(),
    };
    let mut row = fleet::row(summary, &view);
    if is_gone && let Some(last) = row.last_mut() {
        *last = "deleted".into();
    }
    // The titles are those of a table, the widths of a line.
    let text = table(&fleet::head(&view), &[row], around.terminal);
    let line = text.lines().nth(1).unwrap_or_default();
    writeln!(around.out, "{line}")?;
    Ok(around.out.flush()?)
}

#[derive(Default)]
struct Shown {
    fleet: BTreeMap<(String, String), Summary>,
    one: Option<DynamicObject>,
    /// Whether it differs from what is on the screen.
    is_new: bool,
}

impl Shown {
    /// Keeps what has come; gives what changed in it for a line, and whether it is gone.
    fn take(
        &mut self,
        event: watcher::Event<DynamicObject>,
        arguments: &StatusArguments,
    ) -> Option<(Summary, bool)> {
        let (object, is_gone) = match event {
            watcher::Event::Init => {
                self.fleet.clear();
                self.one = None;
                return None;
            }
            watcher::Event::InitDone => {
                self.is_new = true;
                return None;
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
        let has_name = arguments.name.is_some();
        self.one = (has_name && !is_gone).then_some(object);
        let changed = is_gone || before.as_ref() != Some(&summary);
        // The screen of one resource shows more than a line does.
        self.is_new |= changed || has_name;
        changed.then_some((summary, is_gone))
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
            let mut terminal = around.terminal;
            if global.output == Some(Format::Wide) {
                terminal.columns = None;
            }
            let one = One::of(object).with_neighbours(one::neighbours(cluster, object).await);
            return one.shown(terminal, now);
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

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn refusal(code: u16) -> kube::Error {
        let status = Status::failure("no", "Forbidden").with_code(code);
        kube::Error::Api(status.boxed())
    }

    #[test]
    fn a_watch_that_can_not_work_ends_and_one_that_broke_goes_on() {
        for (error, is_final) in [
            (watcher::Error::InitialListFailed(refusal(403)), true),
            (watcher::Error::InitialListFailed(refusal(401)), true),
            (watcher::Error::InitialListFailed(refusal(404)), true),
            (watcher::Error::WatchStartFailed(refusal(403)), true),
            (watcher::Error::InitialListFailed(refusal(500)), false),
            (watcher::Error::WatchStartFailed(refusal(429)), false),
            (watcher::Error::NoResourceVersion, true),
        ] {
            assert_eq!(broken(&error).1, is_final, "{error}");
        }
        let (failure, _) = broken(&watcher::Error::InitialListFailed(refusal(403)));
        assert_eq!(
            failure.to_string(),
            "can't list the resources: the API server refused: no"
        );
    }
}
