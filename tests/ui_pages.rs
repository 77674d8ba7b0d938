//! Every picture is drawn without a display, kept under `target/ui`, and held to the rules of the interface.
#![cfg(feature = "gui")]

#[path = "support/pictures.rs"]
mod pictures;
#[path = "support/screens.rs"]
mod screens;

use teilhabe_terminal::ui::Options;

/// `UI_ONLY=result,ready cargo test …` draws those alone.
fn wanted(name: &str) -> bool {
    std::env::var("UI_ONLY").map_or(true, |only| only.split(',').any(|part| name.starts_with(part)))
}

#[test]
fn every_picture_is_drawn() {
    pictures::start();
    for (size, width, height, mm) in pictures::SIZES {
        for text_size in [100, 160] {
            for language in ["de", "en"] {
                if (language == "en" || size == "1920x1080-close") && text_size == 160 {
                    continue;
                }
                let face = pictures::open(
                    &Options { pixels_per_mm: Some(mm), text_size, ..Options::default() },
                    width,
                    height,
                );
                for (name, screen) in screens::all(language) {
                    let full = format!("{name}-{size}-{text_size}-{language}");
                    if wanted(&full) && std::env::var("UI_MATCH").map_or(true, |m| full.contains(&m)) {
                        pictures::save(&pictures::draw(&face, &screen), &full);
                    }
                }
            }
        }
    }
}
