//! The question before something that cuts connections or can't be taken back.

use crate::{failure::Failure, surroundings::Surroundings};

/// Asks, unless `yes` was given; an error unless a person agrees. Nothing but `y` and `yes` is a yes.
pub fn agreed(question: &str, yes: bool, around: &mut Surroundings<'_>) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !around.terminal.can_ask {
        let text = format!(
            "{question}\nNobody can be asked here: give --yes if that is wanted. Nothing was changed."
        );
        return Err(Failure::NotAgreed(text));
    }
    write!(around.err, "{question}\nGo on? [y/N] ")?;
    around.err.flush()?;
    let mut answer = String::new();
    let read = around.input.read_line(&mut answer);
    read.map_err(|error| Failure::file("the answer can't be read", error))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Failure::NotAgreed("Nothing was changed.".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::surroundings::Terminal;

    fn asked(answer: &str, yes: bool, can_ask: bool) -> (Result<(), Failure>, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut around = Surroundings {
            input: &mut answer.as_bytes(),
            out: &mut out,
            err: &mut err,
            terminal: Terminal {
                can_ask,
                ..Terminal::default()
            },
            now: || Timestamp::UNIX_EPOCH,
            variable: &|_| None,
        };
        let agreed = agreed("This cuts connections.", yes, &mut around);
        (agreed, String::from_utf8(err).unwrap())
    }

    #[test]
    fn only_a_yes_is_one() {
        for (answer, good) in [
            ("y\n", true),
            ("YES\n", true),
            ("\n", false),
            ("", false),
            ("yeah\n", false),
            ("n\n", false),
        ] {
            let (agreed, said) = asked(answer, false, true);
            assert_eq!(agreed.is_ok(), good, "{answer:?}");
            assert!(said.starts_with("This cuts connections."), "{said}");
        }
    }

    #[test]
    fn where_nobody_can_be_asked_nothing_is_done_without_yes() {
        let (agreed, said) = asked("y\n", false, false);
        assert!(agreed.unwrap_err().to_string().contains("--yes"));
        assert_eq!(said, "");
        assert!(asked("", true, false).0.is_ok());
    }
}
