//! Texts that people read, kept in `tests/it/snapshots`, so that a change of one is reviewed as code is.
//!
//! `INSTA_UPDATE=always cargo test --test it -- admission:: stories::shown::` writes them anew; `make` never does.

/// Compares with the text that is kept under this name. What differs from run to run is given as patterns with the words
/// that stand for it in the kept text; names of namespaces are among it everywhere.
pub fn kept(name: &str, text: &str, volatile: &[(&str, &str)]) {
    let everywhere = [(r"\bstory-\d+\b", "[namespace]"), (r"[ \t]+\n", "\n")];
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, word) in everywhere.iter().chain(volatile) {
        settings.add_filter(pattern, *word);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A case, and what was said of it, one below the other.
pub fn table(rows: &[(String, String)]) -> String {
    let row = |(case, said): &(String, String)| {
        let said: Vec<String> = said
            .trim_end()
            .lines()
            .map(|line| format!("    {line}"))
            .collect();
        format!("{case}\n{}\n", said.join("\n"))
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    rows.join("\n")
}
