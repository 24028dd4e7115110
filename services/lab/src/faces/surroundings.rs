//! What is around a face.

use super::chance::Chance;
use super::identity::Identity;
use super::paint::{Canvas, ellipse};

/// A wall with a gradient and a few soft things in front of it.
pub(super) fn background(canvas: &mut Canvas, chance: &mut Chance) {
    let grey = chance.between(20.0, 220.0);
    let top = chance.near([grey; 3], 45.0);
    let bottom = chance.near(top, 60.0);
    canvas.each(|[_, y], pixel| {
        for (channel, level) in pixel.iter_mut().enumerate() {
            *level = top[channel] + y * (bottom[channel] - top[channel]);
        }
    });
    for _ in 0..3 {
        let colour = chance.near(top, 90.0);
        let middle = [chance.between(-0.6, 0.6), chance.between(0.0, 1.0)];
        let half = [chance.between(0.08, 0.35), chance.between(0.08, 0.5)];
        let opacity = chance.between(0.3, 0.9);
        canvas.paint(colour, opacity, 0.08, |point| ellipse(point, middle, half));
    }
}

/// Neck and shoulders.
pub(super) fn clothes(canvas: &mut Canvas, person: &Identity, chance: &mut Chance) {
    let neck = person.skin_times(0.78);
    canvas.paint(neck, 1.0, 0.02, |[x, y]| (0.2 - x.abs()).min(y - 0.7));
    // Somebody's favourite colour, or another one.
    let colour = if chance.happens(0.5) { person.clothes } else { chance.near([120.0; 3], 110.0) };
    canvas.paint(colour, 1.0, 0.03, |point| ellipse(point, [0.0, 1.12], [0.62, 0.2]));
}
