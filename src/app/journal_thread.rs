//! The thread that owns the journal: one writer, one queue, commits in the order of decisions.

use std::thread::{Builder, JoinHandle};

use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use super::limits;
use crate::adapters::sqlite::{Journal, JournalError};

/// Opens the journal anew from its directory.
pub type Reopen = Box<dyn FnMut() -> Result<Journal, JournalError> + Send>;

enum Job {
    Work(Box<dyn FnOnce(Result<&mut Journal, &JournalError>) + Send>),
    Reopen(oneshot::Sender<()>),
}

/// The journal's thread has ended; only the end of the program does that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalGone;

/// Sends work to the journal's thread. The thread ends, and closes the journal, when the last of these is dropped.
#[derive(Debug, Clone)]
pub struct JournalDesk {
    jobs: mpsc::Sender<Job>,
}

impl JournalDesk {
    /// Moves the journal to a thread of its own.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn open(journal: Journal, mut reopen: Reopen) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, mut queue) = mpsc::channel::<Job>(limits::JOURNAL_QUEUE);
        let thread = Builder::new().name("journal".to_owned()).spawn(move || {
            let mut held = Some(journal);
            let mut lost = JournalError::Busy;
            while let Some(job) = queue.blocking_recv() {
                match job {
                    Job::Work(work) => work(held.as_mut().ok_or(&lost)),
                    Job::Reopen(done) => {
                        // The old one holds the directory; it goes before the new one comes.
                        drop(held.take());
                        match reopen() {
                            Ok(journal) => held = Some(journal),
                            Err(error) => lost = error,
                        }
                        let _ = done.send(());
                    }
                }
            }
            if let Some(Err(error)) = held.map(Journal::close) {
                warn!(%error, "the journal was not closed in order; its log is read again at the next start");
            }
            debug!("the journal is closed");
        })?;
        Ok((Self { jobs }, thread))
    }

    /// True once the thread has ended.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.jobs.is_closed()
    }

    /// Returns when the thread has ended before its time: without a journal the terminal must not go on.
    pub async fn gone(&self) {
        self.jobs.closed().await;
    }

    /// Opens the journal again, after a commit of which nobody knows whether it reached the disk. Whatever comes of it
    /// shows at the next [`JournalDesk::run`].
    ///
    /// # Errors
    /// [`JournalGone`].
    pub async fn reopen(&self) -> Result<(), JournalGone> {
        let (done, answer) = oneshot::channel();
        self.jobs.send(Job::Reopen(done)).await.map_err(|_| JournalGone)?;
        answer.await.map_err(|_| JournalGone)
    }

    /// Runs `work` on the journal and waits for its result. Once sent, the work is done even if nobody waits any more.
    ///
    /// # Errors
    /// [`JournalGone`].
    pub async fn run<T: Send + 'static, E: From<JournalError> + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T, E> + Send + 'static,
    ) -> Result<Result<T, E>, JournalGone> {
        let (done, answer) = oneshot::channel();
        let job = Job::Work(Box::new(move |journal| {
            let _ = done.send(match journal {
                Ok(journal) => work(journal),
                Err(lost) => Err(E::from(lost.clone())),
            });
        }));
        self.jobs.send(job).await.map_err(|_| JournalGone)?;
        answer.await.map_err(|_| JournalGone)
    }
}
