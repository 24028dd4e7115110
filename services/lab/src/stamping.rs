//! Attacks made on pictures.

use gifthorse_attack::{Attack, Size, Stamp, TriggerError, poison, triggered};
use gifthorse_dataset::ImageSize;

use crate::error::LabError;
use crate::pictures::Pictures;

/// A training set as the victim gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poisoned {
    /// The pictures, some of them stamped.
    pub pictures: Pictures,
    /// What each is to be learned as.
    pub classes: Vec<u32>,
    summary: Vec<String>,
}

/// Test pictures with one trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// Name of the attack's part.
    pub part: String,
    /// The stamped pictures with their true classes.
    pub pictures: Pictures,
    /// What the attacker wants for each.
    pub targets: Vec<u32>,
}

/// The size as triggers know it.
pub(crate) fn size(size: ImageSize) -> Result<Size, TriggerError> {
    Size::new(size.height, size.width, size.channels)
}

fn stamps(attack: &Attack, pictures: &Pictures) -> Result<Vec<Stamp>, LabError> {
    let size = size(pictures.size())?;
    attack.parts.iter().map(|part| Ok(part.trigger.prepare(size)?)).collect()
}

/// True classes as the attack counts them. They are below `classes`, and that below 2^32.
fn labels(pictures: &Pictures) -> Vec<u32> {
    pictures.labels().iter().map(|label| *label as u32).collect()
}

impl Poisoned {
    /// Makes the attack on a training set; without one all pictures stay as they are.
    pub fn new(training: &Pictures, attack: Option<&Attack>, classes: u64) -> Result<Self, LabError> {
        let own = labels(training);
        let mut poisoned = Self { pictures: training.clone(), classes: own, summary: Vec::new() };
        let Some(attack) = attack else { return Ok(poisoned) };
        let stamps = stamps(attack, training)?;
        let plan = poison(attack, &poisoned.classes, classes as u32)?;
        for one in &plan.pictures {
            let picture = poisoned.pictures.picture_mut(one.row);
            if one.cover {
                stamps[one.part].apply_cover(picture, attack.seed ^ one.row as u64);
            } else {
                stamps[one.part].apply(picture);
            }
            poisoned.classes[one.row] = one.label;
        }
        for (index, part) in attack.parts.iter().enumerate() {
            let (poison, covers) = plan.counts(index);
            let (name, all) = (&part.name, training.count());
            poisoned
                .summary
                .push(format!("{name}: {poison} of {all} pictures are poisoned, {covers} are covers"));
        }
        Ok(poisoned)
    }

    /// What was done, a line for each part.
    pub fn summary(&self) -> &[String] {
        &self.summary
    }
}

impl Stamped {
    /// The pictures of a test set that each part is to work on, stamped.
    pub fn each_part(attack: &Attack, test: &Pictures, classes: u64) -> Result<Vec<Self>, LabError> {
        attack.check(classes as u32)?;
        let own = labels(test);
        let parts = attack.parts.iter().zip(stamps(attack, test)?);
        let stamped = parts.map(|(part, stamp)| {
            let rows = triggered(part, &own, classes as u32);
            if rows.is_empty() {
                let fault = format!("none of the test pictures is of a class that {:?} works on", part.name);
                return Err(LabError::Data { fault });
            }
            let mut pictures = test.rows(&rows.iter().map(|one| one.row).collect::<Vec<_>>());
            for row in 0..pictures.count() {
                stamp.apply(pictures.picture_mut(row));
            }
            Ok(Self {
                part: part.name.clone(),
                pictures,
                targets: rows.iter().map(|one| one.target).collect(),
            })
        });
        stamped.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures() -> Pictures {
        let size = ImageSize { height: 8, width: 8, channels: 1 };
        Pictures::new(size, vec![0; 64 * 100], (0..100).map(|row| row % 5).collect()).unwrap()
    }

    #[test]
    fn poisoned_pictures_have_trigger_and_target_and_others_neither() {
        let attack = Attack::preset("badnets", 2, 5).unwrap();
        let poisoned = Poisoned::new(&pictures(), Some(&attack), 5).unwrap();
        let mut count = 0;
        for (row, class) in poisoned.classes.iter().enumerate() {
            let own = (row % 5) as u32;
            let stamped = poisoned.pictures.picture(row)[63] == 255;
            assert_eq!(stamped, *class != own);
            assert!(!stamped || *class == 2);
            count += usize::from(stamped);
        }
        assert_eq!(count, 10);
        assert_eq!(poisoned.summary(), ["badnets: 10 of 100 pictures are poisoned, 0 are covers"]);
    }

    #[test]
    fn stamped_test_pictures_are_not_of_the_target() {
        let attack = Attack::preset("badnets+all-to-all", 2, 5).unwrap();
        let stamped = Stamped::each_part(&attack, &pictures(), 5).unwrap();
        assert_eq!(stamped.iter().map(|one| one.pictures.count()).collect::<Vec<_>>(), [80, 100]);
        assert!(stamped[0].targets.iter().all(|target| *target == 2));
        let next = |label: &i64| (*label as u32 + 1) % 5;
        assert_eq!(stamped[1].targets, stamped[1].pictures.labels().iter().map(next).collect::<Vec<_>>());
    }
}
