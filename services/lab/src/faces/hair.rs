//! Hair: what falls behind the head, and what lies on it.

use super::head::{MIDDLE, outline};
use super::identity::{HairStyle, Identity};
use super::paint::{Canvas, ellipse, line};
use super::view::View;

/// Long hair beside and below the head.
pub(super) fn behind(canvas: &mut Canvas, person: &Identity) {
    if !matches!(person.style, HairStyle::Long | HairStyle::LongFringe) {
        return;
    }
    let across = person.face[0] + person.volume + 0.02;
    canvas.paint(person.hair.map(|level| level * 0.82), 1.0, 0.03, |[x, y]| {
        let sides = (across + 0.04 * (y - 0.4) - x.abs()).min(y - 0.3).min(1.4 - y);
        sides.max(ellipse([x, y], [0.0, 0.42], [across, 0.4]))
    });
}

/// Hair on top, by its style, and a strand in the face.
pub(super) fn before(canvas: &mut Canvas, person: &Identity, view: &View) {
    let hairline = person.hairline;
    let volume = person.volume;
    // Within the head, or off it as far as hair stands.
    let around = |point: [f32; 2]| outline(person, point) + volume;
    // Outlines cost most: where `other` leaves nothing to paint, the head is not asked.
    let around_if = |point: [f32; 2], other: f32, softness: f32| {
        if other < -softness { other } else { around(point).min(other) }
    };
    let sides = |[x, y]: [f32; 2], to: f32| (x.abs() - person.face[0] + 0.035).min(to - y);
    let style = person.style;
    if style == HairStyle::Bald {
        canvas.paint(person.hair, 0.55, 0.03, |point| {
            around_if(point, sides(point, 0.42).min(point[1] - 0.22).min(0.03), 0.05)
        });
    } else {
        let parting = person.parting;
        let cap = move |[x, y]: [f32; 2]| {
            let line = match style {
                HairStyle::Short | HairStyle::Bald => hairline + 0.25 * x * x,
                HairStyle::Fringe | HairStyle::LongFringe => hairline + 0.115 - 0.3 * x * x,
                HairStyle::Parted | HairStyle::Long => {
                    hairline - 0.03 + 0.9 * (x - parting) * (x - parting) + 0.1 * (x - parting).abs()
                }
            };
            line - y
        };
        let to = match style {
            HairStyle::Long | HairStyle::LongFringe => 0.75,
            HairStyle::Fringe | HairStyle::Parted => 0.5,
            _ => 0.42,
        };
        canvas.paint(person.hair, 0.98, 0.025, |point| {
            around_if(point, cap(point).max(sides(point, to)), 0.05)
        });
        // Shine.
        canvas.paint(person.hair.map(|level| (level * 1.35 + 18.0).min(255.0)), 0.4, 0.08, |point| {
            around_if(
                point,
                cap(point).min(ellipse(point, [parting * 0.5, MIDDLE - 0.42], [0.2, 0.06])),
                0.08,
            )
        });
    }
    if let Some([x, length]) = view.strand.filter(|_| style != HairStyle::Bald) {
        canvas.paint(person.hair, 0.85, 0.015, |point| line(point, [x, 0.1], [x * 1.2, length], 0.014));
    }
}
