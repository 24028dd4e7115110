//! Eyes, brows, nose and mouth.

use super::identity::Identity;
use super::paint::{Canvas, ellipse, line};
use super::view::View;

/// Heights of eyes, nostrils and mouth.
const EYES: f32 = 0.44;
const NOSTRILS: f32 = 0.625;
const MOUTH: f32 = 0.745;

const DARK: [f32; 3] = [26.0, 20.0, 18.0];
const WHITE: [f32; 3] = [232.0, 228.0, 222.0];
const TEETH: [f32; 3] = [226.0, 220.0, 206.0];
const FRAME: [f32; 3] = [52.0, 48.0, 50.0];

pub(super) fn features(canvas: &mut Canvas, person: &Identity, view: &View) {
    nose(canvas, person);
    mouth(canvas, person, view);
    for side in [-1.0, 1.0] {
        eye(canvas, person, view, side);
        brow(canvas, person, view, side);
    }
    if person.glasses {
        glasses(canvas, person);
    }
}

fn eye(canvas: &mut Canvas, person: &Identity, view: &View, side: f32) {
    let [across, down] = person.eye;
    let middle = [side * person.eye_distance, EYES];
    let open = (down * view.expression.eyes).max(0.004);
    // Outer corners are raised or hang.
    let turned = move |[x, y]: [f32; 2]| [x, y + person.eye_slant * side * (x - middle[0]) / across];
    // Beside a narrow ellipse depth falls slowly: a soft edge would reach across the face.
    let within = move |point: [f32; 2]| {
        ellipse(turned(point), middle, [across, open]).min(across - (point[0] - middle[0]).abs())
    };
    canvas.paint(person.skin_times(0.5), 0.85, 0.012, |point| within(point) + 0.008);
    canvas.paint(WHITE, 0.95, 0.008, within);
    let pupil = [middle[0] + view.expression.gaze * across * 0.5, middle[1]];
    let iris = across * 0.46;
    canvas.paint(person.iris, 1.0, 0.008, |point| within(point).min(ellipse(point, pupil, [iris, iris])));
    canvas.paint(DARK, 1.0, 0.008, |point| {
        within(point).min(ellipse(point, pupil, [iris * 0.45, iris * 0.45]))
    });
    // The upper lid.
    canvas.paint(DARK, 0.7, 0.01, move |[x, y]| {
        let along = (x - middle[0]) / (across * 1.1);
        if along.abs() >= 1.0 {
            return -1.0;
        }
        let lid = middle[1] - open * (1.0 - along * along).sqrt() - person.eye_slant * side * along;
        0.007 - (y - lid).abs()
    });
}

fn brow(canvas: &mut Canvas, person: &Identity, view: &View, side: f32) {
    let height = EYES - person.brow_height - view.expression.brows;
    let thickness = person.brow_thickness;
    canvas.paint(person.hair.map(|level| level * 0.8), 0.92, 0.012, move |[x, y]| {
        let along = (side * x - person.eye_distance) / person.brow_length;
        if along.abs() >= 1.0 {
            return -1.0;
        }
        // Inner ends are at -1.
        let level = height + person.brow_angle * 0.05 * along - 0.014 * (1.0 - along * along);
        thickness * (1.0 - 0.4 * along.max(0.0)) - (y - level).abs()
    });
}

fn nose(canvas: &mut Canvas, person: &Identity) {
    let [half, length] = person.nose;
    let top = NOSTRILS - length;
    canvas.paint(person.skin_times(0.8), 0.7, 0.03, |point| {
        line(point, [0.03, top], [half, NOSTRILS - 0.01], 0.012)
    });
    canvas.paint(person.skin_times(1.12), 0.6, 0.04, |point| {
        line(point, [0.0, top + 0.02], [-0.005, NOSTRILS - 0.04], 0.02)
    });
    canvas.paint(person.skin_times(0.72), 0.7, 0.02, |point| {
        ellipse(point, [0.0, NOSTRILS + 0.012], [half, 0.014])
    });
    for side in [-1.0, 1.0] {
        canvas.paint(person.skin_times(0.35), 0.85, 0.012, |point| {
            ellipse(point, [side * half * 0.5, NOSTRILS], [half * 0.3, 0.011])
        });
    }
}

fn mouth(canvas: &mut Canvas, person: &Identity, view: &View) {
    let half = person.mouth * (1.0 + 4.0 * view.expression.smile.max(0.0));
    let [upper, lower] = person.lip;
    let open = view.expression.open;
    let smile = view.expression.smile;
    // The line between the lips at x, and how much of the mouth is there.
    let between = move |x: f32| {
        let along = x / half;
        (along.abs() < 1.0).then_some((MOUTH - smile * (along * along - 0.3), 1.0 - along * along))
    };
    canvas.paint(person.lips, 0.9, 0.012, move |[x, y]| {
        between(x).map_or(-1.0, |(level, belly)| {
            let bow = 1.0 - 0.3 * (-(x / 0.03).powi(2)).exp();
            (y - (level - upper * belly * bow - open * 0.3 * belly))
                .min(level + lower * belly + open * 0.7 * belly - y)
        })
    });
    if open > 0.0 {
        let gap = move |[x, y]: [f32; 2]| {
            between(x).map_or(-1.0, |(level, belly)| {
                (y - level + open * 0.3 * belly).min(level + open * 0.7 * belly - y)
            })
        };
        canvas.paint([70.0, 26.0, 26.0], 0.95, 0.008, gap);
        canvas.paint(TEETH, 0.9, 0.008, |point| gap(point).min(MOUTH + open * 0.15 - point[1]));
    } else {
        canvas.paint(person.lips.map(|level| level * 0.55), 0.85, 0.008, move |[x, y]| {
            between(x).map_or(-1.0, |(level, _)| 0.006 - (y - level).abs())
        });
    }
    canvas.paint(person.skin_times(0.78), 0.5, 0.03, |point| {
        ellipse(point, [0.0, MOUTH + lower + 0.03], [half * 0.6, 0.012])
    });
}

fn glasses(canvas: &mut Canvas, person: &Identity) {
    for side in [-1.0, 1.0] {
        let middle = [side * person.eye_distance, EYES + 0.01];
        canvas.paint(FRAME, 0.9, 0.01, |point| 0.008 - ellipse(point, middle, [0.125, 0.085]).abs());
        canvas.paint(FRAME, 0.9, 0.01, |point| {
            line(point, [side * (person.eye_distance + 0.12), EYES - 0.01], [side * 0.46, EYES - 0.03], 0.008)
        });
    }
    canvas.paint(FRAME, 0.9, 0.01, |point| {
        line(
            point,
            [0.125 - person.eye_distance, EYES - 0.01],
            [person.eye_distance - 0.125, EYES - 0.01],
            0.008,
        )
    });
}
