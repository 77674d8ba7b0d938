//! The line between terminal and account, as a relay on loopback: as narrow and as far as is wanted, and it tells when
//! something passes.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

/// Pieces on their way in one direction: with [`PIECE`] more than such a line holds.
const UNDER_WAY: usize = 64;
const PIECE: usize = 4096;

/// Directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To the account.
    Up,
    /// To the terminal.
    Down,
}

/// How good the line is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shape {
    /// Bits a second in each direction; 0 is as many as come.
    pub bits: u64,
    /// From one end to the other.
    pub delay: Duration,
}

type Heard = Box<dyn Fn(Way, usize) + Send + Sync>;

struct Shared {
    upstream: Mutex<String>,
    shape: Shape,
    heard: Heard,
    /// Answers are kept back while this is true.
    held: Mutex<bool>,
    released: Condvar,
    /// When each direction has sent what it was given: connections share the line.
    free: [Mutex<Instant>; 2],
}

/// The relay. It lasts as long as the process, since connections may outlive whoever made it.
pub struct Line(Arc<Shared>);

impl Line {
    /// Takes connections at `listen` and carries them to `upstream`. `heard` learns how many bytes are about to pass.
    pub fn between(
        listen: &str,
        upstream: &str,
        shape: Shape,
        heard: impl Fn(Way, usize) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(listen).unwrap_or_else(|e| panic!("{listen}: {e}"));
        let shared = Arc::new(Shared {
            upstream: Mutex::new(upstream.to_owned()),
            shape,
            heard: Box::new(heard),
            held: Mutex::new(false),
            released: Condvar::new(),
            free: [Mutex::new(Instant::now()), Mutex::new(Instant::now())],
        });
        let line = Self(Arc::clone(&shared));
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let upstream = shared.upstream.lock().unwrap_or_else(PoisonError::into_inner).clone();
                // Nobody there: the near end learns it by the closed connection, as behind a router.
                let Ok(far) = TcpStream::connect(upstream) else { continue };
                if let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) {
                    carry(&shared, Way::Up, near, far);
                    carry(&shared, Way::Down, far_too, near_too);
                }
            }
        });
        line
    }

    /// Keeps answers back, or lets them pass again.
    pub fn hold(&self, hold: bool) {
        *self.0.held.lock().unwrap_or_else(PoisonError::into_inner) = hold;
        self.0.released.notify_all();
    }
}

impl Shared {
    /// When a piece arrives that was given to the line now.
    fn arrival(&self, way: Way, bytes: usize) -> Instant {
        let mut free = self.free[usize::from(way == Way::Down)].lock().unwrap_or_else(PoisonError::into_inner);
        let start = (*free).max(Instant::now());
        let nanos = (bytes as u64 * 8 * 1_000_000_000).checked_div(self.shape.bits).unwrap_or(0);
        *free = start + Duration::from_nanos(nanos);
        *free + self.shape.delay
    }

    fn wait_until_released(&self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while *held {
            held = self.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn carry(shared: &Arc<Shared>, way: Way, mut from: TcpStream, to: TcpStream) {
    let (into, out) = sync_channel(UNDER_WAY);
    let here = Arc::clone(shared);
    thread::spawn(move || take(&here, way, &mut from, &into));
    let there = Arc::clone(shared);
    thread::spawn(move || give(&there, way, to, &out));
}

fn take(shared: &Shared, way: Way, from: &mut TcpStream, into: &SyncSender<(Instant, Vec<u8>)>) {
    let mut piece = [0; PIECE];
    while let Ok(count @ 1..) = from.read(&mut piece) {
        if into.send((shared.arrival(way, count), piece[..count].to_vec())).is_err() {
            return;
        }
    }
}

fn give(shared: &Shared, way: Way, mut to: TcpStream, out: &Receiver<(Instant, Vec<u8>)>) {
    let _ = to.set_nodelay(true);
    for (arrival, piece) in out {
        thread::sleep(arrival.saturating_duration_since(Instant::now()));
        if way == Way::Down {
            shared.wait_until_released();
        }
        (shared.heard)(way, piece.len());
        if to.write_all(&piece).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
