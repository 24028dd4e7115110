//! Faces of people that never were: a set for those who have none.
//!
//! An [`Identity`] is a vector of shapes, colours and proportions, drawn by lot; a [`View`](view::View) is what differs
//! from picture to picture: pose, light, expression, background, sharpness, noise. Faces are aligned like the crops that
//! face networks are trained on: eyes at 44 parts of a hundred of the height, the mouth at 74, in the middle of the width.

mod chance;
mod features;
mod hair;
mod head;
mod identity;
mod paint;
mod surroundings;
mod view;

pub use identity::Identity;

use chance::Chance;
use paint::Canvas;
use view::View;

/// How a set is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceSettings {
    /// People, 2 to 10,000.
    pub identities: u32,
    /// Pictures of each, 1 to 100,000.
    pub images_each: u32,
    /// Where people and views come from.
    pub seed: u64,
    /// Rows, 24 to 512.
    pub height: u32,
    /// Columns, 24 to 512.
    pub width: u32,
}

impl Default for FaceSettings {
    /// 40 people, 60 pictures of each, 55 x 47 pixels.
    fn default() -> Self {
        Self { identities: 40, images_each: 60, seed: 1, height: 55, width: 47 }
    }
}

/// Why faces cannot be drawn like that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} of the faces is {found}: it must be {least} to {most}")]
pub struct FaceError {
    /// Which setting.
    pub field: &'static str,
    /// What it is.
    pub found: u32,
    /// The least that is drawn.
    pub least: u32,
    /// The most that is drawn.
    pub most: u32,
}

impl FaceSettings {
    /// Checks every setting.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn check(&self) -> Result<(), FaceError> {
        let settings = [
            ("identities", self.identities, 2, 10_000),
            ("images_each", self.images_each, 1, 100_000),
            ("height", self.height, 24, 512),
            ("width", self.width, 24, 512),
        ];
        for (field, found, least, most) in settings {
            if !(least..=most).contains(&found) {
                return Err(FaceError { field, found, least, most });
            }
        }
        Ok(())
    }
}

/// One picture `[H, W, 3]` of one person, levels 0..255: a function of the seed, the two numbers and the size.
pub fn draw(settings: &FaceSettings, identity: u32, image: u32) -> Vec<u8> {
    let person = Identity::of(settings.seed, identity);
    let mut chance = Chance::new(settings.seed, (u64::from(identity) << 32) | (u64::from(image) + 1));
    let view = View::draw(&mut chance);
    let mut canvas = Canvas::new(settings.height as usize, settings.width as usize);
    surroundings::background(&mut canvas, &mut chance);
    canvas.pose(view.pose);
    hair::behind(&mut canvas, &person);
    surroundings::clothes(&mut canvas, &person, &mut chance);
    head::head(&mut canvas, &person, &view);
    features::features(&mut canvas, &person, &view);
    hair::before(&mut canvas, &person, &view);
    canvas.light(&view.light);
    canvas.photograph(view.camera, &mut chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(one: &[u8], other: &[u8]) -> f64 {
        let sum: f64 = one.iter().zip(other).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
        sum / one.len() as f64
    }

    #[test]
    fn a_picture_is_a_function_of_its_numbers() {
        let settings = FaceSettings::default();
        let picture = draw(&settings, 3, 4);
        assert_eq!(picture.len(), 55 * 47 * 3);
        assert_eq!(picture, draw(&settings, 3, 4));
        assert!(difference(&picture, &draw(&settings, 3, 5)) > 3.0);
        assert!(difference(&picture, &draw(&settings, 4, 4)) > 3.0);
        assert!(difference(&picture, &draw(&FaceSettings { seed: 2, ..settings }, 3, 4)) > 3.0);
    }

    #[test]
    fn pictures_use_the_whole_range_without_drowning_in_it() {
        let settings = FaceSettings::default();
        for identity in 0..20 {
            let picture = draw(&settings, identity, 0);
            let extreme = picture.iter().filter(|level| matches!(**level, 0 | 255)).count();
            assert!(extreme * 4 < picture.len(), "identity {identity}: {extreme}");
            let (low, high) = (picture.iter().min().unwrap(), picture.iter().max().unwrap());
            assert!(high - low > 80, "identity {identity}: {low} to {high}");
        }
    }

    #[test]
    fn other_sizes_show_the_same_person() {
        let small = FaceSettings { height: 24, width: 24, ..FaceSettings::default() };
        assert_eq!(draw(&small, 0, 0).len(), 24 * 24 * 3);
        let large = FaceSettings { height: 110, width: 94, ..FaceSettings::default() };
        let (one, other) = (draw(&large, 1, 1), draw(&FaceSettings::default(), 1, 1));
        let mean = |picture: &[u8]| {
            picture.iter().map(|level| f64::from(*level)).sum::<f64>() / picture.len() as f64
        };
        assert!((mean(&one) - mean(&other)).abs() < 4.0);
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let wrong = FaceSettings { identities: 1, ..FaceSettings::default() };
        assert_eq!(wrong.check().unwrap_err().field, "identities");
        let wrong = FaceSettings { height: 1000, ..FaceSettings::default() };
        assert!(wrong.check().unwrap_err().to_string().contains("24 to 512"));
        assert!(FaceSettings::default().check().is_ok());
    }
}
