//! `status`: the fleet on one screen, and all about one resource on another.

pub mod calendar;
mod fleet;
mod installed;
mod one;
mod watch;

use crate::{
    Ending,
    cli::{Format, Global, StatusArguments},
    cluster::Cluster,
    failure::Failure,
    format,
    surroundings::Surroundings,
};

pub use fleet::Fleet;
pub use installed::Installed;
pub use one::One;

/// Shows what is asked for, once or again and again.
pub async fn run(
    global: &Global,
    arguments: &StatusArguments,
    around: &mut Surroundings<'_>,
) -> Result<Ending, Failure> {
    let cluster = Cluster::find(global).await?;
    if arguments.watch {
        return watch::run(&cluster, global, arguments, around).await;
    }
    let text = match &arguments.name {
        Some(name) => show_one(&cluster, name, global, around).await?,
        None => show_fleet(&cluster, arguments, global, around).await?,
    };
    around.out.write_all(text.as_bytes())?;
    Ok(Ending::Done)
}

async fn show_fleet(
    cluster: &Cluster,
    arguments: &StatusArguments,
    global: &Global,
    around: &Surroundings<'_>,
) -> Result<String, Failure> {
    let selector = arguments.selector.as_deref();
    let installed = Installed::look(cluster, &arguments.operator_namespace, (around.now)());
    let (summaries, installed) = futures::join!(cluster.summaries(selector), installed);
    let fleet = Fleet::new(summaries?, installed);
    match global.output {
        None | Some(Format::Wide) => Ok(fleet.shown(&fleet::View {
            everywhere: cluster.everywhere(),
            all: arguments.all,
            wide: global.output == Some(Format::Wide),
            terminal: around.terminal,
            now: (around.now)(),
        })),
        Some(Format::Name) => Ok(fleet.names()),
        Some(Format::Json) => format::json(&fleet),
        Some(Format::Yaml) => format::yaml(&fleet),
    }
}

async fn show_one(
    cluster: &Cluster,
    name: &str,
    global: &Global,
    around: &Surroundings<'_>,
) -> Result<String, Failure> {
    let object = cluster.get(name).await?;
    let one = One::of(&object);
    if global.output == Some(Format::Name) {
        return Ok(format::resource_line(one.name()));
    }
    let one = one.with_neighbours(one::neighbours(cluster, &object).await);
    match global.output {
        Some(Format::Json) => format::json(&one),
        Some(Format::Yaml) => format::yaml(&one),
        _ => {
            let mut terminal = around.terminal;
            if global.output == Some(Format::Wide) {
                terminal.columns = None;
            }
            Ok(one.shown(terminal, (around.now)()))
        }
    }
}
