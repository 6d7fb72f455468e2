//! Whose certificates are believed right now: the file of further authorities is read again while the process runs.
//!
//! Promises that a bundle that was swapped in its file counts for connections that are opened soon after, and that the last good
//! one counts while the file is away, empty or damaged, or on a file system that hangs.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustls::ClientConfig;

use super::tls;
use crate::{clock::Clock, cloud::authorities::Authorities, one_at_a_time::OneAtATime};

/// How often the file is read: who rotates an authority may take the old one away soon after.
const READ_EVERY: Duration = Duration::from_secs(10);

/// A connection waits for the file no longer than this; it is in memory mostly.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// What connections are verified by.
#[derive(Debug, Clone)]
pub struct Trust {
    clock: Clock,
    kept: Arc<Mutex<Kept>>,
    reads: OneAtATime,
}

#[derive(Debug)]
struct Kept {
    authorities: Authorities,
    config: Arc<ClientConfig>,
    /// Uptime at which the file was read last.
    read_at: Duration,
    /// What was wrong with the file then.
    fault: Option<String>,
}

impl Trust {
    /// Those that this machine trusts, and `authorities` beside them.
    pub fn new(authorities: Authorities, clock: Clock) -> Result<Self, rustls::Error> {
        let config = Arc::new(tls::client_config(&authorities)?);
        let kept = Kept {
            authorities,
            config,
            read_at: clock.now().uptime,
            fault: None,
        };
        Ok(Self {
            clock,
            kept: Arc::new(Mutex::new(kept)),
            reads: OneAtATime::default(),
        })
    }

    /// What a connection that is opened now is verified by. One caller reads the file where that is due, and waits for it for a
    /// second; the others don't.
    pub async fn current(&self) -> Arc<ClientConfig> {
        if let Some(known) = self.due() {
            let trust = self.clone();
            // What is read later counts from then on.
            let reading = self.reads.read(READ_WITHIN, move || {
                let read = known.again().map_err(|fault| fault.to_string());
                trust.lock().take(read);
            });
            if reading.await.is_none() && self.reads.is_reading() {
                let fault = format!("the file can't be read within {READ_WITHIN:?}");
                self.lock().take(Err(fault));
            }
        }
        Arc::clone(&self.lock().config)
    }

    fn due(&self) -> Option<Authorities> {
        let mut kept = self.lock();
        let uptime = self.clock.now().uptime;
        let due =
            kept.authorities.path().is_some() && uptime.saturating_sub(kept.read_at) >= READ_EVERY;
        due.then(|| {
            kept.read_at = uptime;
            kept.authorities.clone()
        })
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// The file was read again; nothing if it holds what it held.
    fn take(&mut self, read: Result<Option<Authorities>, String>) {
        let built = read.and_then(|news| {
            let built = news.map(|news| tls::client_config(&news).map(|config| (news, config)));
            built.transpose().map_err(|error| error.to_string())
        });
        match built {
            Ok(news) => {
                self.fault = None;
                if let Some((authorities, config)) = news {
                    self.authorities = authorities;
                    self.config = Arc::new(config);
                    tracing::info!("the certificate authorities of --extra-ca were read again");
                }
            }
            Err(fault) => {
                if self.fault.as_ref() != Some(&fault) {
                    tracing::warn!(
                        error = fault,
                        "--extra-ca can't be read again: the authorities read before stay in use"
                    );
                }
                self.fault = Some(fault);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Shift, cloud::authorities::tests::authority};

    #[tokio::test]
    async fn h14_the_file_is_read_again_and_the_last_good_bundle_counts_while_it_is_none() {
        // An error means that another test was quicker.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.pem");
        std::fs::write(&path, authority()).unwrap();
        let shift = Shift::forever();
        let clock = Clock::start().shifted(shift);
        let authorities = Authorities::read(path.to_str().unwrap()).unwrap();
        let trust = Trust::new(authorities, clock).unwrap();
        let first = trust.current().await;
        std::fs::write(&path, authority()).unwrap();
        assert!(Arc::ptr_eq(&first, &trust.current().await), "not yet");
        shift.pass(READ_EVERY);
        let second = trust.current().await;
        assert!(!Arc::ptr_eq(&first, &second));
        shift.pass(READ_EVERY);
        assert!(Arc::ptr_eq(&second, &trust.current().await), "the same");
        for odd in ["", "no certificate"] {
            std::fs::write(&path, odd).unwrap();
            shift.pass(READ_EVERY);
            assert!(Arc::ptr_eq(&second, &trust.current().await), "{odd:?}");
        }
        std::fs::remove_file(&path).unwrap();
        shift.pass(READ_EVERY);
        assert!(Arc::ptr_eq(&second, &trust.current().await));
        std::fs::write(&path, authority()).unwrap();
        shift.pass(READ_EVERY);
        assert!(!Arc::ptr_eq(&second, &trust.current().await));
    }

    #[tokio::test]
    async fn a_file_that_hangs_is_read_once_and_the_last_good_bundle_counts() {
        // An error means that another test was quicker.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle.pem");
        std::fs::write(&path, authority()).unwrap();
        let shift = Shift::forever();
        let clock = Clock::start().shifted(shift);
        let authorities = Authorities::read(path.to_str().unwrap()).unwrap();
        let trust = Trust::new(authorities, clock).unwrap();
        let first = trust.current().await;
        // Who reads a pipe waits for somebody who writes.
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        for _ in 0..100 {
            shift.pass(READ_EVERY);
            assert!(Arc::ptr_eq(&first, &trust.current().await));
            assert!(trust.reads.is_reading());
        }
        let fault = trust.lock().fault.clone().unwrap();
        assert!(fault.contains("within 1s"), "{fault}");
        std::fs::write(&path, authority()).unwrap();
        while trust.reads.is_reading() {
            tokio::task::yield_now().await;
        }
        std::fs::remove_file(&path).unwrap();
        assert!(!Arc::ptr_eq(&first, &trust.current().await), "it came late");
        assert!(trust.lock().fault.is_none());
    }
}
