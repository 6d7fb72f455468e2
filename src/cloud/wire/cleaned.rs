//! Texts within answers, made fit for people: what shows them to anybody comes after this.

use super::{
    InstancePage, ProxyPage, TaskPage, Windows,
    groups::{InstanceGroups, RulePage},
};
use crate::{
    cloud::{Instance, Job, Proxy, ProxyStatus, excerpt::Cleaner, groups::Source},
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

impl Cleaned for InstanceGroups {
    fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Self {
        for (_, group) in &mut self.0 {
            *group = cleaner.word(group, LONGEST_WORD);
        }
        self
    }
}

impl Cleaned for RulePage {
    fn cleaned(mut self, cleaner: &Cleaner<'_>) -> Self {
        for (_, rule) in &mut self.rules {
            if let Source::Group(id) | Source::AddressGroup(id) = &mut rule.source {
                *id = cleaner.word(id, LONGEST_WORD);
            }
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

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde_json::json;

    use super::*;
    use crate::{cloud::wire, model::JobId};

    const SECRET: &str = "wJalrXUtnFEMI7MDENGbPxRfiCYEXAMPLEKEY";
    const PROXY: &str = "4d1f0a77c2b94e5f8a6031d7be92c405po01";
    const INSTANCE: &str = "4d1f0a77c2b94e5f8a6031d7be92c405in07";
    const JOB: &str = "2b7e6f0c-58f4-4d1e-9a63-0c1d9be7a541";

    /// The secret as it may stand in an answer: plain, as a part of a word, with escapes, in base64, in hexadecimal digits.
    fn echoes() -> Vec<String> {
        let digits = |before: &str| -> String {
            let each = SECRET.bytes().map(|byte| format!("{before}{byte:02x}"));
            each.collect::<Vec<_>>().concat()
        };
        let (hexadecimal, escaped) = (digits(""), digits("%"));
        let base64 = "d0phbHJYVXRuRkVNSTdNREVOR2JQeFJmaUNZRVhBTVBMRUtFWQ==".to_owned();
        let part = format!("orders-{SECRET}-eu");
        vec![SECRET.to_owned(), part, escaped, base64, hexadecimal]
    }

    #[track_caller]
    fn shows_nothing<T: Cleaned + Debug>(answer: T, place: &str) {
        let before = format!("{answer:?}");
        let after = format!("{:?}", answer.cleaned(&Cleaner::new(&[SECRET])));
        // A state is cut to 40 characters before.
        let is_shown = |text: &str| echoes().iter().any(|echo| text.contains(&echo[7..19]));
        assert!(is_shown(&before), "{place} is not read: {before}");
        assert!(!is_shown(&after), "{place}: {after}");
        assert!(after.contains("[redacted]"), "{place}: {after}");
    }

    #[test]
    fn f09_no_name_address_tag_window_or_state_of_an_answer_shows_a_secret() {
        for echo in echoes() {
            for field in ["name", "address", "status"] {
                let mut proxy = json!({"pool_id": PROXY, "status": "ACTIVE", "port": 3306});
                proxy[field] = json!(echo);
                let body = json!({"proxy_list": [{"proxy": proxy}]}).to_string();
                shows_nothing(wire::proxies(&body).unwrap(), field);
            }
            for field in ["name", "status", "key", "value"] {
                let mut instance = json!({"id": INSTANCE, "name": "a", "status": "ACTIVE",
                    "tags": [{"key": "a", "value": "b"}]});
                match field {
                    "key" | "value" => instance["tags"][0][field] = json!(echo),
                    _ => instance[field] = json!(echo),
                }
                let body = json!({"instances": [instance], "total_count": 1}).to_string();
                shows_nothing(wire::instances(&body).unwrap(), field);
            }
            let instance = json!({"id": INSTANCE, "maintenance_window": echo});
            let body = json!({"instances": [instance]}).to_string();
            shows_nothing(wire::instance_windows(&body).unwrap(), "window");
            let task = json!({"job_id": JOB, "instance_id": INSTANCE, "status": echo});
            let body = json!({"jobs": [task], "total_count": 1}).to_string();
            shows_nothing(wire::tasks(&body).unwrap(), "state of a task");
            for (state, reason) in [(echo.as_str(), "no room"), ("Failed", echo.as_str())] {
                let job = json!({"id": JOB, "status": state, "fail_reason": reason});
                let body = json!({"job": job}).to_string();
                let asked = JobId::parse(JOB).unwrap();
                shows_nothing(wire::job(&body, &asked).unwrap(), "job");
            }
        }
    }
}
