//! A virtual card in the reader of `vpcd`, the other end of vsmartcard's socket: frames of a two-byte big-endian length
//! and a payload; payloads of one byte are orders to the slot, all others command APDUs (vsmartcard 3.3, `vpcd.c`).
//!
//! `vpcd` writes length and payload apart. Without an immediate acknowledgement the kernel holds the second write back
//! for some 40 ms, with every APDU; hence `TCP_QUICKACK`, which wears off and is set again after each read.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::card::{Reply, VirtualCard};

const POWER_OFF: u8 = 0x00;
const POWER_ON: u8 = 0x01;
const RESET: u8 = 0x02;
const GET_ATR: u8 = 0x04;

/// The service asks for a card every 400 ms; one that nobody has powered after this long lies in no reader.
const POWER_ON_LIMIT: Duration = Duration::from_secs(15);

/// How a presence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departure {
    /// The card lay there as long as it was to.
    Held,
    /// It tore itself away.
    Torn,
    /// An [`Ejector`] took it, or the service closed the slot.
    Ejected,
}

/// The service asks more than once as it finds and powers a card; the next look comes 400 ms later.
const ONE_LOOK: Duration = Duration::from_millis(250);
/// The service has surely looked twice in this time, and so noticed that a slot is empty.
const NOTICED: Duration = Duration::from_secs(1);

/// A connection to one slot of `vpcd`; the card is in as long as it is open.
pub struct VpcdSlot {
    stream: TcpStream,
    address: SocketAddr,
    hand: Arc<Mutex<Hand>>,
}

/// What the [`Ejector`] holds on to.
struct Hand {
    stream: TcpStream,
    ejected: bool,
}

/// Takes the card out from another thread.
pub struct Ejector(Arc<Mutex<Hand>>);

impl Ejector {
    /// Takes it out: it answers nothing any more. Its player returns once the service has noticed. A card that already
    /// left is no error.
    pub fn eject(&self) {
        let mut hand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hand.ejected = true;
        // Only the answers end: the player hears how the service finds the slot empty. The only failure is a connection
        // that has ended before: the card is out either way.
        let _ = hand.stream.shutdown(Shutdown::Write);
    }
}

impl VpcdSlot {
    /// Connects to a slot, usually at `127.0.0.1:35963`. The service notices at its next look, up to 400 ms later.
    ///
    /// # Errors
    /// Nobody listens there: no service, or one without the driver.
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = open(address)?;
        let (address, hand) = (stream.peer_addr()?, Hand { stream: stream.try_clone()?, ejected: false });
        Ok(Self { stream, address, hand: Arc::new(Mutex::new(hand)) })
    }

    /// A handle that takes the card out.
    #[must_use]
    pub fn ejector(&self) -> Ejector {
        Ejector(Arc::clone(&self.hand))
    }

    /// Plays the card until it leaves: after `hold`, counted from the first power-on (`None`: when it is ejected), or
    /// by its own fault. Blocks.
    ///
    /// # Errors
    /// Nobody powered the card for 15 s, or the connection broke.
    pub fn present(mut self, card: &mut VirtualCard, hold: Option<Duration>) -> io::Result<Departure> {
        let mut leave = now() + POWER_ON_LIMIT;
        let mut powered = false;
        let mut looked = None;
        // The service asked for the ATR last. If the slot is closed after that, it has found it empty; if an APDU came to
        // nothing, it only finds the next card there, unless that stays away for two looks.
        let mut empty = false;
        loop {
            let frame = match self.receive(leave, powered && hold.is_none()) {
                Ok(frame) => frame,
                Err(error) if is_timeout(&error) && powered => return Ok(Departure::Held),
                Err(error) if is_timeout(&error) => {
                    return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody powered the card"));
                }
                Err(error) if is_end(&error) => {
                    if !empty && self.was_ejected() {
                        rest(NOTICED);
                    }
                    return Ok(Departure::Ejected);
                }
                Err(error) => return Err(error),
            };
            empty = *frame == [GET_ATR];
            let answer = match *frame {
                [POWER_OFF] => continue,
                [POWER_ON | RESET] => {
                    if !powered {
                        powered = true;
                        leave = now() + hold.unwrap_or_default();
                    }
                    card.power_on();
                    continue;
                }
                [GET_ATR] => {
                    let first = *looked.get_or_insert_with(now);
                    if !powered && now() - first > ONE_LOOK {
                        // Looked at twice and not powered: the service did not notice that the card before this left.
                        looked = None;
                        if !self.again()? {
                            return Ok(Departure::Ejected);
                        }
                        continue;
                    }
                    card.atr().to_vec()
                }
                ref command => match card.command(command) {
                    Reply::Answer(answer, delay) => {
                        rest(delay);
                        answer
                    }
                    Reply::Silence => continue,
                    Reply::Torn => return Ok(Departure::Torn),
                },
            };
            match self.send(&answer) {
                // Ejected meanwhile: what the service does next tells whether it noticed.
                Err(error) if is_end(&error) => {}
                sent => sent?,
            }
        }
    }

    fn was_ejected(&self) -> bool {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner).ejected
    }

    /// Leaves until the service has noticed, and comes back. False if the card was taken out meanwhile.
    fn again(&mut self) -> io::Result<bool> {
        self.stream.shutdown(Shutdown::Both)?;
        rest(NOTICED);
        let mut hand = self.hand.lock().unwrap_or_else(PoisonError::into_inner);
        if hand.ejected {
            return Ok(false);
        }
        self.stream = open(self.address)?;
        hand.stream = self.stream.try_clone()?;
        Ok(true)
    }

    fn receive(&mut self, until: Instant, for_ever: bool) -> io::Result<Vec<u8>> {
        let mut length = [0; 2];
        self.fill(&mut length, until, for_ever)?;
        let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
        self.fill(&mut frame, until, for_ever)?;
        Ok(frame)
    }

    fn fill(&mut self, mut buffer: &mut [u8], until: Instant, for_ever: bool) -> io::Result<()> {
        while !buffer.is_empty() {
            let left = until.saturating_duration_since(now());
            if left.is_zero() && !for_ever {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(if for_ever { NOTICED } else { left }))?;
            match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => buffer = &mut buffer[count..],
                // A service that hangs notices nothing.
                Err(error) if for_ever && is_timeout(&error) && self.was_ejected() => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Err(error) if for_ever && is_timeout(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            acknowledge_at_once(&self.stream)?;
        }
        Ok(())
    }

    fn send(&mut self, answer: &[u8]) -> io::Result<()> {
        let length = u16::try_from(answer.len()).map_err(|_| io::Error::other("an answer beyond 64 KiB"))?;
        self.stream.write_all(&[&length.to_be_bytes(), answer].concat())
    }
}

impl Drop for VpcdSlot {
    fn drop(&mut self) {
        // An ejector may hold the connection as well; the card leaves when its player does.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn open(address: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    acknowledge_at_once(&stream)?;
    Ok(stream)
}

#[expect(clippy::disallowed_methods, reason = "how long a card lies in a real service's reader is real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "a delay that is played, or the service's own rhythm")]
fn rest(delay: Duration) {
    if !delay.is_zero() {
        std::thread::sleep(delay);
    }
}

#[cfg(target_os = "linux")]
fn acknowledge_at_once(stream: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_quickack(stream, true)?)
}

#[cfg(not(target_os = "linux"))]
fn acknowledge_at_once(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

fn is_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
