//! The head: outline, ears, skin.

use super::identity::{Beard, Identity};
use super::paint::{Canvas, ellipse, line};
use super::view::View;

/// The height of the middle of a head.
pub(super) const MIDDLE: f32 = 0.53;

/// How far within the outline a point lies, about, in parts of the width.
pub(super) fn outline(person: &Identity, [x, y]: [f32; 2]) -> f32 {
    let [across, down] = person.face;
    let below = ((y - MIDDLE) / down).max(0.0);
    let across = across * (1.0 - person.jaw * below * below);
    let power = person.squareness;
    let right = (x / across.max(0.05)).abs().powf(power);
    let along = ((y - MIDDLE) / down).abs().powf(power);
    (1.0 - (right + along).powf(1.0 / power)) * across
}

/// Ears, skin, cheeks, beard, lines and moles.
pub(super) fn head(canvas: &mut Canvas, person: &Identity, view: &View) {
    let [across, down] = person.face;
    for side in [-1.0, 1.0] {
        let middle = [side * (across + person.ears - 0.015), 0.5];
        canvas.paint(person.skin_times(0.88), 1.0, 0.015, |point| ellipse(point, middle, [0.045, 0.085]));
    }
    canvas.paint(person.skin, 1.0, 0.02, |point| outline(person, point));
    // Skin turns away towards the outline.
    let turned = [view.light.slope[0].clamp(-0.5, 0.5), -0.12];
    canvas.each(|[x, y], pixel| {
        if outline(person, [x, y]) > 0.0 {
            let (right, below) = (x / across, (y - MIDDLE) / down);
            let round = 1.0 - 0.16 * (right * right + below * below).min(1.2);
            let factor = round * (1.0 + 0.3 * turned[0] * right + turned[1] * below);
            for level in pixel {
                *level *= factor;
            }
        }
    });
    for side in [-1.0, 1.0] {
        let rosy = [person.skin[0], person.skin[1] * 0.72, person.skin[2] * 0.74];
        canvas
            .paint(rosy, 0.55 * person.cheeks, 0.1, |point| ellipse(point, [side * 0.22, 0.63], [0.1, 0.07]));
        // Lines from the nose to the corners of the mouth.
        canvas.paint(person.skin_times(0.7), 0.6 * person.lines, 0.02, |point| {
            line(point, [side * (person.nose[0] + 0.03), 0.63], [side * (person.mouth + 0.02), 0.73], 0.008)
        });
        // Eyes lie deep.
        canvas.paint(person.skin_times(0.74), 0.5, 0.07, |point| {
            ellipse(point, [side * person.eye_distance, 0.43], [0.11, 0.05])
        });
    }
    canvas.paint(person.skin_times(0.75), 0.5 * person.lines, 0.015, |point| {
        line(point, [-0.15, 0.3], [0.15, 0.3], 0.006)
    });
    for mole in &person.moles {
        canvas.paint(person.skin_times(0.42), 0.9, 0.01, |point| ellipse(point, *mole, [0.016, 0.014]));
    }
    beard(canvas, person);
}

fn beard(canvas: &mut Canvas, person: &Identity) {
    let (colour, density) = (person.hair, person.beard_density);
    let moustache = |point: [f32; 2]| ellipse(point, [0.0, 0.685], [person.mouth + 0.03, 0.028]);
    let goatee = |point: [f32; 2]| ellipse(point, [0.0, 0.855], [0.1, 0.075]);
    match person.beard {
        Beard::None => {}
        Beard::Moustache => canvas.paint(colour, density, 0.02, moustache),
        Beard::Goatee => {
            canvas.paint(colour, density, 0.03, |point| goatee(point).max(moustache(point) - 0.004));
        }
        Beard::Full => canvas.paint(colour, density, 0.05, |point| {
            let jaw =
                outline(person, point).min(0.6 * (point[1] - 0.62 + 0.6 * (point[0].abs() - 0.22).max(0.0)));
            let mouth = ellipse(point, [0.0, 0.745], [person.mouth, 0.045]);
            jaw.max(moustache(point)).min(-mouth)
        }),
    }
}
