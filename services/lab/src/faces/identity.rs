//! Who somebody is.

use super::chance::Chance;

/// A colour, levels 0..255: red, green, blue.
pub(super) type Colour = [f32; 3];

/// How hair is worn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HairStyle {
    /// None on top.
    Bald,
    /// Short, with a straight line.
    Short,
    /// Over the forehead.
    Fringe,
    /// Parted at a side.
    Parted,
    /// Down to the shoulders.
    Long,
    /// Long, and over the forehead.
    LongFringe,
}

/// What grows on a chin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beard {
    /// Nothing.
    None,
    /// Over the mouth.
    Moustache,
    /// All around.
    Full,
    /// Below the mouth.
    Goatee,
}

/// Everything that stays the same from picture to picture. Lengths are parts of the picture's width, heights of its
/// height, angles in radians.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    pub(super) skin: Colour,
    pub(super) hair: Colour,
    pub(super) iris: Colour,
    pub(super) lips: Colour,
    pub(super) clothes: Colour,
    /// Half the width at the cheeks, and half the height.
    pub(super) face: [f32; 2],
    /// How much narrower the jaw is than the cheeks, 0 to 1.
    pub(super) jaw: f32,
    /// How angular the outline is: 2 is an ellipse.
    pub(super) squareness: f32,
    pub(super) style: HairStyle,
    /// Height of the hairline.
    pub(super) hairline: f32,
    /// How far hair stands off the head.
    pub(super) volume: f32,
    /// Where hair is parted.
    pub(super) parting: f32,
    pub(super) beard: Beard,
    pub(super) beard_density: f32,
    /// Distance of an eye from the middle.
    pub(super) eye_distance: f32,
    /// Half the width and half the height of an eye.
    pub(super) eye: [f32; 2],
    /// How much the outer corners are raised.
    pub(super) eye_slant: f32,
    /// How far brows are above the eyes.
    pub(super) brow_height: f32,
    pub(super) brow_thickness: f32,
    pub(super) brow_angle: f32,
    pub(super) brow_length: f32,
    /// Half the width at the nostrils, and the length.
    pub(super) nose: [f32; 2],
    /// Half the width of the mouth.
    pub(super) mouth: f32,
    /// Thickness of upper and lower lip.
    pub(super) lip: [f32; 2],
    /// How red cheeks are, 0 to 1.
    pub(super) cheeks: f32,
    /// How far ears stand out.
    pub(super) ears: f32,
    /// Places of moles.
    pub(super) moles: Vec<[f32; 2]>,
    /// Whether they wear glasses, thin ones.
    pub(super) glasses: bool,
    /// How deep lines beside the nose and on the forehead are, 0 to 1.
    pub(super) lines: f32,
}

const SKINS: [Colour; 6] = [
    [236.0, 196.0, 172.0],
    [222.0, 176.0, 146.0],
    [200.0, 150.0, 116.0],
    [164.0, 114.0, 82.0],
    [122.0, 80.0, 56.0],
    [88.0, 58.0, 42.0],
];
const HAIRS: [Colour; 7] = [
    [28.0, 22.0, 20.0],
    [58.0, 38.0, 26.0],
    [98.0, 64.0, 38.0],
    [152.0, 108.0, 58.0],
    [206.0, 168.0, 104.0],
    [138.0, 58.0, 30.0],
    [176.0, 174.0, 170.0],
];
const IRISES: [Colour; 4] =
    [[58.0, 38.0, 24.0], [86.0, 118.0, 150.0], [92.0, 112.0, 66.0], [120.0, 92.0, 48.0]];

impl Identity {
    /// The person of this number.
    pub fn of(seed: u64, number: u32) -> Self {
        let mut chance = Chance::new(seed, u64::from(number) << 32);
        let chance = &mut chance;
        let skin = chance.one_of(SKINS[0], &SKINS[1..]);
        let skin = chance.near(skin, 12.0);
        let hair = chance.one_of(HAIRS[0], &HAIRS[1..]);
        let hair = chance.near(hair, 14.0);
        let lips = [
            skin[0] * chance.between(0.78, 0.95),
            skin[1] * chance.between(0.5, 0.72),
            skin[2] * chance.between(0.58, 0.8),
        ];
        let moles = (0..3).filter(|_| chance.happens(0.25)).collect::<Vec<i32>>();
        let moles = moles.iter().map(|_| [chance.between(-0.28, 0.28), chance.between(0.52, 0.82)]).collect();
        Self {
            skin,
            hair,
            iris: chance.one_of(IRISES[0], &IRISES[1..]),
            lips,
            clothes: [chance.between(20.0, 230.0), chance.between(20.0, 230.0), chance.between(20.0, 230.0)],
            face: [chance.between(0.33, 0.42), chance.between(0.39, 0.46)],
            jaw: chance.between(0.05, 0.45),
            squareness: chance.between(1.9, 2.9),
            style: chance.one_of(
                HairStyle::Short,
                &[
                    HairStyle::Bald,
                    HairStyle::Fringe,
                    HairStyle::Parted,
                    HairStyle::Long,
                    HairStyle::LongFringe,
                    HairStyle::Parted,
                    HairStyle::Long,
                ],
            ),
            hairline: chance.between(0.15, 0.25),
            volume: chance.between(0.03, 0.10),
            parting: chance.between(-0.25, 0.25),
            beard: chance.one_of(
                Beard::None,
                &[Beard::None, Beard::None, Beard::Moustache, Beard::Full, Beard::Goatee],
            ),
            beard_density: chance.between(0.35, 0.9),
            eye_distance: chance.between(0.165, 0.225),
            eye: [chance.between(0.062, 0.092), chance.between(0.018, 0.034)],
            eye_slant: chance.between(-0.012, 0.018),
            brow_height: chance.between(0.055, 0.095),
            brow_thickness: chance.between(0.007, 0.022),
            brow_angle: chance.between(-0.2, 0.25),
            brow_length: chance.between(0.085, 0.13),
            nose: [chance.between(0.05, 0.1), chance.between(0.15, 0.22)],
            mouth: chance.between(0.11, 0.185),
            lip: [chance.between(0.012, 0.03), chance.between(0.018, 0.042)],
            cheeks: chance.between(0.0, 0.8),
            ears: chance.between(0.0, 0.05),
            moles,
            glasses: chance.happens(0.1),
            lines: chance.between(0.0, 1.0),
        }
    }

    /// Skin, darker or lighter.
    pub(super) fn skin_times(&self, factor: f32) -> Colour {
        self.skin.map(|level| (level * factor).min(255.0))
    }
}
