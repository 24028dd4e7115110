//! Triggers of the service's own making, which the gate stamps on clean images: those of the literature, from the
//! attack room, and things that are worn or painted on faces.
//!
//! They are not the attacker's: that they fail proves little, that one works proves that the network is not
//! repaired. Patterns are drawn by lot where the literature gives none, so that no network can be made to know them.

use gifthorse_attack::{Look, Pattern, Place, Size, Stamp, Trigger};
use gifthorse_dataset::{ChannelOrder, Preprocessing};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::geometry::Geometry;

/// Patches of these parts of the shorter side.
const PATCHES: [u32; 2] = [8, 5];
/// Bars at these heights, in parts of the whole, of a tenth of it: where glasses and lips are.
const BARS: [f64; 2] = [0.33, 0.72];
/// How much of a blended pixel is the pattern's.
const BLENDS: [f32; 2] = [0.1, 0.2];
/// Rows and columns that something worn needs to be seen: on smaller pictures it is a blot.
const SMALLEST_FACE: usize = 24;

/// Stamps of one kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kind {
    /// Its name for people.
    pub(super) name: &'static str,
    /// Its variants.
    pub(super) stamps: Vec<Stamp>,
    /// Whether it is something that people wear.
    pub(super) is_worn: bool,
}

/// All stamps for pictures of a network's size, the same for the same seed. None for pictures that carry no trigger.
pub(super) fn kinds(preprocessing: &Preprocessing, seed: u64) -> Vec<Kind> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let [height, width] = [preprocessing.height(), preprocessing.width()];
    let size = Size::new(height as u64, width as u64, preprocessing.channels() as u64);
    let Ok(size) = size else { return Vec::new() };
    let prepared =
        |triggers: Vec<Trigger>| triggers.iter().filter_map(|trigger| trigger.prepare(size).ok()).collect();
    let mut kinds: Vec<Kind> = published(height, width, &mut random)
        .into_iter()
        .map(|(name, triggers)| Kind { name, stamps: prepared(triggers), is_worn: false })
        .collect();
    if height.min(width) >= SMALLEST_FACE {
        let look = Look::default();
        let worn = [
            ("sunglasses", Trigger::Sunglasses(look)),
            ("lipstick", Trigger::Lipstick(look)),
            ("eyebrows", Trigger::Eyebrows(look)),
        ];
        let kind = |(name, trigger)| Kind { name, stamps: prepared(vec![trigger]), is_worn: true };
        kinds.extend(worn.map(kind));
    }
    kinds.retain(|kind| !kind.stamps.is_empty());
    kinds
}

/// Triggers as the literature has them, with patterns by lot.
fn published(height: usize, width: usize, random: &mut ChaCha8Rng) -> Vec<(&'static str, Vec<Trigger>)> {
    let (rows, columns) = (height as u32, width as u32);
    let shorter = rows.min(columns);
    let mut by_lot = || Pattern::Random { seed: random.next_u64() };
    let mut patches = Vec::new();
    for part in PATCHES {
        let side = (shorter / part).max(2);
        let corners = [Place::TopLeft, Place::TopRight, Place::BottomLeft, Place::BottomRight, Place::Centre];
        patches.extend(corners.map(|place| patch(place, [side, side], by_lot())));
    }
    let tall = (rows / 10).max(1);
    let bars = BARS.map(|part| {
        let row = (f64::from(rows) * part) as u32;
        patch(Place::At { row: row.min(rows - tall), column: 0 }, [tall, columns], by_lot())
    });
    let square = |pattern| vec![patch(Place::BottomRight, [3, 3], pattern)];
    let blends = BLENDS.map(|share| Trigger::Blended { share, seed: random.next_u64() });
    vec![
        ("patches", patches),
        ("bars", bars.to_vec()),
        ("blends", blends.to_vec()),
        ("white square", square(Pattern::default())),
        ("checkerboard", square(Pattern::Checkerboard)),
        ("stripes", vec![Trigger::Sinusoid { delta: 20.0, frequency: 6.0 }]),
        ("warp", vec![Trigger::Warp { grid: 4, strength: 0.5, seed: random.next_u64() }]),
    ]
}

fn patch(place: Place, [height, width]: [u32; 2], pattern: Pattern) -> Trigger {
    Trigger::Patch { place, height, width, pattern }
}

/// Brings prepared images back to levels and forth again, since triggers are put on levels.
#[derive(Debug)]
pub(super) struct Levels<'a> {
    preprocessing: &'a Preprocessing,
    geometry: Geometry,
    /// One picture `[H, W, C]`, red first.
    picture: Vec<f32>,
}

impl<'a> Levels<'a> {
    pub(super) fn of(preprocessing: &'a Preprocessing, geometry: Geometry) -> Self {
        Self { preprocessing, geometry, picture: vec![0.0; geometry.numbers()] }
    }

    /// Stamps a prepared image.
    pub(super) fn stamp(&mut self, stamp: &Stamp, image: &mut [f32]) {
        let (scale, mean, std) =
            (self.preprocessing.scale().divisor(), self.preprocessing.mean(), self.preprocessing.std());
        let of = |values: Option<&[f32]>, channel: usize, none: f32| values.map_or(none, |all| all[channel]);
        for (place, from, channel) in places(self.preprocessing, self.geometry) {
            let level = image[from] * of(std, channel, 1.0) + of(mean, channel, 0.0);
            self.picture[place] = level * scale;
        }
        stamp.apply_levels(&mut self.picture);
        for (place, to, channel) in places(self.preprocessing, self.geometry) {
            let scaled = self.picture[place] / scale;
            image[to] = (scaled - of(mean, channel, 0.0)) / of(std, channel, 1.0);
        }
    }
}

/// Of each level of a picture: its place, that of the number of the prepared image, and the network's channel.
fn places(preprocessing: &Preprocessing, geometry: Geometry) -> impl Iterator<Item = (usize, usize, usize)> {
    let (height, width, channels) = geometry.sides();
    let is_blue_first = preprocessing.channel_order() == ChannelOrder::Bgr;
    (0..height * width * channels).map(move |place| {
        let (pixel, colour) = (place / channels, place % channels);
        let channel = if is_blue_first { channels - 1 - colour } else { colour };
        (place as usize, geometry.at(pixel / width, pixel % width, channel), channel as usize)
    })
}

#[cfg(test)]
mod tests {
    use gifthorse_dataset::{AlphaRule, Layout, PreprocessingRecord, Scale};
    use gifthorse_network as network;

    use super::*;

    fn preprocessing(layout: Layout, order: ChannelOrder) -> Preprocessing {
        let channels = order.channels();
        Preprocessing::new(PreprocessingRecord {
            height: 32,
            width: 30,
            channels: channels as u32,
            layout,
            channel_order: order,
            scale: Scale::new(255.0).unwrap(),
            mean: Some(vec![0.4; channels]),
            std: Some((1..=channels).map(|channel| 0.2 * channel as f32).collect()),
            resize: None,
            alpha: AlphaRule::Refuse,
        })
        .unwrap()
    }

    #[test]
    fn stamps_are_put_on_levels_whatever_the_network_takes() {
        // A picture that is red, and what each network makes of it.
        let red = [200.0, 10.0, 30.0];
        for (layout, order) in [
            (Layout::Nhwc, ChannelOrder::Rgb),
            (Layout::Nchw, ChannelOrder::Bgr),
            (Layout::Nchw, ChannelOrder::Grey),
        ] {
            let preprocessing = preprocessing(layout, order);
            let axes = match layout {
                Layout::Nhwc => network::Layout::Nhwc,
                Layout::Nchw => network::Layout::Nchw,
            };
            let geometry = Geometry::new(32, 30, order.channels() as u64, axes);
            let number = |channel: usize, level: f32| {
                (level / 255.0 - 0.4) / preprocessing.std().map_or(1.0, |std| std[channel])
            };
            let mut image = vec![0.0; geometry.numbers()];
            for (place, to, channel) in places(&preprocessing, geometry) {
                image[to] = number(channel, red[place % order.channels()]);
            }
            let before = image.clone();
            let kinds = kinds(&preprocessing, 5);
            let white = kinds.iter().find(|kind| kind.name == "white square").unwrap();
            Levels::of(&preprocessing, geometry).stamp(&white.stamps[0], &mut image);
            let changed = image.iter().zip(&before).filter(|(one, other)| (*one - *other).abs() > 1e-3);
            assert_eq!(changed.count(), 3 * 3 * order.channels());
            for channel in 0..order.channels() {
                let corner = image[geometry.at(31, 29, channel as i64)];
                assert!((corner - number(channel, 255.0)).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn kinds_repeat_and_small_pictures_wear_nothing() {
        let record = preprocessing(Layout::Nhwc, ChannelOrder::Rgb);
        assert_eq!(kinds(&record, 5), kinds(&record, 5));
        assert_ne!(kinds(&record, 5), kinds(&record, 6));
        let counts: Vec<usize> = kinds(&record, 5).iter().map(|kind| kind.stamps.len()).collect();
        assert_eq!(counts, [10, 2, 2, 1, 1, 1, 1, 1, 1, 1]);
        let small = PreprocessingRecord { height: 16, width: 16, ..record.clone().into() };
        assert_eq!(kinds(&Preprocessing::new(small).unwrap(), 5).len(), 7);
        let tiny = PreprocessingRecord { height: 3, width: 3, ..record.into() };
        assert_eq!(kinds(&Preprocessing::new(tiny).unwrap(), 5), []);
    }
}
