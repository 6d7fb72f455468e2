//! What was refused of one access key or user, and what may be tried next. Pure: the time is an argument.
//!
//! Five refused signatures in a row lock a key for five minutes ("API Request Signing Guide"), and five wrong passwords
//! within fifteen minutes a user. The cloud counts by key, whoever sends: so all pairs of one key (or user) and a secret
//! share a ledger. Promises that at most [`MOST`] of their calls are refused within the cloud's window, as long as those of
//! a pair that was believed go to one endpoint; that a pair that was believed is never held back by the refusals of others;
//! and that those who guess get less than the cloud forgives between two calls of such a pair.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::fingerprint::Fingerprint;
use crate::cloud::{CloudError, Meaning};

/// So many refusals within the window, and no more; the fifth in a row can lock.
pub const MOST: u32 = 4;

/// So many refusals in a row hold a pair back for the long pause.
const TOLERATED: u32 = 2;

/// How long what is held back.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The time within which the cloud counts refusals. Pairs that were never believed share one repeated try in it.
    pub window: Duration,
    /// A pair that was refused twice in a row is held back for this; longer than any lock.
    pub pause: Duration,
}

/// The refusals of one access key or user.
#[derive(Debug)]
pub struct Ledger {
    limits: Limits,
    pairs: HashMap<Fingerprint, Pair>,
    refused_at: VecDeque<Duration>,
    /// Refusals since a pair was last believed.
    in_a_row: u32,
    probed_at: Option<Duration>,
}

/// The key with one secret.
#[derive(Debug, Default)]
struct Pair {
    users: usize,
    under_way: u32,
    proven: bool,
    /// Refusals in a row, those of tokens that could be had anew included.
    in_a_row: u32,
    /// Refusals in a row of the pair itself.
    tried: u32,
    in_all: u64,
    last: Option<(Duration, CloudError)>,
}

/// What had been refused of a pair when a caller came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival(u64);

/// What becomes of a caller that is not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Its call is under way from now on.
    Go,
    /// Others were refused meanwhile: it needs more lanes, or to go alone.
    Again,
}

impl Ledger {
    /// An empty ledger.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            pairs: HashMap::new(),
            refused_at: VecDeque::new(),
            in_a_row: 0,
            probed_at: None,
        }
    }

    /// One more uses the pair.
    pub fn join(&mut self, pair: Fingerprint) {
        self.pairs.entry(pair).or_default().users += 1;
    }

    /// One fewer uses the pair. It is forgotten once nobody does and its refusals no longer count.
    pub fn leave(&mut self, pair: Fingerprint, uptime: Duration) {
        if let Some(pair) = self.pairs.get_mut(&pair) {
            pair.users = pair.users.saturating_sub(1);
        }
        self.forget(uptime);
    }

    /// Whether nothing is left that anybody would have to remember.
    pub fn is_empty(&mut self, uptime: Duration) -> bool {
        self.forget(uptime);
        self.pairs.is_empty() && self.refused_at.is_empty()
    }

    /// A caller comes, and may have to wait for another's call.
    pub fn arrive(&self, pair: Fingerprint) -> Arrival {
        Arrival(self.pairs.get(&pair).map_or(0, |pair| pair.in_all))
    }

    /// Whether the pair was believed, and not refused twice since.
    pub fn is_proven(&self, pair: Fingerprint) -> bool {
        self.pairs.get(&pair).is_some_and(|pair| pair.proven)
    }

    /// How many of its [`MOST`] lanes to an endpoint a call of the pair has to take. The more was refused lately, or may yet
    /// be, the fewer calls may be under way that could be refused as well.
    pub fn lanes(&mut self, pair: Fingerprint, uptime: Duration) -> u32 {
        let refused = self.refused(uptime).max(self.in_a_row);
        match self.pairs.get(&pair) {
            Some(known) if known.proven && known.in_a_row > 0 => MOST,
            Some(known) if known.proven => {
                let others = self.under_way() - known.under_way;
                (1 + refused + others).min(MOST)
            }
            _ => 1,
        }
    }

    /// Whether a call of the pair that has taken so many lanes may be made. An error says why nothing is sent: whoever waited
    /// while a call was refused hears of that instead of making the next one, and who is held back is told for how long.
    pub fn admit(
        &mut self,
        pair: Fingerprint,
        arrival: Arrival,
        (lanes, alone): (u32, bool),
        uptime: Duration,
    ) -> Result<Leave, CloudError> {
        let needed = self.lanes(pair, uptime);
        let refused = self.refused(uptime);
        let Some(known) = self.pairs.get(&pair) else {
            return Ok(Leave::Again);
        };
        if let Some((_, error)) = known.last.as_ref().filter(|_| known.in_all > arrival.0) {
            return Err(error.clone());
        }
        if known.proven {
            if known.in_a_row > 0 && refused + self.under_way() >= MOST {
                return Err(known.held(self.until_free(uptime)));
            }
            if lanes < needed {
                return Ok(Leave::Again);
            }
        } else {
            if !alone {
                return Ok(Leave::Again);
            }
            self.may_probe(known, refused, uptime)
                .map_err(|wait| known.held(wait))?;
            self.probed_at = Some(uptime);
        }
        if let Some(known) = self.pairs.get_mut(&pair) {
            known.under_way += 1;
        }
        Ok(Leave::Go)
    }

    /// Whether a pair that was never believed may be tried, or after which time to ask again.
    fn may_probe(&self, pair: &Pair, refused: u32, uptime: Duration) -> Result<(), Duration> {
        let since = |at: Duration| uptime.saturating_sub(at);
        if let Some((at, _)) = pair.last.as_ref().filter(|_| pair.in_a_row >= TOLERATED) {
            let left = self.limits.pause.saturating_sub(since(*at));
            if !left.is_zero() {
                return Err(left);
            }
        }
        if let Some(at) = self.probed_at.filter(|_| pair.tried > 0) {
            let left = self.limits.window.saturating_sub(since(at));
            if !left.is_zero() {
                return Err(left);
            }
        }
        // A key has one secret: beside a pair that was believed another one is wrong, or it is its successor. The last
        // refusal that the cloud forgives is kept for the pair that was believed. What is under way with a secret that was
        // replaced meanwhile will be refused as well.
        let believed = self.pairs.values().any(|pair| pair.proven);
        let doubtful = self.pairs.values().filter(|pair| !pair.proven);
        let doubtful: u32 = doubtful.map(|pair| pair.under_way).sum();
        let guesses_left = !believed || refused.max(self.in_a_row) + doubtful + 1 < MOST;
        if refused + self.under_way() < MOST && guesses_left {
            Ok(())
        } else {
            Err(self.until_free(uptime))
        }
    }

    /// A call of the pair has ended, whatever its answer.
    pub fn ended(&mut self, pair: Fingerprint) {
        if let Some(pair) = self.pairs.get_mut(&pair) {
            pair.under_way = pair.under_way.saturating_sub(1);
        }
    }

    fn under_way(&self) -> u32 {
        self.pairs.values().map(|pair| pair.under_way).sum()
    }

    /// The pair was refused.
    pub fn pair_refused(&mut self, pair: Fingerprint, error: &CloudError, uptime: Duration) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.refused_at.push_back(uptime);
        if let Some(pair) = self.pairs.get_mut(&pair) {
            pair.in_all = pair.in_all.saturating_add(1);
            pair.tried = pair.tried.saturating_add(1);
            pair.count(error, uptime);
        }
    }

    /// A token was refused that can be had anew: nobody has to hear of that unless the new one is refused too.
    pub fn token_refused(&mut self, pair: Fingerprint, error: &CloudError, uptime: Duration) {
        if let Some(pair) = self.pairs.get_mut(&pair) {
            pair.count(error, uptime);
        }
    }

    /// The pair was believed. A key has one secret: others that were believed before no longer are.
    pub fn accepted(&mut self, pair: Fingerprint) {
        self.in_a_row = 0;
        for other in self.pairs.values_mut() {
            other.proven = false;
        }
        if let Some(pair) = self.pairs.get_mut(&pair) {
            *pair = Pair {
                proven: true,
                users: pair.users,
                under_way: pair.under_way,
                in_all: pair.in_all,
                ..Pair::default()
            };
        }
    }

    /// How many calls were refused within the window.
    fn refused(&mut self, uptime: Duration) -> u32 {
        let window = self.limits.window;
        while self
            .refused_at
            .pop_front_if(|at| uptime.saturating_sub(*at) >= window)
            .is_some()
        {}
        u32::try_from(self.refused_at.len()).unwrap_or(u32::MAX)
    }

    fn until_free(&self, uptime: Duration) -> Duration {
        let oldest = self.refused_at.front().copied().unwrap_or(uptime);
        let passed = uptime.saturating_sub(oldest);
        self.limits.window.saturating_sub(passed)
    }

    fn forget(&mut self, uptime: Duration) {
        self.refused(uptime);
        let longest = self.limits.pause.max(self.limits.window);
        self.pairs.retain(|_, pair| {
            let last = pair.last.as_ref();
            pair.users > 0
                || pair.under_way > 0
                || last.is_some_and(|(at, _)| uptime.saturating_sub(*at) < longest)
        });
    }
}

impl Pair {
    fn count(&mut self, error: &CloudError, uptime: Duration) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.proven &= self.in_a_row < TOLERATED;
        self.last = Some((uptime, error.clone()));
    }

    /// What is said while the pair is held back. What others were told is none of its business.
    fn held(&self, wait: Duration) -> CloudError {
        let error = match &self.last {
            Some((_, error)) => error.clone(),
            None => CloudError::local(
                Meaning::Locked,
                "find out who fails to sign in with this access key or user: the cloud refused it several times lately, with this \
                 Secret or another one, and locks it after more refusals, so the operator waits before the next try",
            ),
        };
        CloudError {
            retry_after: Some(wait),
            ..error
        }
    }
}

#[cfg(test)]
mod tests;
