//! Reads of files that may hang, as files of a mounted volume do when its server is gone.
//!
//! A thread that is within such a read can't be stopped, and there is a bounded number of threads for reads. Promises that a read
//! that hangs holds one of them, however often the file is due, and that nobody waits for it for longer than asked.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};

/// Of these reads there is one at a time.
#[derive(Debug, Clone)]
pub struct OneAtATime(Arc<Semaphore>);

impl Default for OneAtATime {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl OneAtATime {
    /// What a read gives; nothing if another one is under way, or if it takes longer than `within`. It then goes on.
    pub async fn read<T: Send + 'static>(
        &self,
        within: Duration,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.0).try_acquire_owned().ok()?;
        let reading = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            read()
        });
        timeout(within, reading).await.ok()?.ok()
    }

    /// As [`Self::read`], and waits for another one that is under way, no longer than `within` for both.
    pub async fn read_in_turn<T: Send + 'static>(
        &self,
        within: Duration,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let reading = async {
            let turn = Arc::clone(&self.0).acquire_owned().await.ok()?;
            let reading = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                read()
            });
            reading.await.ok()
        };
        timeout(within, reading).await.ok()?
    }

    /// Whether a read is under way. Who asks takes nobody's turn, not even for a moment.
    pub fn is_reading(&self) -> bool {
        self.0.available_permits() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn n01_who_asks_whether_a_read_is_under_way_is_in_nobodys_way() {
        let reads = OneAtATime::default();
        let ended = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let asking = {
            let (reads, ended) = (reads.clone(), Arc::clone(&ended));
            std::thread::spawn(move || {
                while !ended.load(std::sync::atomic::Ordering::SeqCst) {
                    reads.is_reading();
                }
            })
        };
        let mut refused = 0;
        for _ in 0..5_000 {
            refused += usize::from(reads.read(LONG, || ()).await.is_none());
        }
        ended.store(true, std::sync::atomic::Ordering::SeqCst);
        asking.join().unwrap();
        assert_eq!(refused, 0);
    }

    const SOON: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_mins(5);

    #[tokio::test]
    async fn a_read_that_hangs_holds_one_thread_and_nobody_for_long() {
        let reads = OneAtATime::default();
        let (end, ended) = mpsc::channel::<()>();
        assert!(
            reads
                .read(SOON, move || ended.recv().is_ok())
                .await
                .is_none()
        );
        for _ in 0..1000 {
            let second = reads.read(LONG, || panic!("a second thread"));
            assert!(second.await.is_none());
        }
        let second = reads.read_in_turn(SOON, || panic!("a second thread"));
        assert!(second.await.is_none() && reads.is_reading());
        end.send(()).unwrap();
        assert_eq!(reads.read_in_turn(LONG, || 7).await, Some(7));
        assert_eq!(reads.read(LONG, || 8).await, Some(8));
        assert!(!reads.is_reading());
    }
}
