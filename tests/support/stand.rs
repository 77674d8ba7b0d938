//! A stand with two readers, a service behind them and other programs beside: in memory, and as the real `pcscd` with
//! the real `vpcd` driver. What is told of one is played by the other in the same words.

use std::sync::Arc;

use teilhabe_terminal::{
    ports::CardReaderFactory,
    sim::{Hold, VirtualCard, VirtualReaders},
};

/// The first slot.
pub const SLOT: &str = "Virtual PCD 00 00";
/// The second.
pub const OTHER_SLOT: &str = "Virtual PCD 00 01";

/// Ends what it stands for when it is dropped, and has waited for the end then.
pub trait Held {}

/// A stand, in memory or real.
pub trait Stand {
    fn readers(&self) -> Arc<dyn CardReaderFactory>;
    /// Lays a card into a slot that is empty.
    fn insert(&mut self, slot: &str, card: VirtualCard);
    /// Takes the card out, if one is in.
    fn remove(&mut self, slot: &str);
    /// A way to take the card out from another thread.
    fn remover(&mut self, slot: &str) -> Box<dyn FnOnce() + Send>;
    fn stop_service(&mut self);
    fn start_service(&mut self);
    /// Readers of these names stand in the place of the ones before. The n-th of them, counted from 0, has two slots that
    /// end in ` 0n 00` and ` 0n 01`, as the service numbers readers by the order in which it meets them.
    fn swap(&mut self, names: &[&str]);
    /// Another program takes hold of the card in this slot until it is dropped.
    fn hold(&mut self, slot: &str, how: Hold) -> Box<dyn Held>;
}

/// Readers that exist only in memory.
pub struct InMemory(pub VirtualReaders);

impl InMemory {
    pub fn new() -> Self {
        let readers = VirtualReaders::new();
        readers.plug(SLOT, None);
        readers.plug(OTHER_SLOT, None);
        Self(readers)
    }
}

struct HeldInMemory {
    readers: VirtualReaders,
    slot: String,
}

impl Held for HeldInMemory {}

impl Drop for HeldInMemory {
    fn drop(&mut self) {
        self.readers.hold_elsewhere(&self.slot, None);
    }
}

impl Stand for InMemory {
    fn readers(&self) -> Arc<dyn CardReaderFactory> {
        Arc::new(self.0.clone())
    }

    fn insert(&mut self, slot: &str, card: VirtualCard) {
        self.0.insert(slot, card);
    }

    fn remove(&mut self, slot: &str) {
        self.0.remove(slot);
    }

    fn remover(&mut self, slot: &str) -> Box<dyn FnOnce() + Send> {
        let (readers, slot) = (self.0.clone(), slot.to_owned());
        Box::new(move || drop(readers.remove(&slot)))
    }

    fn stop_service(&mut self) {
        self.0.stop_service();
    }

    fn start_service(&mut self) {
        self.0.start_service();
    }

    fn swap(&mut self, names: &[&str]) {
        for before in self.0.slots() {
            self.0.unplug(&before);
        }
        for (number, name) in names.iter().enumerate() {
            self.0.plug(&format!("{name} {number:02} 00"), None);
            self.0.plug(&format!("{name} {number:02} 01"), None);
        }
    }

    fn hold(&mut self, slot: &str, how: Hold) -> Box<dyn Held> {
        self.0.hold_elsewhere(slot, Some(how));
        Box::new(HeldInMemory { readers: self.0.clone(), slot: slot.to_owned() })
    }
}

#[cfg(feature = "pcsc")]
pub use real::{Real, Resetting};

#[cfg(feature = "pcsc")]
mod real {
    use std::{
        collections::BTreeMap,
        ffi::CString,
        sync::mpsc,
        thread::{Builder, JoinHandle},
        time::Duration,
    };

    use pcsc::{Context, Disposition, Protocols, Scope, ShareMode};
    use teilhabe_terminal::{
        adapters::pcsc::PcscReaders,
        sim::{Departure, Ejector, VpcdSlot},
    };

    use super::*;
    use crate::support::pcscd::PrivatePcscd;

    /// Longest wait for another program to have done what it is told.
    const BOUND: Duration = Duration::from_secs(10);

    /// How many slots of the service come before this one, by the two numbers at the end of its name.
    fn place(slot: &str) -> u16 {
        let (name, of_reader) = slot.rsplit_once(' ').unwrap();
        let (_, reader) = name.rsplit_once(' ').unwrap();
        2 * reader.parse::<u16>().unwrap() + of_reader.parse::<u16>().unwrap()
    }

    type Playing = (Ejector, JoinHandle<std::io::Result<Departure>>);

    /// The real service.
    pub struct Real {
        service: PrivatePcscd,
        cards: BTreeMap<String, Playing>,
    }

    impl Real {
        pub fn new(service: PrivatePcscd) -> Self {
            Self { service, cards: BTreeMap::new() }
        }

        /// Another program resets the card in this slot, again and again, whenever nobody's transaction keeps it from
        /// doing so, until it is dropped.
        pub fn resetting(&mut self, slot: &str) -> Resetting {
            let slot = CString::new(slot).unwrap();
            let (stop, stopped) = mpsc::channel::<()>();
            let (resets, reset) = mpsc::channel();
            let program = Builder::new().spawn(move || {
                let context = Context::establish(Scope::User).unwrap();
                // Between two resets it does something else; without a pause nobody would get at the reader at all.
                while stopped.recv_timeout(Duration::from_millis(3)) == Err(mpsc::RecvTimeoutError::Timeout) {
                    if let Ok(card) = context.connect(&slot, ShareMode::Shared, Protocols::ANY)
                        && card.disconnect(Disposition::ResetCard).is_ok()
                    {
                        let _ = resets.send(());
                    }
                }
            });
            Resetting { stop: Some(stop), reset, program: Some(program.unwrap()) }
        }
    }

    /// A program that resets.
    pub struct Resetting {
        stop: Option<mpsc::Sender<()>>,
        reset: mpsc::Receiver<()>,
        program: Option<JoinHandle<()>>,
    }

    impl Resetting {
        /// Waits until it has reset the card.
        pub fn begun(&self) {
            self.reset.recv_timeout(BOUND).expect("the other program resets the card");
        }
    }

    impl Drop for Resetting {
        fn drop(&mut self) {
            drop(self.stop.take());
            let _ = self.program.take().unwrap().join();
        }
    }

    struct HeldByProgram {
        release: Option<mpsc::Sender<()>>,
        program: Option<JoinHandle<()>>,
    }

    impl Held for HeldByProgram {}

    impl Drop for HeldByProgram {
        fn drop(&mut self) {
            drop(self.release.take());
            let _ = self.program.take().unwrap().join();
        }
    }

    impl Stand for Real {
        fn readers(&self) -> Arc<dyn CardReaderFactory> {
            Arc::new(PcscReaders)
        }

        fn insert(&mut self, slot: &str, mut card: VirtualCard) {
            let playing = VpcdSlot::connect(("127.0.0.1", self.service.port() + place(slot))).unwrap();
            let ejector = playing.ejector();
            let playing = Builder::new().spawn(move || playing.present(&mut card, None)).unwrap();
            self.cards.insert(slot.to_owned(), (ejector, playing));
        }

        fn remove(&mut self, slot: &str) {
            if let Some((ejector, playing)) = self.cards.remove(slot) {
                ejector.eject();
                playing.join().unwrap().unwrap();
            }
        }

        fn remover(&mut self, slot: &str) -> Box<dyn FnOnce() + Send> {
            let (ejector, playing) = self.cards.remove(slot).unwrap();
            Box::new(move || {
                ejector.eject();
                drop(playing);
            })
        }

        fn stop_service(&mut self) {
            self.service.kill();
        }

        fn start_service(&mut self) {
            self.service.restart();
        }

        fn swap(&mut self, names: &[&str]) {
            self.cards.clear();
            self.service.swap(names);
        }

        fn hold(&mut self, slot: &str, how: Hold) -> Box<dyn Held> {
            let slot = CString::new(slot).unwrap();
            let (release, released) = mpsc::channel::<()>();
            let (holds, held) = mpsc::channel();
            let program = Builder::new().spawn(move || {
                let context = Context::establish(Scope::User).unwrap();
                let mode = if how == Hold::Exclusive { ShareMode::Exclusive } else { ShareMode::Shared };
                let mut card = context.connect(&slot, mode, Protocols::ANY).unwrap();
                if how == Hold::Transaction {
                    let transaction = card.transaction().unwrap();
                    holds.send(()).unwrap();
                    let _ = released.recv();
                    transaction.end(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
                } else {
                    holds.send(()).unwrap();
                    let _ = released.recv();
                }
                card.disconnect(Disposition::LeaveCard).map_err(|(_, error)| error).unwrap();
            });
            held.recv_timeout(BOUND).expect("the other program got the card");
            Box::new(HeldByProgram { release: Some(release), program: Some(program.unwrap()) })
        }
    }
}
