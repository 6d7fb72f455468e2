//! Completions: scripts for shells, and answers for them and for kubectl's own completion of plugins.
//!
//! kubectl asks a program `kubectl_complete-taurus_port` with the words so far, and reads a word a line and then what the shell may
//! do besides; the scripts of bash, zsh and fish ask this program the same. Names of resources come from the cluster; where that
//! can't be asked soon, there are none.

use std::time::Duration;

use clap::{Arg, ArgAction, Command, CommandFactory as _, Parser as _, ValueEnum as _};
use clap_complete::Shell;
use kube::{ResourceExt, api::ListParams};

use crate::{
    cli::{Cli, CompletionArguments},
    cluster::Cluster,
    failure::Failure,
    surroundings::Surroundings,
};

/// The name under which this program answers kubectl.
pub const NAME: &str = "kubectl_complete-taurus_port";

/// The word after which a script gives the words so far.
pub const WORD: &str = "__complete";

/// The name under which kubectl finds it.
const PROGRAM: &str = "kubectl-taurus_port";

/// Nobody waits longer for a name.
const WITHIN: Duration = Duration::from_secs(3);

/// So many names are asked for.
const MOST: u32 = 500;

/// Files may be completed besides, or nothing else.
const WITH_FILES: &str = ":0";
const NOTHING_ELSE: &str = ":4";

/// The verbs whose words are names of resources.
const NAMED: [&str; 9] = [
    "status",
    "plan",
    "history",
    "approve",
    "apply-now",
    "retry",
    "suspend",
    "resume",
    "abandon-job",
];

/// Prints the script of a shell, for the program's own name. Those of other shells know no names of resources.
pub fn print(
    arguments: &CompletionArguments,
    around: &mut Surroundings<'_>,
) -> Result<(), Failure> {
    let script = match arguments.shell {
        Shell::Bash => include_bytes!("completion/complete.bash").to_vec(),
        Shell::Zsh => include_bytes!("completion/complete.zsh").to_vec(),
        Shell::Fish => include_bytes!("completion/complete.fish").to_vec(),
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut Cli::command(), PROGRAM, &mut script);
            script
        }
    };
    Ok(around.out.write_all(&script)?)
}

/// Answers kubectl: `words` are those after the plugin's name, the last one being typed.
pub async fn answer(words: &[String], around: &mut Surroundings<'_>) -> Result<(), Failure> {
    let mut found = fixed(words);
    if found.is_none() {
        let names = tokio::time::timeout(WITHIN, names(words)).await;
        found = Some((names.unwrap_or_default(), NOTHING_ELSE));
    }
    let (words_found, directive) = found.unwrap_or_default();
    let begun = words.last().map_or("", String::as_str);
    for word in words_found.iter().filter(|word| word.starts_with(begun)) {
        writeln!(around.out, "{word}")?;
    }
    writeln!(around.out, "{directive}")?;
    Ok(())
}

/// What can be said without a cluster; nothing where it is a name's turn.
fn fixed(words: &[String]) -> Option<(Vec<String>, &'static str)> {
    let command = Cli::command();
    let (begun, before) = match words.split_last() {
        Some((begun, before)) => (begun.as_str(), before),
        None => ("", words),
    };
    let verb = before.iter().find_map(|word| command.find_subcommand(word));
    let flags = || {
        command
            .get_arguments()
            .chain(verb.into_iter().flat_map(Command::get_arguments))
    };
    let is_of = |arg: &Arg, word: &str| {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        short.as_deref() == Some(word) || long.as_deref() == Some(word)
    };
    let takes_value = |arg: &&Arg| matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let last = before.last().map_or("", String::as_str);
    if let Some(flag) = flags().filter(takes_value).find(|arg| is_of(arg, last)) {
        let values = flag.get_possible_values();
        let values: Vec<String> = values
            .iter()
            .map(|value| value.get_name().to_owned())
            .collect();
        let directive = if values.is_empty() {
            WITH_FILES
        } else {
            NOTHING_ELSE
        };
        return Some((values, directive));
    }
    if begun.starts_with('-') {
        let flags = flags()
            .filter_map(Arg::get_long)
            .map(|long| format!("--{long}"));
        return Some((flags.collect(), NOTHING_ELSE));
    }
    match verb.map(Command::get_name) {
        None => {
            let verbs = command
                .get_subcommands()
                .map(|verb| verb.get_name().to_owned());
            Some((verbs.collect(), NOTHING_ELSE))
        }
        Some("completion") => {
            let shells = Shell::value_variants().iter().map(Shell::to_string);
            Some((shells.collect(), NOTHING_ELSE))
        }
        Some(verb) if NAMED.contains(&verb) => None,
        Some(_) => Some((Vec::new(), WITH_FILES)),
    }
}

/// The names of the resources in the namespace that the words lead to.
async fn names(words: &[String]) -> Vec<String> {
    let before = words.split_last().map_or(words, |(_, before)| before);
    // A verb may still lack what it needs: a name stands for it.
    let line = |more: &[&str]| {
        let program = std::iter::once(PROGRAM.to_owned());
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        Cli::try_parse_from(program.chain(before.iter().cloned()).chain(more))
    };
    let Ok(cli) = line(&[]).or_else(|_| line(&["name"])) else {
        return Vec::new();
    };
    let Ok(cluster) = Cluster::find_quietly(&cli.global).await else {
        return Vec::new();
    };
    let api = cluster.resources_of(cluster.namespace());
    let listed = api.list_metadata(&ListParams::default().limit(MOST)).await;
    let items = listed.map(|list| list.items).unwrap_or_default();
    items.iter().map(ResourceExt::name_any).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<(Vec<String>, &'static str)> {
        fixed(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn verbs_flags_and_values_are_completed_and_names_are_left_to_the_cluster() {
        let (verbs, directive) = words("st").unwrap();
        assert!(verbs.iter().any(|verb| verb == "status") && directive == NOTHING_ELSE);
        assert!(
            words("-n shop status -")
                .unwrap()
                .0
                .contains(&"--watch".to_owned())
        );
        assert!(
            words("status -")
                .unwrap()
                .0
                .contains(&"--namespace".to_owned())
        );
        assert_eq!(
            words("status -o ").unwrap().0,
            ["json", "yaml", "name", "wide"]
        );
        assert_eq!(words("status -n ").unwrap(), (Vec::new(), WITH_FILES));
        assert_eq!(words("lint ").unwrap(), (Vec::new(), WITH_FILES));
        let shells = words("completion ").unwrap().0;
        assert!(shells.contains(&"fish".to_owned()), "{shells:?}");
        for line in ["status ", "-n shop suspend or", "abandon-job "] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn all_verbs_that_take_names_are_verbs() {
        let command = Cli::command();
        for verb in NAMED {
            assert!(command.find_subcommand(verb).is_some(), "{verb}");
        }
    }
}
