//! The pages for people in a hurry: the front page stays short, its commands are those that other tests type, its picture is
//! the one of its text, and each question of an adopter has an answer.

use std::{path::Path, process::Command};

use taurus_port_operator::crd;

use super::Page;
use crate::{
    docs::held,
    world::{
        shell::blocks,
        tools::{printed, root},
    },
};

/// As many words as somebody reads in a few minutes, those of its blocks and links included.
const WORDS: usize = 700;

/// How many questions a platform team asks before it adopts an operator.
const QUESTIONS: usize = 25;

/// What an answer may begin with.
const VERDICTS: [&str; 3] = ["Yes", "Partly", "No"];

#[test]
fn the_front_page_is_read_in_minutes_and_begins_with_what_was_never_tried() {
    let front = Page::read("README.md");
    let words = front.text.split_whitespace().count();
    assert!(words <= WORDS, "README.md has {words} words");
    let (head, _) = front.text.split_once("\n## ").unwrap();
    assert!(
        head.contains("never run against the real service"),
        "{head}"
    );
    assert!(head.contains("not by Huawei"), "{head}");
}

/// The lines of the commands of a page, without the marks of those that go on.
fn lines(page: &Page) -> impl Iterator<Item = &str> {
    let lines = blocks(&page.text).flat_map(str::lines);
    lines.map(|line| line.trim_end_matches('\\').trim())
}

#[test]
fn each_command_of_the_front_page_is_one_that_the_pages_behind_it_type() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let pages = ["docs/install.md", "docs/start.md"].map(Page::read);
    let typed: Vec<&str> = pages.iter().flat_map(lines).collect();
    let front = Page::read("README.md");
    let mut count = 0;
    for line in lines(&front) {
        let known = line.strip_prefix("make ").map_or_else(
            || typed.contains(&line),
            |target| makefile.contains(&format!("\n{target}:")),
        );
        assert!(known, "{line}");
        count += 1;
    }
    assert!(count > 4, "{count}");
}

/// The first block of YAML of a page.
fn manifest(page: &Page) -> String {
    let (_, rest) = page.text.split_once("```yaml\n").unwrap();
    rest.split("```").next().unwrap().to_owned()
}

#[test]
fn the_manifest_of_the_front_page_is_that_of_the_first_steps() {
    let steps = manifest(&Page::read("docs/start.md"));
    let policy = "managementPolicy: Observe";
    let told = steps.replace(
        policy,
        &format!("{policy} # at first; Enforce moves the port"),
    );
    assert_ne!(steps, told, "the first steps begin without a change");
    assert_eq!(manifest(&Page::read("README.md")), told);
}

#[test]
fn the_picture_of_the_flow_is_that_of_its_text() {
    let draw = |text: &Path| {
        let mut draw = Command::new(root().join("build/flow"));
        draw.arg(text).output().unwrap()
    };
    let picture = printed(draw(&root().join("docs/flow.txt")));
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    held(Path::new("docs/flow.svg"), &picture);
    // A line that can't be drawn is named.
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "lane a One\na => a neither\n").unwrap();
    let refused = draw(file.path());
    assert!(!refused.status.success(), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains(":2: not understood"), "{said}");
}

#[test]
fn each_question_of_an_adopter_has_an_answer_that_says_yes_partly_or_no_and_a_link() {
    let page = Page::read("docs/adopters-questions.md");
    let headings = page.headings(2);
    assert_eq!(headings.len(), QUESTIONS, "{headings:?}");
    for (heading, number) in headings.into_iter().zip(1..) {
        let question = heading.strip_prefix(&format!("{number}. "));
        assert!(question.is_some_and(|it| it.ends_with('?')), "{heading}");
        let answer = page.section(2, heading).trim_start();
        let verdict = VERDICTS
            .iter()
            .any(|it| answer.starts_with(&format!("**{it}.**")));
        assert!(verdict, "{heading}: {answer}");
        assert!(answer.contains("]("), "{heading} leads nowhere");
    }
}

#[test]
fn the_summary_of_the_questions_counts_their_answers() {
    let page = Page::read("docs/adopters-questions.md");
    let count = |verdict: &str| page.text.matches(&format!("\n**{verdict}.**")).count();
    let [yes, partly, no] = VERDICTS.map(count);
    let summary = format!("{yes} yes, {partly} partly, {no} no");
    assert!(page.text.contains(&summary), "{summary}");
    assert_eq!(yes + partly + no, QUESTIONS);
}

/// The answer to the question of this number.
fn answer(page: &Page, number: usize) -> &str {
    let begin = format!("{number}. ");
    let heading = page.headings(2);
    let heading = heading.iter().find(|it| it.starts_with(&begin)).unwrap();
    page.section(2, heading).trim_start()
}

#[test]
fn answers_about_fields_and_flags_are_not_older_than_these() {
    let page = Page::read("docs/adopters-questions.md");
    let definition = serde_json::to_value(crd::definition()).unwrap();
    let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let flags = Page::read("docs/configuration.md").text;
    let has_field = |name: &str| schema["spec"]["properties"].get(name).is_some();
    let has_flag = |name: &str| flags.contains(&format!("\n| `{name}` |"));

    // Static keys.
    let keyless = answer(&page, 8);
    for (there, name) in [
        (has_field("workloadIdentity"), "spec.workloadIdentity"),
        (
            has_flag("--default-credentials-identity"),
            "--default-credentials-identity",
        ),
    ] {
        assert_eq!(there, keyless.contains(name), "{name}: {keyless}");
        assert!(!there || !keyless.starts_with("**No."), "{keyless}");
    }
    // What else breaks: security groups.
    let groups = answer(&page, 14);
    for (there, name) in [
        (
            has_flag("--check-security-groups"),
            "--check-security-groups",
        ),
        (has_field("preflight"), "spec.preflight"),
    ] {
        assert_eq!(there, groups.contains(name), "{name}: {groups}");
    }
    // A resource that is new.
    let new = &schema["status"]["default"]["observedGeneration"];
    assert_eq!(*new, -1, "{new}");
    assert!(answer(&page, 25).contains("`observedGeneration: -1`"));
}
