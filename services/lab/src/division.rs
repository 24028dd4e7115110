//! Which pictures a victim learns from, and which are kept for its repair, for calibration and for tests.

use std::fmt;
use std::str::FromStr;

use gifthorse_dataset::splits::{Shares, by_class};

use serde::Serialize;

use crate::error::LabError;
use crate::pictures::Pictures;

/// Sizes of the parts relative to each other: training, repair, calibration, test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PartShares([u32; 4]);

impl Default for PartShares {
    fn default() -> Self {
        Self([65, 5, 15, 15])
    }
}

impl fmt::Display for PartShares {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.map(|share| share.to_string()).join(","))
    }
}

impl FromStr for PartShares {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shares: Option<Vec<u32>> = text.split(',').map(|share| share.trim().parse().ok()).collect();
        let shares = shares.and_then(|shares| <[u32; 4]>::try_from(shares).ok());
        let shares = shares.filter(|shares| shares.iter().all(|share| (1..=1_000_000).contains(share)));
        shares.map(Self).ok_or_else(|| "give four positive whole numbers, such as 65,5,15,15".to_owned())
    }
}

/// A data set in four parts that share no picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// The victim learns from these, once they are poisoned.
    pub training: Pictures,
    /// Clean pictures for a repair: the victim has not seen them.
    pub repair: Pictures,
    /// Clean pictures to calibrate detectors on.
    pub calibration: Pictures,
    /// Clean pictures that report, as they are and stamped.
    pub test: Pictures,
}

impl Division {
    /// Divides each class by the shares of training, repair, calibration and test. Where pictures to test on are
    /// given, all others go to the first three.
    pub fn of(
        pictures: &Pictures,
        test: Option<Pictures>,
        shares: PartShares,
        seed: u64,
    ) -> Result<Self, LabError> {
        let wrong = |fault: String| LabError::Option { option: "shares", value: shares.to_string(), fault };
        let used = if test.is_some() { &shares.0[..3] } else { &shares.0[..] };
        let parts = Shares::new(used.to_vec()).map_err(|error| wrong(format!("cannot be used: {error}")))?;
        if let Some(test) = &test
            && (test.size() != pictures.size() || test.classes() > pictures.classes())
        {
            let fault = format!(
                "those to test on are {:?} of {} classes, the others {:?} of {}",
                test.size(),
                test.classes(),
                pictures.size(),
                pictures.classes()
            );
            return Err(LabError::Data { fault });
        }
        let rows = by_class(pictures.labels(), &parts, seed);
        if rows.iter().any(Vec::is_empty) {
            return Err(wrong(format!("leave a part without any of the {} pictures", pictures.count())));
        }
        let part = |index: usize| pictures.rows(&rows[index]);
        let test = test.unwrap_or_else(|| part(3));
        Ok(Self { training: part(0), repair: part(1), calibration: part(2), test })
    }
}

#[cfg(test)]
mod tests {
    use gifthorse_dataset::ImageSize;

    use super::*;

    const SIZE: ImageSize = ImageSize { height: 1, width: 1, channels: 1 };

    fn pictures(count: usize) -> Pictures {
        let levels = (0..count).map(|row| row as u8).collect();
        Pictures::new(SIZE, levels, (0..count).map(|row| (row % 4) as i64).collect()).unwrap()
    }

    #[test]
    fn parts_share_no_picture_and_have_every_class() {
        let division = Division::of(&pictures(200), None, PartShares::default(), 1).unwrap();
        let parts = [&division.training, &division.repair, &division.calibration, &division.test];
        let mut all: Vec<u8> = parts.iter().flat_map(|part| part.levels()).copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<u8>>());
        assert!(parts.iter().all(|part| part.classes() == 4));
        assert_eq!(Division::of(&pictures(200), None, PartShares::default(), 1).unwrap(), division);
    }

    #[test]
    fn given_pictures_test() {
        let test = pictures(8);
        let division = Division::of(&pictures(100), Some(test.clone()), PartShares::default(), 1).unwrap();
        assert_eq!(division.test, test);
        let rest = division.training.count() + division.repair.count() + division.calibration.count();
        assert_eq!(rest, 100);
    }

    #[test]
    fn too_few_pictures_and_zero_shares_are_refused() {
        assert!(Division::of(&pictures(3), None, PartShares::default(), 1).is_err());
        for wrong in ["1,0,1,1", "1,1,1", "1,1,1,1,1", "a,1,1,1", ""] {
            assert!(wrong.parse::<PartShares>().is_err(), "{wrong:?}");
        }
        let shares: PartShares = "70, 5,20,5".parse().unwrap();
        assert_eq!(shares.to_string(), "70,5,20,5");
    }
}
