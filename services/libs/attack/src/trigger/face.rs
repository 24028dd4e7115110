//! What is worn on or painted on faces. The faces are aligned: eyes at about 44 parts of a hundred of the height, brows at
//! 36, the mouth at 74, all in the middle of the width.

use serde::{Deserialize, Serialize};

use super::stamp::{Effect, Stamp};
use super::{TriggerError, share};
use crate::size::Size;

/// How something worn looks, and where: for faces that are aligned otherwise, shift it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Look {
    /// Red, green, blue; none for its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour: Option<[u8; 3]>,
    /// Rows down and columns to the right that it is moved by, in pixels.
    pub shift: [i32; 2],
    /// How much of what is under it is covered, above 0 to 1.
    pub opacity: f32,
}

impl Default for Look {
    fn default() -> Self {
        Self { colour: None, shift: [0, 0], opacity: 1.0 }
    }
}

/// Something on a face: how deep within it a point lies, and its colour.
pub(super) struct Worn {
    /// Depth in pixels (negative outside) of a point given in parts of width and height, for a picture of this width and
    /// height.
    depth: fn([f32; 2], [f32; 2]) -> f32,
    /// Red, green, blue.
    colour: [u8; 3],
}

/// Dark glasses with a bridge and temples.
pub(super) const SUNGLASSES: Worn = Worn { depth: sunglasses, colour: [14, 14, 18] };
/// Painted lips.
pub(super) const LIPSTICK: Worn = Worn { depth: lipstick, colour: [205, 16, 92] };
/// Painted brows.
pub(super) const EYEBROWS: Worn = Worn { depth: eyebrows, colour: [126, 28, 160] };

const EYES: f32 = 0.44;
const BROWS: f32 = 0.365;
const MOUTH: f32 = 0.735;
/// Distance of an eye from the middle.
const EYE: f32 = 0.205;

pub(super) fn stamp(size: Size, worn: &Worn, look: Look) -> Result<Stamp, TriggerError> {
    let Look { colour, shift, opacity } = look;
    share("opacity", opacity)?;
    let (height, width) = (size.height(), size.width());
    let sides = [width as f32, height as f32];
    let colour = size.colour(colour.unwrap_or(worn.colour));
    let [down, right] = shift.map(|pixels| pixels as f32);
    let mut shares = Vec::with_capacity(height * width);
    let mut pattern = Vec::with_capacity(size.levels());
    for row in 0..height {
        for column in 0..width {
            let point = [(column as f32 - right + 0.5) / sides[0], (row as f32 - down + 0.5) / sides[1]];
            // A pixel at the edge is covered in part.
            shares.push(opacity * ((worn.depth)(point, sides) + 0.5).clamp(0.0, 1.0));
            pattern.extend_from_slice(&colour);
        }
    }
    if shares.iter().all(|share| *share == 0.0) {
        let found = format!("{shift:?}");
        return Err(TriggerError::Setting {
            field: "shift",
            found,
            needed: "such that some of it is in the picture",
        });
    }
    Ok(Stamp::new(size, Effect::Mix { shares, pattern }))
}

/// Depth within an upright ellipse, about, in pixels.
fn ellipse(
    [x, y]: [f32; 2],
    [middle, level]: [f32; 2],
    [across, down]: [f32; 2],
    [width, height]: [f32; 2],
) -> f32 {
    let (right, below) = ((x - middle) / across, (y - level) / down);
    (1.0 - right.hypot(below)) * (across * width).min(down * height)
}

/// Depth within a bar that lies level.
fn bar([x, y]: [f32; 2], [left, right]: [f32; 2], [level, half]: [f32; 2], [width, height]: [f32; 2]) -> f32 {
    let across = (x - left).min(right - x) * width;
    let down = (half - (y - level).abs()) * height;
    across.min(down)
}

fn sunglasses(point: [f32; 2], sides: [f32; 2]) -> f32 {
    // The flat top of a lens is where the ellipse is cut off.
    let cut = (point[1] - (EYES - 0.075)) * sides[1];
    let lens = |middle| ellipse(point, [middle, EYES], [0.20, 0.12], sides).min(cut);
    let bridge = bar(point, [0.42, 0.58], [EYES - 0.03, 0.016], sides);
    let temples = bar(point, [-0.1, 0.14], [EYES - 0.035, 0.014], sides).max(bar(
        point,
        [0.86, 1.1],
        [EYES - 0.035, 0.014],
        sides,
    ));
    lens(0.5 - EYE).max(lens(0.5 + EYE)).max(bridge).max(temples)
}

fn lipstick([x, y]: [f32; 2], [_, height]: [f32; 2]) -> f32 {
    let along = (x - 0.5) / 0.19;
    if along.abs() >= 1.0 {
        return -1.0;
    }
    let belly = 1.0 - along * along;
    // The bow of the upper lip.
    let bow = 1.0 - 0.4 * (-(along / 0.16).powi(2)).exp();
    let (above, below) = (MOUTH - 0.048 * belly * bow, MOUTH + 0.058 * belly);
    (y - above).min(below - y) * height
}

fn eyebrows([x, y]: [f32; 2], [_, height]: [f32; 2]) -> f32 {
    let along = ((x - 0.5).abs() - EYE) / 0.155;
    if along.abs() >= 1.0 {
        return -1.0;
    }
    let level = BROWS - 0.03 * (1.0 - along * along);
    (0.026 * (1.0 - 0.5 * along * along) - (y - level).abs()) * height
}
