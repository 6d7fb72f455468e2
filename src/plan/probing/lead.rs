//! To which port applications are led while a job sets a new one, as far as greetings tell.
//!
//! Pure. Promises that nobody is led ahead by who has greeted at the new port all along: it was silent since the change began, or the old
//! one is; and that they are led back by a greeting at the old port alone, while the new one does not greet.

use crate::probe::Outcome;

/// A port of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that the proxy had.
    Old,
    /// The one that is being set.
    New,
}

/// What greetings have told during one change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lead {
    /// The port that was probed last, and whether it has greeted.
    last: Option<(Side, bool)>,
    /// The new port was silent since the change began.
    was_silent: bool,
    /// The old port was silent when it was probed last.
    old_is_silent: bool,
    /// Applications are led to the new port.
    is_ahead: bool,
    /// The port at which this process has read a greeting that leads there.
    heard: Option<Side>,
}

impl Lead {
    /// What is known before the first probe: whether applications are led ahead already, by what is on record.
    pub fn on_record(is_ahead: bool) -> Self {
        Self {
            is_ahead,
            ..Self::default()
        }
    }

    /// The port to probe next: the new one, and the old one where it has to be known. What is on record may lag behind where an earlier
    /// process has led applications: without a greeting the old port is asked as well.
    pub fn to_probe(self) -> Side {
        match self.last {
            Some((Side::New, true)) if !self.is_ahead => Side::Old,
            Some((Side::New, false)) if self.is_ahead || self.heard.is_none() => Side::Old,
            _ => Side::New,
        }
    }

    /// The port at which this process has read a greeting that leads there.
    pub fn heard(self) -> Option<Side> {
        self.heard
    }

    /// Whether applications are where the last probe has found the proxy.
    pub fn is_confirmed(self) -> bool {
        self.is_ahead && self.last == Some((Side::New, true))
    }

    /// Whether the next probe decides if applications are led back.
    pub fn is_in_doubt(self) -> bool {
        self.is_ahead && self.last == Some((Side::New, false))
    }

    /// This came of a probe.
    pub fn ends(&mut self, side: Side, outcome: &Outcome) {
        let greets = *outcome == Outcome::Greeted;
        match side {
            Side::New => {
                self.was_silent |= outcome.is_silence();
                self.is_ahead |= greets && (self.was_silent || self.old_is_silent);
                if greets && self.is_ahead {
                    self.heard = Some(Side::New);
                }
            }
            Side::Old => {
                self.old_is_silent = outcome.is_silence();
                if greets && self.last == Some((Side::New, false)) {
                    self.is_ahead = false;
                    self.heard = Some(Side::Old);
                }
            }
        }
        self.last = Some((side, greets));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard after these probes; each is of the port that is asked for.
    fn after(mut lead: Lead, probes: &[(Side, Outcome)]) -> Lead {
        for (side, outcome) in probes {
            assert_eq!(lead.to_probe(), *side, "{lead:?}");
            lead.ends(*side, outcome);
        }
        lead
    }

    fn new(probes: &[(Side, Outcome)]) -> Lead {
        after(Lead::default(), probes)
    }

    use Outcome::{Closed, Greeted, Refused, TimedOut};
    use Side::{New, Old};

    #[test]
    fn a_greeting_where_it_was_silent_leads_ahead() {
        for silence in [Refused, TimedOut] {
            let before = new(&[(New, silence), (Old, Greeted), (New, Refused)]);
            assert_eq!((before.heard(), before.to_probe()), (Some(Old), New));
            let lead = after(before, &[(New, Greeted)]);
            assert_eq!((lead.heard(), lead.to_probe()), (Some(New), New));
        }
    }

    #[test]
    fn who_greeted_all_along_leads_nobody_ahead_until_the_old_port_is_silent() {
        let lead = new(&[(New, Greeted), (Old, Greeted), (New, Greeted)]);
        assert_eq!(lead.heard(), None);
        let unclear = after(lead, &[(Old, Closed), (New, Greeted)]);
        assert_eq!(unclear.heard(), None, "it may listen there still");
        let gone = after(lead, &[(Old, Refused)]);
        assert_eq!(gone.heard(), None, "it may have gone as well");
        assert_eq!(after(gone, &[(New, Greeted)]).heard(), Some(New));
        // Nor does a failure that says nothing of the port count as silence.
        let lost = Outcome::NoWay("no route".to_owned());
        let lost = new(&[(New, lost), (Old, Closed), (New, Greeted)]);
        assert_eq!(lost.heard(), None);
    }

    #[test]
    fn only_a_greeting_at_the_old_port_leads_back() {
        let ahead = new(&[(New, Refused), (Old, Refused), (New, Greeted)]);
        let doubt = after(ahead, &[(New, Refused)]);
        assert_eq!((doubt.heard(), doubt.is_in_doubt()), (Some(New), true));
        let neither = after(doubt, &[(Old, Refused), (New, Refused)]);
        assert_eq!(neither.heard(), Some(New));
        let back = after(neither, &[(Old, Greeted)]);
        assert_eq!((back.heard(), back.to_probe()), (Some(Old), New));
        assert_eq!(after(back, &[(New, Greeted)]).heard(), Some(New));
    }

    #[test]
    fn what_an_earlier_process_was_led_by_is_probed_on() {
        let ahead = Lead::on_record(true);
        assert_eq!(ahead.heard(), None, "this process has read nothing");
        assert_eq!(after(ahead, &[(New, Greeted)]).heard(), Some(New));
        // Also where it died before it could put that on record.
        for before in [ahead, Lead::on_record(false)] {
            let back = after(before, &[(New, Refused), (Old, Greeted)]);
            assert_eq!(back.heard(), Some(Old));
        }
    }
}
