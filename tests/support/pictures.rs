//! A window without a display: Slint's testing backend with its software renderer and mocked time.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::{fs, path::PathBuf, time::Duration};

use i_slint_backend_testing::{TestingBackend, TestingBackendOptions, mock_elapsed_time};
use slint::{ComponentHandle, PhysicalSize, Rgba8Pixel, SharedPixelBuffer};
use teilhabe_terminal::{
    terminal::screen::{Place, Screen},
    ui::{Face, Options},
};

pub type Picture = SharedPixelBuffer<Rgba8Pixel>;

/// A screen by pixels and pixels of a millimetre (user-interface, 3), and where it stands.
pub const SIZES: [(&str, u32, u32, f32, Place); 9] = [
    ("1280x800", 1280, 800, 5.9, Place::Lane),
    ("1024x768", 1024, 768, 3.4, Place::Lane),
    ("1920x1080", 1920, 1080, 4.0, Place::Lane),
    ("1920x1080-close", 1920, 1080, 5.6, Place::Lane),
    ("800x1280", 800, 1280, 5.9, Place::Lane),
    ("counter-1920x1080", 1920, 1080, 4.0, Place::Counter),
    ("counter-1024x768", 1024, 768, 3.4, Place::Counter),
    ("tablet-800x1280", 800, 1280, 5.9, Place::Tablet),
    ("tablet-1280x800", 1280, 800, 5.9, Place::Tablet),
];

/// Gives this thread a backend of its own.
pub fn start() {
    let options = TestingBackendOptions { mock_time: true, threading: false, renderer_name: Some("software".into()) };
    slint::platform::set_platform(Box::new(TestingBackend::new(options))).expect("one backend per thread");
}

pub fn open(options: &Options, width: u32, height: u32) -> Face {
    let face = Face::open(options).expect("the testing backend opens windows");
    face.connect(|_| {}, |_| {});
    resize(&face, width, height);
    settle();
    face
}

pub fn resize(face: &Face, width: u32, height: u32) {
    face.window().window().set_size(PhysicalSize::new(width, height));
    mock_elapsed_time(Duration::ZERO);
}

/// Lets everything that starts by itself come to rest.
pub fn settle() {
    for _ in 0..4 {
        mock_elapsed_time(Duration::from_millis(500));
    }
}

/// The picture at rest.
pub fn draw(face: &Face, screen: &Screen) -> Picture {
    face.show(screen);
    settle();
    face.window().window().take_snapshot().expect("the software renderer draws")
}

pub fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/ui");
    fs::create_dir_all(&folder).unwrap();
    folder
}

pub fn save(picture: &Picture, name: &str) {
    let file = fs::File::create(folder().join(format!("{name}.png"))).unwrap();
    let mut encoder = png::Encoder::new(std::io::BufWriter::new(file), picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::Fast);
    encoder.write_header().unwrap().write_image_data(picture.as_bytes()).unwrap();
}
