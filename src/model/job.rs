//! What the word in a job's `status` means.
//!
//! The vendor's clients disagree on spelling and case, and new words appear without notice, so a word that is
//! not known to be an end is a job that still runs. Source: API page "Obtaining Information About a Task".

/// State of a job, by what has to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// Accepted and put off; not started yet.
    Pending,
    /// At work, or in a state whose word we don't know; the word as the cloud wrote it.
    Running(String),
    /// Ended well; believed only when the list shows the port.
    Completed,
    /// Ended without the change; `Failed` or `Canceled`.
    Failed(String),
    /// Waits for somebody's authorization in the cloud.
    Unauthorized,
}

impl JobState {
    /// The longest word that is kept for people to read, in characters.
    const MAX_WORD: usize = 40;

    /// The word for a job that has not ended, as people read it.
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Pending => Some("Pending"),
            Self::Running(word) => Some(word),
            Self::Completed | Self::Failed(_) | Self::Unauthorized => None,
        }
    }

    /// Reads a status word; letter case and blanks around it do not matter.
    pub fn from_word(word: Option<&str>) -> Self {
        let word = word.unwrap_or_default().trim();
        let shown = || {
            let letters = word.chars().filter(|letter| !letter.is_control());
            letters.take(Self::MAX_WORD).collect()
        };
        match word.to_ascii_lowercase().as_str() {
            "pending" => Self::Pending,
            "completed" => Self::Completed,
            "failed" | "canceled" | "cancelled" => Self::Failed(shown()),
            "unauthorized" => Self::Unauthorized,
            "" => Self::Running("no status".to_owned()),
            _ => Self::Running(shown()),
        }
    }

    /// Whether the job will do nothing more.
    pub fn is_finished(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelling_does_not_matter_and_unknown_words_still_run() {
        for word in ["COMPLETED", "completed", "Completed", "Completed "] {
            assert_eq!(JobState::from_word(Some(word)), JobState::Completed);
        }
        for word in ["SUCCESS", "Rollbacking", "Success", "complete"] {
            assert_eq!(
                JobState::from_word(Some(word)),
                JobState::Running(word.to_owned())
            );
        }
        assert_eq!(
            JobState::from_word(None),
            JobState::Running("no status".to_owned())
        );
        assert_eq!(
            JobState::from_word(Some("canceled")),
            JobState::Failed("canceled".to_owned())
        );
        assert_eq!(
            JobState::from_word(Some("UNAUTHORIZED")),
            JobState::Unauthorized
        );
        assert!(!JobState::from_word(Some("\u{0}x")).is_finished());
    }
}
