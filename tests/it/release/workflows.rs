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
            if let Some((right, _)) = line.split_once(": write") {
                assert_eq!(right, "id-token", "cosign's certificate asks for it");
            }
        }
        assert!(runs > 0 && uses > 0, "{}", path.display());
        assert_eq!(text.matches(" run:").count(), runs, "each in one line");
        assert_eq!(text.matches(" uses:").count(), uses, "each in one line");
        count += 1;
    }
    assert_eq!(count, 2);
}
