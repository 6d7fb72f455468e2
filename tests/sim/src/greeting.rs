//! What the program says once it listens: first its address, in a line that other programs read.

use std::fmt::Write as _;

use taurus_sim::{Simulator, Time, sample};

/// More proxies than these are only counted.
const SHOWN: usize = 8;

/// The address, the fleet, who may call, and how to look. Credentials that were given are not repeated.
pub(crate) fn text(simulator: &Simulator, credentials_given: bool) -> String {
    let mut text = format!("taurus-sim listening on {}\n\n", simulator.url());
    // Writing to a String can't fail.
    let _ = fleet(&mut text, simulator);
    let _ = credentials(&mut text, credentials_given);
    let _ = controls(&mut text, simulator);
    text
}

fn fleet(text: &mut String, simulator: &Simulator) -> std::fmt::Result {
    let state = simulator.state();
    let proxies: usize = state
        .instances
        .iter()
        .map(|instance| instance.proxies.len())
        .sum();
    writeln!(
        text,
        "{:<34} {:<38} {:<38} port",
        "project", "instance", "proxy"
    )?;
    let rows = state.instances.iter().flat_map(|instance| {
        let row = move |proxy| (&instance.project, &instance.id, proxy);
        instance.proxies.iter().map(row)
    });
    for (project, instance, proxy) in rows.take(SHOWN) {
        writeln!(
            text,
            "{project:<34} {instance:<38} {:<38} {}",
            proxy.id, proxy.listed_port
        )?;
    }
    if proxies > SHOWN {
        writeln!(
            text,
            "... and {} more proxies: GET /_sim/state",
            proxies - SHOWN
        )?;
    }
    writeln!(text)
}

fn credentials(text: &mut String, given: bool) -> std::fmt::Result {
    if given {
        return writeln!(text, "Credentials: those that were given.\n");
    }
    writeln!(
        text,
        "Access key: {} with secret key {}",
        sample::ACCESS_KEY,
        sample::SECRET_KEY
    )?;
    let (domain, user, password) = (sample::DOMAIN, sample::USER, sample::PASSWORD);
    writeln!(
        text,
        "User:       {user} of account {domain} with password {password}\n"
    )
}

fn controls(text: &mut String, simulator: &Simulator) -> std::fmt::Result {
    let (url, behaviour, plan) = (
        simulator.url(),
        simulator.behaviour(),
        simulator.state().default_job,
    );
    let time = match simulator.time() {
        Time::Automatic => "Time passes by itself",
        Time::Stepped => "Time moves by POST /_sim/clock/advance only",
    };
    let (duration, hidden) = (plan.duration, plan.visible_after);
    writeln!(
        text,
        "{time}. Mode {:?}; jobs take {duration:?} and can be queried after {hidden:?}.",
        behaviour.mode
    )?;
    if let Some(chaos) = simulator.chaos() {
        writeln!(text, "Faults come by chance, out of seed {}.", chaos.seed)?;
    }
    writeln!(text, "Every request: curl {url}/_sim/journal")
}
