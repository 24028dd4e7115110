//! A picture in the making: soft shapes, one over the other.

use super::chance::Chance;
use super::identity::Colour;
use super::view::{Camera, Light, Pose};

/// Levels `[H, W, 3]`, and where the face is.
pub(super) struct Canvas {
    height: usize,
    width: usize,
    levels: Vec<f32>,
    /// What each pixel shows: x from the middle in parts of the width, y from the top in parts of the height.
    points: Vec<[f32; 2]>,
}

/// The middle of the face, in parts of width and height: what poses turn around.
const MIDDLE: [f32; 2] = [0.5, 0.55];

impl Canvas {
    pub(super) fn new(height: usize, width: usize) -> Self {
        let points = plain(height, width).map(|[x, y]| [x - 0.5, y]).collect();
        Self { height, width, levels: vec![0.0; height * width * 3], points }
    }

    /// From now on shapes are given in coordinates of the face.
    pub(super) fn pose(&mut self, pose: Pose) {
        let aspect = self.height as f32 / self.width as f32;
        self.points = plain(self.height, self.width).map(|point| of_face(point, pose, aspect)).collect();
    }

    /// Lays a colour over the picture. `depth` answers for a point `[x, y]` (x from the middle in parts of the width, y
    /// from the top in parts of the height) how far within the shape it lies, in parts of the width, negative outside;
    /// edges are `softness` wide, at least a pixel. Opacity is 0 to 1.
    pub(super) fn paint(
        &mut self,
        colour: Colour,
        opacity: f32,
        softness: f32,
        depth: impl Fn([f32; 2]) -> f32,
    ) {
        let edge = softness.max(1.0 / self.width as f32);
        self.each(|point, pixel| {
            let cover = (depth(point) / edge + 0.5).clamp(0.0, 1.0);
            if cover == 0.0 {
                return;
            }
            let share = opacity * cover * cover * (3.0 - 2.0 * cover);
            for (level, painted) in pixel.iter_mut().zip(colour) {
                *level += share * (painted - *level);
            }
        });
    }

    /// Multiplies levels by what `factor` answers for a point.
    pub(super) fn shade(&mut self, factor: impl Fn([f32; 2]) -> f32) {
        self.each(|point, pixel| {
            let factor = factor(point);
            for level in pixel {
                *level *= factor;
            }
        });
    }

    /// Calls `change` with each point, in the coordinates that are in force, and its pixel.
    pub(super) fn each(&mut self, mut change: impl FnMut([f32; 2], &mut [f32])) {
        for (pixel, point) in self.levels.chunks_exact_mut(3).zip(&self.points) {
            change(*point, pixel);
        }
    }

    /// Light from a side, its colour and strength.
    pub(super) fn light(&mut self, light: &Light) {
        let [right, down] = light.slope;
        self.points = plain(self.height, self.width).map(|[x, y]| [x - 0.5, y]).collect();
        self.shade(|[x, y]| (1.0 + right * x + down * (y - 0.5)).max(0.2));
        self.each(|_, pixel| {
            for (level, gain) in pixel.iter_mut().zip(light.gain) {
                let part = (*level * gain / 255.0).clamp(0.0, 1.0);
                *level = 255.0 * part.powf(light.gamma);
            }
        });
    }

    /// The finished picture, blurred and with noise.
    pub(super) fn photograph(self, camera: Camera, chance: &mut Chance) -> Vec<u8> {
        let Self { height, width, levels, .. } = &self;
        let at = |row: usize, column: usize, channel: usize| levels[(row * width + column) * 3 + channel];
        let mut picture = Vec::with_capacity(levels.len());
        for row in 0..*height {
            let rows = [row.saturating_sub(1), row, (row + 1).min(height - 1)];
            for column in 0..*width {
                let columns = [column.saturating_sub(1), column, (column + 1).min(width - 1)];
                for channel in 0..3 {
                    let sum: f32 =
                        rows.iter().flat_map(|row| columns.map(|column| at(*row, column, channel))).sum();
                    let sharp = at(row, column, channel);
                    let level =
                        sharp + camera.blur * (sum / 9.0 - sharp) + camera.noise * chance.quick_normal();
                    picture.push(level.round().clamp(0.0, 255.0) as u8);
                }
            }
        }
        picture
    }
}

/// The middle of each pixel, in parts of width and height.
fn plain(height: usize, width: usize) -> impl Iterator<Item = [f32; 2]> {
    (0..height * width).map(move |index| {
        let (row, column) = (index / width, index % width);
        [(column as f32 + 0.5) / width as f32, (row as f32 + 0.5) / height as f32]
    })
}

/// The point of the face that a point of the picture shows.
fn of_face([x, y]: [f32; 2], pose: Pose, aspect: f32) -> [f32; 2] {
    let (sine, cosine) = pose.roll.sin_cos();
    let (x, y) = (x - MIDDLE[0] - pose.shift[0], (y - MIDDLE[1] - pose.shift[1]) * aspect);
    let (x, y) = ((cosine * x + sine * y) / pose.scale, (cosine * y - sine * x) / pose.scale);
    // What is in front, the middle of the face, moves most when the head turns.
    let front = (1.0 - (x / 0.5).powi(2)).max(0.0);
    [x - pose.yaw * front, y / aspect + MIDDLE[1]]
}

/// How far within an ellipse a point lies, about, in parts of the width.
pub(super) fn ellipse([x, y]: [f32; 2], middle: [f32; 2], half: [f32; 2]) -> f32 {
    let (right, down) = ((x - middle[0]) / half[0], (y - middle[1]) / half[1]);
    (1.0 - distance(right, down)) * half[0].min(half[1])
}

/// How far within a thick line a point lies, in parts of the width.
pub(super) fn line([x, y]: [f32; 2], from: [f32; 2], to: [f32; 2], half: f32) -> f32 {
    let (along, across) = ([to[0] - from[0], to[1] - from[1]], [x - from[0], y - from[1]]);
    let length = along[0] * along[0] + along[1] * along[1];
    let part = ((across[0] * along[0] + across[1] * along[1]) / length.max(1e-9)).clamp(0.0, 1.0);
    half - distance(across[0] - part * along[0], across[1] - part * along[1])
}

/// Faster than `hypot`, and the same on every machine; nothing here comes near an overflow.
fn distance(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}
