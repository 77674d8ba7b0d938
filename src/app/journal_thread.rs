//! The thread that owns the journal: one writer, one queue, commits in the order of decisions.

use std::thread::{Builder, JoinHandle};

use tokio::sync::{mpsc, oneshot};
use tracing::debug;

use super::limits;
use crate::adapters::sqlite::Journal;

type Job = Box<dyn FnOnce(&mut Journal) + Send>;

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
    pub fn open(mut journal: Journal) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, mut queue) = mpsc::channel::<Job>(limits::JOURNAL_QUEUE);
        let thread = Builder::new().name("journal".to_owned()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                job(&mut journal);
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

    /// Runs `work` on the journal and waits for its result. Once sent, the work is done even if nobody waits any more.
    ///
    /// # Errors
    /// [`JournalGone`].
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> T + Send + 'static,
    ) -> Result<T, JournalGone> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |journal| {
            let _ = done.send(work(journal));
        });
        self.jobs.send(job).await.map_err(|_| JournalGone)?;
        answer.await.map_err(|_| JournalGone)
    }
}
