//! What differs from picture to picture.

use super::chance::Chance;

/// How the head is held. A point of the picture shows the point of the face that this leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pose {
    /// Radians.
    pub(super) roll: f32,
    pub(super) scale: f32,
    /// Parts of width and height.
    pub(super) shift: [f32; 2],
    /// How far what is in the middle of the face moves aside, in parts of the width.
    pub(super) yaw: f32,
}

/// Where light comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    /// How much brighter the right and the lower edge are.
    pub(super) slope: [f32; 2],
    /// Factor of red, green, blue.
    pub(super) gain: [f32; 3],
    pub(super) gamma: f32,
}

/// What the camera does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Camera {
    /// Share of a pixel that comes from its neighbours, 0 to 1.
    pub(super) blur: f32,
    /// Deviation of the noise, levels.
    pub(super) noise: f32,
}

/// What a face does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Expression {
    /// Parts of the height between the lips.
    pub(super) open: f32,
    /// How much the corners of the mouth are raised, parts of the height.
    pub(super) smile: f32,
    /// How much brows are raised, parts of the height.
    pub(super) brows: f32,
    /// How open eyes are, 0 to 1.
    pub(super) eyes: f32,
    /// Where eyes look, parts of the eye.
    pub(super) gaze: f32,
}

/// Everything that differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    pub(super) pose: Pose,
    pub(super) light: Light,
    pub(super) camera: Camera,
    pub(super) expression: Expression,
    /// A strand of hair, if one hangs into the face: where, and how far.
    pub(super) strand: Option<[f32; 2]>,
}

impl View {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        let pose = Pose {
            roll: 0.045 * chance.normal(),
            scale: 1.0 + 0.035 * chance.normal(),
            shift: [0.02 * chance.normal(), 0.018 * chance.normal()],
            yaw: 0.035 * chance.normal(),
        };
        let bright = 1.0 + 0.14 * chance.normal();
        let warm = 0.05 * chance.normal();
        let light = Light {
            slope: [0.22 * chance.normal(), 0.10 * chance.normal()],
            gain: [bright * (1.0 + warm), bright, bright * (1.0 - warm)].map(|gain| gain.clamp(0.45, 1.6)),
            gamma: (1.0 + 0.12 * chance.normal()).clamp(0.7, 1.4),
        };
        let camera = Camera { blur: chance.between(0.1, 0.6), noise: chance.between(1.0, 5.0) };
        let expression = Expression {
            open: if chance.happens(0.35) { chance.between(0.005, 0.045) } else { 0.0 },
            smile: 0.014 * chance.normal(),
            brows: 0.012 * chance.normal(),
            eyes: if chance.happens(0.08) { 0.15 } else { chance.between(0.65, 1.1) },
            gaze: 0.2 * chance.normal(),
        };
        let strand = chance.happens(0.12).then(|| [chance.between(-0.3, 0.3), chance.between(0.35, 0.55)]);
        Self { pose, light, camera, expression, strand }
    }
}
