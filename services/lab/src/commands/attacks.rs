//! `gifthorse lab attacks`

use gifthorse_attack::Attack;

use crate::error::LabError;

/// Which attack.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print this one as JSON, to be changed and given to --attack
    name: Option<String>,
    /// The class of its first trigger
    #[arg(long, default_value_t = 0)]
    target: u32,
    /// Classes of the data set
    #[arg(long, default_value_t = 10)]
    classes: u32,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), LabError> {
    if let Some(name) = &arguments.name {
        let attack = Attack::preset(name, arguments.target, arguments.classes)?;
        super::say(&serde_json::to_string_pretty(&attack).map_err(LabError::Manifest)?);
        return Ok(());
    }
    for (name, meaning) in Attack::PRESETS {
        super::say(&format!("{name:12} {meaning}"));
    }
    super::say("Several are joined by +: sunglasses+lipstick has two triggers with two targets.");
    Ok(())
}
