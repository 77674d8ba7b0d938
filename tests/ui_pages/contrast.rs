//! What the pixels say: contrast of texts, brightness of fields, the likeness of two pictures.

use std::{collections::HashMap, sync::LazyLock};

use teilhabe_terminal::ui::Face;

use crate::{
    pictures::Picture,
    placement::{Rect, scrolled, texts_of},
};

/// Linear light of a channel's value (WCAG 2.1): a table, because a picture has a million pixels.
static LINEAR: LazyLock<[f32; 256]> = LazyLock::new(|| {
    std::array::from_fn(|value| {
        #[allow(clippy::cast_precision_loss, reason = "below 256")]
        let value = value as f32 / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
});

/// Relative luminance (WCAG 2.1).
pub(crate) fn luminance(pixel: slint::Rgba8Pixel) -> f32 {
    let linear = &*LINEAR;
    0.2126 * linear[pixel.r as usize] + 0.7152 * linear[pixel.g as usize] + 0.0722 * linear[pixel.b as usize]
}

pub(crate) fn contrast(a: f32, b: f32) -> f32 {
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "coordinates of a screen")]
pub(crate) fn pixels(picture: &Picture, rect: &Rect) -> Vec<slint::Rgba8Pixel> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let (left, right) = (rect.left.max(0.0) as usize, (rect.right as usize).min(width));
    let (top, bottom) = (rect.top.max(0.0) as usize, (rect.bottom as usize).min(height));
    let mut pixels = Vec::with_capacity(bottom.saturating_sub(top) * right.saturating_sub(left));
    for y in top..bottom {
        pixels.extend_from_slice(&picture.as_slice()[y * width + left..y * width + right.max(left)]);
    }
    pixels
}

/// Texts whose ink stands out from the ground around it by less than 4.5, as the picture shows them.
pub(crate) fn unreadable(face: &Face, picture: &Picture) -> Vec<String> {
    let scrolls = scrolled(face.window());
    let mut found = Vec::new();
    for (text, _, rect) in texts_of(face.window()) {
        // What is parted where it scrolls has a test of its own.
        if scrolls.iter().any(|s| rect.overlaps(s) && !rect.inside(s)) {
            continue;
        }
        // Runs of one colour are the most of it: few are looked up.
        let mut counts: HashMap<[u8; 3], usize> = HashMap::new();
        let (mut last, mut run) = ([0; 3], 0);
        for pixel in &pixels(picture, &rect) {
            let colour = [pixel.r, pixel.g, pixel.b];
            if colour != last {
                *counts.entry(last).or_default() += run;
                (last, run) = (colour, 0);
            }
            run += 1;
        }
        *counts.entry(last).or_default() += run;
        let light = |[r, g, b]: [u8; 3]| luminance(slint::Rgba8Pixel { r, g, b, a: 255 });
        let Some((ground, _)) = counts.iter().max_by_key(|(_, count)| **count) else { continue };
        let ground = light(*ground);
        let seen = counts.iter().filter(|(_, count)| **count > 0);
        let best = seen.map(|(colour, _)| contrast(light(*colour), ground)).fold(1.0, f32::max);
        if best < 4.5 {
            found.push(format!("'{text}' {best:.1}"));
        }
    }
    found
}

/// Cells of a glance along each side.
const CELLS: usize = 24;

/// What is left of a place from far away and without colour: its mean lightness (CIE L*, 0 to 100) in 24 by 24 cells.
#[allow(clippy::cast_precision_loss, reason = "pixels of a screen")]
pub(crate) fn glance(picture: &Picture, place: &Rect) -> Vec<f32> {
    let (width, height) = ((place.right - place.left) / CELLS as f32, (place.bottom - place.top) / CELLS as f32);
    let cell = |n: usize| {
        let (left, top) = (place.left + (n % CELLS) as f32 * width, place.top + (n / CELLS) as f32 * height);
        let cell = pixels(picture, &Rect { left, top, right: left + width, bottom: top + height });
        // One in three tells as much.
        let light: Vec<f32> = cell.into_iter().step_by(3).map(luminance).collect();
        let mean = light.iter().sum::<f32>() / light.len().max(1) as f32;
        if mean > 0.008_856 { 116.0 * mean.cbrt() - 16.0 } else { 903.3 * mean }
    };
    (0..CELLS * CELLS).map(cell).collect()
}

/// Share of the cells in which two glances differ by more than a quarter of the way from black to white.
#[allow(clippy::cast_precision_loss, reason = "cells of a glance")]
pub(crate) fn apart(one: &[f32], other: &[f32]) -> f32 {
    let differ = one.iter().zip(other).filter(|(a, b)| (*a - *b).abs() > 25.0).count();
    differ as f32 / one.len() as f32
}
