//! Reads a request's body with its limit checked while it streams, also behind gzip: what is too large is never held.

use std::{
    future::poll_fn,
    io::{self, Write},
    pin::Pin,
    time::Duration,
};

use axum::body::Body;
use flate2::write::GzDecoder;
use hyper::body::Body as _;

use crate::protocol::problem::Problem;

/// A body that takes longer is given up: the terminal sends the same bytes again.
const PATIENCE: Duration = Duration::from_mins(1);

/// The whole body, decompressed if it says gzip, of at most `limit` bytes before and after.
///
/// # Errors
/// [`Problem::TooLarge`], [`Problem::UnsupportedMedia`] for another encoding, [`Problem::MalformedRequest`] for a body that
/// breaks off or is no gzip.
pub async fn read(body: Body, encoding: Option<&[u8]>, limit: usize) -> Result<Vec<u8>, Problem> {
    let sink = Limited { held: Vec::new(), limit, over: false };
    let mut sink = match encoding {
        None | Some(b"identity") => Sink::Plain(sink),
        Some(b"gzip") => Sink::Gzip(Box::new(GzDecoder::new(sink))),
        Some(_) => return Err(Problem::UnsupportedMedia),
    };
    let all = tokio::time::timeout(PATIENCE, pour(body, &mut sink, limit));
    all.await.map_err(|_| Problem::MalformedRequest)??;
    sink.finish()
}

async fn pour(mut body: Body, sink: &mut Sink, limit: usize) -> Result<(), Problem> {
    let mut received = 0_usize;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Problem::MalformedRequest)?;
        let Ok(bytes) = frame.into_data() else { continue };
        received = received.saturating_add(bytes.len());
        if received > limit {
            return Err(Problem::TooLarge);
        }
        sink.take(&bytes)?;
    }
    Ok(())
}

enum Sink {
    Plain(Limited),
    Gzip(Box<GzDecoder<Limited>>),
}

impl Sink {
    fn take(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        let (taken, over) = match self {
            Self::Plain(sink) => (sink.write_all(bytes), sink.over),
            Self::Gzip(gzip) => (gzip.write_all(bytes), gzip.get_ref().over),
        };
        taken.map_err(|_| if over { Problem::TooLarge } else { Problem::MalformedRequest })
    }

    fn finish(self) -> Result<Vec<u8>, Problem> {
        match self {
            Self::Plain(sink) => Ok(sink.held),
            Self::Gzip(mut gzip) => {
                let ended = gzip.try_finish();
                let over = gzip.get_ref().over;
                ended.map_err(|_| if over { Problem::TooLarge } else { Problem::MalformedRequest })?;
                gzip.finish().map(|sink| sink.held).map_err(|_| Problem::MalformedRequest)
            }
        }
    }
}

/// Holds so many bytes and fails at the next.
#[derive(Debug)]
struct Limited {
    held: Vec<u8>,
    limit: usize,
    over: bool,
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.len() + bytes.len() > self.limit {
            self.over = true;
            return Err(io::Error::other("beyond the limit"));
        }
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
