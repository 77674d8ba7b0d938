//! A virtual display. What stands on it is seen, its keys pressed and its windows closed over the X11 protocol itself, so
//! that nothing of the program under test has a part in what a test sees.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// Key codes of the layout a fresh Xvfb has (evdev, pc105, us).
pub mod key {
    pub const ESCAPE: u8 = 9;
    pub const TAB: u8 = 23;
    pub const RETURN: u8 = 36;
    pub const F2: u8 = 68;
    pub const F3: u8 = 69;
    pub const F4: u8 = 70;
    pub const F5: u8 = 71;
    pub const F8: u8 = 74;

    /// Key of a digit.
    pub fn digit(digit: char) -> u8 {
        let value = u8::try_from(digit.to_digit(10).expect("a digit")).unwrap();
        if value == 0 { 19 } else { 9 + value }
    }
}

/// Requests of the core protocol and of XTEST, by number.
mod request {
    pub const INTERN_ATOM: u8 = 16;
    pub const QUERY_TREE: u8 = 15;
    pub const GET_PROPERTY: u8 = 20;
    pub const SEND_EVENT: u8 = 25;
    pub const SET_INPUT_FOCUS: u8 = 42;
    pub const GET_INPUT_FOCUS: u8 = 43;
    pub const GET_IMAGE: u8 = 73;
    pub const QUERY_EXTENSION: u8 = 98;
    pub const XTEST_FAKE_INPUT: u8 = 2;
}

/// A display of its own, ended with the test.
pub struct Display {
    server: Child,
    number: String,
    wire: UnixStream,
    root: u32,
    xtest: u8,
    pub width: u16,
    pub height: u16,
}

/// Pixels of the screen, row by row.
pub struct Glass {
    pub width: usize,
    pub pixels: Vec<[u8; 3]>,
}

impl Glass {
    /// Share of the pixels in a place that have this colour, give or take what rounding does.
    pub fn share(&self, place: (usize, usize, usize, usize), colour: [u8; 3]) -> f32 {
        let (left, top, right, bottom) = place;
        let all = (right - left) * (bottom - top);
        let rows = (top..bottom).flat_map(|y| &self.pixels[y * self.width + left..y * self.width + right]);
        let fits = |pixel: &[u8; 3]| pixel.iter().zip(colour).all(|(a, b)| a.abs_diff(b) <= 3);
        #[allow(clippy::cast_precision_loss, reason = "pixels of a screen")]
        let share = rows.filter(|pixel| fits(pixel)).count() as f32 / all as f32;
        share
    }

    /// Kept as build output.
    pub fn save(&self, name: &str) {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/ui");
        fs::create_dir_all(&folder).unwrap();
        let file = std::io::BufWriter::new(fs::File::create(folder.join(format!("{name}.png"))).unwrap());
        let size = |n: usize| u32::try_from(n).unwrap();
        let mut encoder = png::Encoder::new(file, size(self.width), size(self.pixels.len() / self.width));
        encoder.set_color(png::ColorType::Rgb);
        encoder.write_header().unwrap().write_image_data(self.pixels.as_flattened()).unwrap();
    }
}

impl Display {
    pub fn start(width: u16, height: u16) -> Self {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", &format!("{width}x{height}x24")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is missing. Install it once: script/setup");
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let number = number.trim().to_owned();
        let mut wire = UnixStream::connect(format!("/tmp/.X11-unix/X{number}")).unwrap();
        // Little-endian, version 11.0, no authorisation.
        wire.write_all(&[b'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        let mut head = [0; 8];
        wire.read_exact(&mut head).unwrap();
        assert_eq!(head[0], 1, "the display takes nobody");
        let mut setup = vec![0; 4 * usize::from(u16_at(&head, 6))];
        wire.read_exact(&mut setup).unwrap();
        let (vendor, formats) = (usize::from(u16_at(&setup, 16)), usize::from(setup[21]));
        let root = u32_at(&setup, 32 + vendor.next_multiple_of(4) + 8 * formats);
        let mut display = Self { server, number, wire, root, xtest: 0, width, height };
        let found = display.ask(&named(request::QUERY_EXTENSION, 0, "XTEST"));
        assert_eq!(found[8], 1, "the display has no XTEST");
        display.xtest = found[9];
        display
    }

    /// For `DISPLAY`.
    pub fn name(&self) -> String {
        format!(":{}", self.number)
    }

    /// The window of a program, once it is there: the one that wants to be asked before it is closed.
    pub fn window(&mut self) -> Option<u32> {
        let protocols = self.atom("WM_PROTOCOLS");
        let tree = self.ask(&numbers(request::QUERY_TREE, 0, &[self.root]));
        let windows: Vec<u32> = tree[32..].chunks_exact(4).map(|id| u32_at(id, 0)).collect();
        windows.into_iter().find(|window| {
            let property = self.ask(&numbers(request::GET_PROPERTY, 0, &[*window, protocols, 0, 0, 0]));
            u32_at(&property, 8) != 0
        })
    }

    /// Gives a window the keyboard, as a window manager would.
    pub fn focus(&mut self, window: u32) {
        self.tell(&numbers(request::SET_INPUT_FOCUS, 1, &[window, 0]));
    }

    /// Presses and releases a key.
    pub fn press(&mut self, code: u8) {
        for kind in [2, 3] {
            self.fake(kind, code);
        }
        // An answer says that all before it was done.
        self.ask(&numbers(request::GET_INPUT_FOCUS, 0, &[]));
    }

    /// What the button in a window's frame does (ICCCM, 4.2.8.1).
    pub fn close(&mut self, window: u32) {
        let (protocols, delete) = (self.atom("WM_PROTOCOLS"), self.atom("WM_DELETE_WINDOW"));
        let mut event = vec![33, 32, 0, 0];
        for number in [window, protocols, delete, 0, 0, 0, 0] {
            event.extend(number.to_le_bytes());
        }
        let mut request = numbers(request::SEND_EVENT, 0, &[window, 0]);
        request.extend(event);
        self.tell(&sized(request));
    }

    /// What stands on the screen.
    pub fn look(&mut self) -> Glass {
        let (width, height) = (self.width.to_le_bytes(), self.height.to_le_bytes());
        let size = u32::from_le_bytes([width[0], width[1], height[0], height[1]]);
        let image = self.ask(&numbers(request::GET_IMAGE, 2, &[self.root, 0, size, u32::MAX]));
        let pixels = image[32..].chunks_exact(4).map(|p| [p[2], p[1], p[0]]);
        let all = usize::from(self.width) * usize::from(self.height);
        Glass { width: self.width.into(), pixels: pixels.take(all).collect() }
    }

    fn atom(&mut self, name: &str) -> u32 {
        let answer = self.ask(&named(request::INTERN_ATOM, 0, name));
        u32_at(&answer, 8)
    }

    fn fake(&mut self, kind: u8, detail: u8) {
        let mut request = vec![self.xtest, request::XTEST_FAKE_INPUT, 0, 0, kind, detail, 0, 0];
        request.resize(36, 0);
        self.tell(&sized(request));
    }

    fn tell(&mut self, request: &[u8]) {
        self.wire.write_all(request).unwrap();
    }

    fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.tell(request);
        loop {
            let mut answer = vec![0; 32];
            self.wire.read_exact(&mut answer).unwrap();
            match answer[0] {
                0 => panic!("the display refuses: error {} of request {}", answer[1], answer[10]),
                1 => {
                    answer.resize(32 + 4 * u32_at(&answer, 4) as usize, 0);
                    self.wire.read_exact(&mut answer[32..]).unwrap();
                    return answer;
                }
                _ => {} // an event
            }
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Puts its length, in fours of bytes, into a request.
fn sized(mut request: Vec<u8>) -> Vec<u8> {
    request.resize(request.len().next_multiple_of(4), 0);
    let length = u16::try_from(request.len() / 4).unwrap().to_le_bytes();
    request[2..4].copy_from_slice(&length);
    request
}

fn numbers(opcode: u8, detail: u8, numbers: &[u32]) -> Vec<u8> {
    let mut request = vec![opcode, detail, 0, 0];
    request.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    sized(request)
}

fn named(opcode: u8, detail: u8, name: &str) -> Vec<u8> {
    let mut request = vec![opcode, detail, 0, 0];
    request.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    request.extend([0, 0]);
    request.extend(name.as_bytes());
    sized(request)
}
