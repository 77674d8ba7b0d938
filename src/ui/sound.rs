//! Cues for eye-free work, synthesised once at start. A missing or dying sound device is silence and nothing else.

use std::{
    f32::consts::TAU,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
    time::Duration,
};

use cpal::{
    SampleFormat, StreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use crate::terminal::effect::Chime;

/// Samples a second; cues are made for it, and the stream is asked for it.
const RATE: u32 = 48_000;
/// Cues that may wait; more than that is noise, and the oldest is told.
const WAITING: usize = 4;
/// How long after a lost or missing device it is looked for again; four times longer after each failure.
const AGAIN: Duration = Duration::from_secs(5);
/// And no longer than this: the sound library complains on standard error at each look.
const AGAIN_AT_MOST: Duration = Duration::from_secs(600);
/// Ramp at both ends of a tone, so that it does not click: 10 ms, of a short tone at most a third.
const RAMP: usize = RATE as usize / 100;
/// Loudness of all cues but the tick: −6 dB of full scale. "Not possible" is no louder than "booked".
const LOUDNESS: f32 = 0.5;
/// Loudness of the tick: −18 dB of full scale.
const TICK: f32 = 0.126;

/// One tone: frequency in hertz (0 is silence) and length in milliseconds.
type Tone = (f32, u32);

/// The pattern of a cue (user-interface, 5). All tones lie between 400 and 1,600 Hz, which old ears hear.
const fn pattern(chime: Chime) -> (&'static [Tone], f32) {
    match chime {
        Chime::Tick => (&[(1000.0, 15)], TICK),
        Chime::Yes => (&[(1000.0, 70), (1500.0, 90)], LOUDNESS),
        Chime::Already => (&[(750.0, 120), (0.0, 80), (750.0, 120)], LOUDNESS),
        Chime::No => (&[(600.0, 140), (400.0, 180)], LOUDNESS),
        Chime::Again => (&[(500.0, 40), (0.0, 60), (500.0, 40), (0.0, 60), (500.0, 40)], LOUDNESS),
    }
}

/// The samples of a cue at 48 kHz, one channel.
#[must_use]
pub fn synthesise(chime: Chime) -> Vec<f32> {
    let (tones, loudness) = pattern(chime);
    let mut samples = Vec::new();
    for &(hertz, milliseconds) in tones {
        let length = (RATE / 1000 * milliseconds) as usize;
        let ramp = RAMP.min(length / 3).max(1);
        samples.extend((0..length).map(|i| {
            let edge = i.min(length - 1 - i).min(ramp);
            #[allow(clippy::cast_precision_loss, reason = "both are below 24 bits")]
            let (time, envelope) = (i as f32 / RATE as f32, edge as f32 / ramp as f32);
            (TAU * hertz * time).sin() * envelope * loudness
        }));
    }
    samples
}

/// Plays cues from any thread. Clones share one stream; when the last is dropped the sound thread ends.
#[derive(Debug, Clone)]
pub struct Chimes {
    inbox: Option<SyncSender<Chime>>,
}

impl Chimes {
    /// Starts the sound thread, which opens the device and keeps it open.
    #[must_use]
    pub fn open() -> Self {
        let (inbox, chimes) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("sound".to_owned()).spawn(move || keep_playing(&chimes));
        if let Err(error) = &thread {
            tracing::warn!(%error, "no sound: its thread could not start");
        }
        Self { inbox: thread.is_ok().then_some(inbox) }
    }

    /// A terminal that is meant to be silent.
    #[must_use]
    pub fn silent() -> Self {
        Self { inbox: None }
    }

    /// Plays a cue; never waits and never fails.
    pub fn play(&self, chime: Chime) {
        if let Some(inbox) = &self.inbox
            && let Err(TrySendError::Full(_)) = inbox.try_send(chime)
        {
            tracing::debug!("a cue was left out: too many wait");
        }
    }
}

/// The thread's life: a device, its stream, and after a loss the next one.
#[expect(clippy::disallowed_methods, reason = "measures its own pause between two attempts; no decision depends on it")]
fn keep_playing(chimes: &Receiver<Chime>) {
    let mut told = false;
    let mut pause = AGAIN;
    loop {
        let (lost, is_lost) = sync_channel::<()>(1);
        match Output::open(lost) {
            Ok(output) => {
                (told, pause) = (false, AGAIN);
                loop {
                    match chimes.recv_timeout(Duration::from_secs(1)) {
                        Ok(chime) => output.play(chime),
                        Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                        Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
                    }
                    if is_lost.try_recv().is_ok() {
                        tracing::warn!("the sound device was lost");
                        break;
                    }
                }
            }
            Err(error) => {
                if !told {
                    tracing::warn!(%error, "no sound");
                    told = true;
                }
            }
        }
        // Cues that come while there is no device are meant for that moment: they are taken and dropped.
        let again = std::time::Instant::now() + pause;
        pause = (pause * 4).min(AGAIN_AT_MOST);
        while let Some(left) = again.checked_duration_since(std::time::Instant::now()) {
            match chimes.recv_timeout(left) {
                Ok(_) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
            }
        }
    }
}

/// An open stream and the way to its callback.
struct Output {
    cues: SyncSender<usize>,
    _stream: cpal::Stream,
}

const CUES: [Chime; 5] = [Chime::Tick, Chime::Yes, Chime::Already, Chime::No, Chime::Again];

impl Output {
    fn open(lost: SyncSender<()>) -> Result<Self, Box<dyn std::error::Error>> {
        let device = cpal::default_host().default_output_device().ok_or("no output device")?;
        let wanted = device
            .supported_output_configs()?
            .filter(|range| range.sample_format() == SampleFormat::F32 && range.channels() <= 2)
            .find_map(|range| range.try_with_sample_rate(RATE))
            .ok_or("the device does not play 48 kHz")?;
        let config: StreamConfig = wanted.into();
        let channels = usize::from(config.channels);
        let (cues, incoming) = sync_channel::<usize>(WAITING);
        let sounds = CUES.map(synthesise);
        let mut playing: Option<(usize, usize)> = None;
        let stream = device.build_output_stream(
            config,
            move |out: &mut [f32], _: &cpal::OutputCallbackInfo| {
                for frame in out.chunks_mut(channels.max(1)) {
                    // A newer cue replaces the older: it belongs to the newer picture.
                    if let Ok(cue) = incoming.try_recv() {
                        playing = Some((cue, 0));
                    }
                    let mut sample = 0.0;
                    if let Some((cue, at)) = playing {
                        sample = sounds[cue].get(at).copied().unwrap_or(0.0);
                        playing = (at + 1 < sounds[cue].len()).then_some((cue, at + 1));
                    }
                    frame.fill(sample);
                }
            },
            move |_| {
                let _ = lost.try_send(());
            },
            None,
        )?;
        stream.play()?;
        Ok(Self { cues, _stream: stream })
    }

    fn play(&self, chime: Chime) {
        if let Some(cue) = CUES.iter().position(|known| *known == chime) {
            let _ = self.cues.try_send(cue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cues_last_and_sound_as_specified() {
        let cases =
            [(Chime::Tick, 15), (Chime::Yes, 160), (Chime::Already, 320), (Chime::No, 320), (Chime::Again, 240)];
        for (chime, milliseconds) in cases {
            let samples = synthesise(chime);
            assert_eq!(samples.len(), 48 * milliseconds, "{chime:?}");
            let peak = samples.iter().fold(0.0_f32, |peak, s| peak.max(s.abs()));
            let loudest = if chime == Chime::Tick { TICK } else { LOUDNESS };
            assert!(peak <= loudest && peak > 0.9 * loudest, "{chime:?} {peak}");
            assert!(samples[0].abs() < 0.01 && samples[samples.len() - 1].abs() < 0.01, "{chime:?} clicks");
        }
    }

    /// Zero crossings count a tone's frequency without trusting the code that made it.
    #[test]
    fn booked_rises_and_refused_falls() {
        let crossings = |samples: &[f32]| samples.windows(2).filter(|w| (w[0] < 0.0) != (w[1] < 0.0)).count();
        let halves = |chime, first: usize| {
            let samples = synthesise(chime);
            let (a, b) = samples.split_at(48 * first);
            (crossings(a) * 500 / first, crossings(b) * 500 / (b.len() / 48))
        };
        let (low, high) = halves(Chime::Yes, 70);
        assert!(low.abs_diff(1000) < 30 && high.abs_diff(1500) < 30, "{low} {high}");
        let (high, low) = halves(Chime::No, 140);
        assert!(high.abs_diff(600) < 30 && low.abs_diff(400) < 30, "{high} {low}");
    }

    #[test]
    fn a_terminal_without_sound_goes_on() {
        let chimes = Chimes::silent();
        for _ in 0..100 {
            chimes.play(Chime::Yes);
        }
        // Whatever this machine has for a sound device: opening and dropping never fails and never hangs.
        let chimes = Chimes::open();
        for _ in 0..100 {
            chimes.play(Chime::No);
        }
    }
}
