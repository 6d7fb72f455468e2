//! Texts within answers, made fit for people: what shows them to anybody comes after this.

use super::{InstancePage, ProxyPage, TaskPage, Windows};
use crate::{
    cloud::{Instance, Job, Proxy, ProxyStatus, excerpt::Cleaner},
    model::JobState,
};

/// The longest name, address or state that is kept, in characters.
const LONGEST_WORD: usize = 128;

/// The longest word for the state of a job that is kept, in characters.
const LONGEST_STATE: usize = 40;

/// What an answer comes to.
pub trait Cleaned {
    /// Without secrets, and with texts of bounded length.
    #[must_use]
    fn cleaned(self, cleaner: &Cleaner<'_>) -> Self;
}

impl Cleaned for ProxyPage {
    fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Self {
        for proxy in &mut self.proxies {
            let Proxy {
                id: _,
                name,
                status,
                address,
                port: _,
            } = proxy;
            *name = cleaner.word(name, LONGEST_WORD);
            *address = address
                .take()
                .map(|address| cleaner.word(&address, LONGEST_WORD));
            if let ProxyStatus::Unhealthy(state) | ProxyStatus::Changing(state) = status {
                *state = cleaner.word(state, LONGEST_WORD);
            }
        }
        self
    }
}

impl Cleaned for InstancePage {
    fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Self {
        for Instance {
            id: _,
            name,
            status,
            tags,
        } in &mut self.instances
        {
            let word = |text: &str| cleaner.word(text, LONGEST_WORD);
            *tags = tags
                .iter()
                .map(|(key, value)| (word(key), word(value)))
                .collect();
            *name = cleaner.word(name, LONGEST_WORD);
            *status = cleaner.word(status, LONGEST_WORD);
        }
        self
    }
}

impl Cleaned for Windows {
    fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Self {
        for (_, window) in &mut self.0 {
            *window = cleaner.word(window, LONGEST_STATE);
        }
        self
    }
}

impl Cleaned for TaskPage {
    fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Self {
        for (_, task) in &mut self.rows {
            clean_state(&mut task.state, cleaner);
        }
        self
    }
}

impl Cleaned for Job {
    fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Self {
        clean_state(&mut self.state, cleaner);
        self.fail_reason = self.fail_reason.map(|reason| cleaner.excerpt(&reason));
        self
    }
}

fn clean_state(state: &mut JobState, cleaner: &Cleaner<'_>) {
    if let JobState::Running(shown) | JobState::Failed(shown) = state
        && !is_documented(shown)
    {
        *shown = cleaner.word(shown, LONGEST_STATE);
    }
}

/// A list has hundreds of these.
fn is_documented(state: &str) -> bool {
    let words = ["Running", "Failed", "Canceled"];
    words.iter().any(|word| word.eq_ignore_ascii_case(state))
}
