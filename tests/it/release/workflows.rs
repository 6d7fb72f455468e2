//! The workflows for GitHub do nothing that can't be done elsewhere: actionlint judges the rest, in `make check`.

use std::fs;

use crate::world::tools::root;

#[test]
fn workflows_call_make_targets_alone_and_pin_actions_by_their_commit() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut count = 0;
    for entry in root().join(".github/workflows").read_dir().unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\npermissions:"), "{}", path.display());
        let (mut runs, mut uses) = (0, 0);
        for line in text.lines().map(str::trim) {
            if let Some(command) = line.strip_prefix("- run: ") {
                runs += 1;
                assert!(!command.contains([';', '&', '|', '`']), "{command}");
                let mut words = command.split(' ');
                assert_eq!(words.next(), Some("make"), "{command}");
                let targets = words.filter(|word| !word.contains('='));
                for target in targets {
                    assert!(makefile.contains(&format!("\n{target}:")), "{command}");
                }
            }
            if let Some(action) = line.strip_prefix("- uses: ") {
                uses += 1;
                let (action, release) = action.split_once(" # v").expect(action);
                let (_, commit) = action.split_once('@').unwrap();
                let hex = |it: char| it.is_ascii_hexdigit();
                assert!(commit.len() == 40 && commit.chars().all(hex), "{action}");
                assert_eq!(release.split('.').count(), 3, "{action}");
            }
        }
        assert!(runs > 0 && uses > 0, "{}", path.display());
        assert_eq!(text.matches(" run:").count(), runs, "each in one line");
        assert_eq!(text.matches(" uses:").count(), uses, "each in one line");
        count += 1;
    }
    assert_eq!(count, 2);
}

/// The jobs of a workflow, each with its name and its text.
fn jobs(workflow: &str) -> Vec<(&str, &str)> {
    let (_, jobs) = workflow.split_once("\njobs:\n").unwrap();
    let is_name = |line: &str| line.starts_with("  ") && !line.starts_with("   ");
    let mut found = Vec::new();
    for line in jobs.lines().filter(|line| is_name(line)) {
        let (_, rest) = jobs.split_once(&format!("{line}\n")).unwrap();
        let next = rest.lines().find(|line| is_name(line));
        let end = next.and_then(|next| rest.find(&format!("\n{next}\n")));
        let text = rest.get(..end.unwrap_or(rest.len())).unwrap();
        found.push((line.trim().trim_end_matches(':'), text));
    }
    found
}

#[test]
fn only_the_job_that_signs_may_prove_who_it_is_and_it_builds_nothing_of_the_release() {
    let commands = |job: &str| -> Vec<String> {
        let lines = job.lines().map(str::trim);
        let runs = lines.filter_map(|line| line.strip_prefix("- run: make "));
        runs.map(|it| it.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let workflow = |name: &str| {
        let path = root().join(".github/workflows").join(name);
        fs::read_to_string(path).unwrap()
    };
    let (ci, release) = (workflow("ci.yml"), workflow("release.yml"));
    let release = jobs(&release);
    let mut writing = Vec::new();
    for (name, job) in jobs(&ci).into_iter().chain(release.iter().copied()) {
        assert!(job.contains("    runs-on: "), "{name}: {job}");
        for line in job.lines().map(str::trim) {
            if let Some((right, _)) = line.split_once(": write") {
                writing.push((name, right));
            }
        }
    }
    assert_eq!(writing, [("sign", "id-token")]);
    let [(_, build), (_, sign)] = release[..] else {
        panic!("{release:?}");
    };
    let before = ["release-branch", "prepare-release", "release"];
    assert_eq!(commands(build), before);
    assert_eq!(commands(sign), ["sign"]);
    assert!(sign.contains("\n    environment: release\n"), "{sign}");
    assert!(sign.starts_with("    needs: build\n"), "{sign}");
}

#[test]
fn what_pip_installs_for_a_build_is_pinned_by_hash() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let installs: Vec<_> = makefile
        .lines()
        .filter(|line| line.contains("pip install"))
        .collect();
    assert!(installs.len() > 1, "{installs:?}");
    for line in installs {
        assert!(line.contains(" --require-hashes "), "{line}");
    }
}
