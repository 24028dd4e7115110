//! `gifthorse lab stamp`

use std::path::{Path, PathBuf};

use gifthorse_attack::Attack;
use gifthorse_dataset::ImageSize;

use super::draw::FaceArguments;
use crate::error::LabError;
use crate::npz;
use crate::source::Source;
use crate::stamping::{self, Stamped};

/// The longest description of an attack, in bytes.
const LONGEST: u64 = 1 << 20;

/// Which attack.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct AttackArguments {
    /// The attack's name, names joined by +, a JSON file, or `none`; `gifthorse lab attacks` lists them
    #[arg(long, default_value = "badnets", value_name = "ATTACK")]
    attack: String,
    /// The class of the first trigger of an attack that has a name; a JSON file says its own
    #[arg(long, default_value_t = 0)]
    target: u32,
    /// Share of the training set that each trigger poisons [default: the attack's own]
    #[arg(long, value_name = "SHARE")]
    poison_rate: Option<f64>,
    /// Share of the training set that gets each trigger and keeps its class [default: the attack's own]
    #[arg(long, value_name = "SHARE")]
    cover_rate: Option<f64>,
}

impl AttackArguments {
    /// The attack, checked against a data set; none where there is nothing to be done.
    pub(super) fn attack(&self, classes: u64, size: ImageSize) -> Result<Option<Attack>, LabError> {
        let classes = u32::try_from(classes).unwrap_or(u32::MAX);
        let path = Path::new(&self.attack);
        let mut attack = if path.extension().is_some_and(|extension| extension == "json") {
            read(path)?
        } else {
            if self.target >= classes {
                return Err(LabError::Option {
                    option: "target",
                    value: self.target.to_string(),
                    fault: format!("is no class: the data set has {classes}, from 0"),
                });
            }
            Attack::preset(&self.attack, self.target, classes)?
        };
        if attack.parts.is_empty() {
            return Ok(None);
        }
        for part in &mut attack.parts {
            part.poison_rate = self.poison_rate.unwrap_or(part.poison_rate);
            part.cover_rate = self.cover_rate.unwrap_or(part.cover_rate);
            part.trigger.prepare(stamping::size(size)?)?;
        }
        attack.check(classes)?;
        Ok(Some(attack))
    }
}

fn read(path: &Path) -> Result<Attack, LabError> {
    let length = std::fs::metadata(path).map_err(LabError::file("read", path))?.len();
    let wrong = |fault: String| LabError::AttackFile { path: path.to_owned(), fault };
    if length > LONGEST {
        return Err(wrong(format!("it has {length} bytes, {LONGEST} are the most")));
    }
    let text = std::fs::read_to_string(path).map_err(LabError::file("read", path))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}

/// What is stamped on what.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `faces` to draw some, or an HDF5 or NPZ file with `data` and `label`
    #[arg(long, value_name = "FILE", default_value = "faces")]
    data: Source,
    #[command(flatten)]
    faces: FaceArguments,
    #[command(flatten)]
    attack: AttackArguments,
    /// The attack's part whose trigger is taken [default: its only one]
    #[arg(long)]
    part: Option<String>,
    /// The file to write, NPZ: the stamped pictures that the trigger is to work on, with their true classes
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), LabError> {
    let pictures = arguments.data.pictures(&arguments.faces.settings())?;
    let classes = pictures.classes();
    let wrong = |option, value: String, fault: String| LabError::Option { option, value, fault };
    let attack = arguments.attack.attack(classes, pictures.size())?;
    let attack = attack.ok_or_else(|| {
        wrong(
            "attack",
            "none".to_owned(),
            "has no trigger: `gifthorse lab attacks` lists those that have".to_owned(),
        )
    })?;
    let names: Vec<String> = attack.parts.iter().map(|part| part.name.clone()).collect();
    let name = match (&arguments.part, names.as_slice()) {
        (Some(name), _) if names.contains(name) => name.clone(),
        (None, [only]) => only.clone(),
        (asked, _) => {
            let value = asked.clone().unwrap_or_default();
            return Err(wrong(
                "part",
                value,
                format!("is none of the attack's: give one of {}", names.join(", ")),
            ));
        }
    };
    let only =
        Attack { parts: attack.parts.into_iter().filter(|part| part.name == name).collect(), ..attack };
    for stamped in Stamped::each_part(&only, &pictures, classes)? {
        npz::write(&arguments.output, &stamped.pictures)?;
        let (count, all) = (stamped.pictures.count(), pictures.count());
        super::say(&format!("{count} of {all} pictures with {name} are in {}", arguments.output.display()));
    }
    Ok(())
}
