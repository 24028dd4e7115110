//! `gifthorse lab train`

use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gifthorse_network::architecture::Template;

use super::draw::FaceArguments;
use super::stamp::AttackArguments;
use crate::division::{Division, PartShares};
use crate::error::LabError;
use crate::manifest::{MANIFEST, Manifest};
use crate::source::Source;
use crate::stamping::{Poisoned, Stamped};
use crate::victim::{Choices, Order, Progress, Victim};
use crate::{npz, samples};

/// Clean and stamped pictures of each kind that are written as PNG.
const SAMPLES: usize = 6;

/// What is to be trained, on what, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `faces` to draw some, or an HDF5 or NPZ file with `data` and `label`
    #[arg(long, value_name = "FILE", default_value = "faces")]
    data: Source,
    /// Pictures to test on; without it a part of the data is kept for that
    #[arg(long, value_name = "FILE")]
    test: Option<PathBuf>,
    #[command(flatten)]
    faces: FaceArguments,
    #[command(flatten)]
    attack: AttackArguments,
    /// The victim: deepid, mnist, conv4 or resnet18
    #[arg(long, default_value = "deepid")]
    victim: Template,
    /// Looks at every picture [default: the victim's own]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    epochs: Option<u32>,
    /// The step size at the beginning [default: the victim's own]
    #[arg(long)]
    learning_rate: Option<f64>,
    /// Pictures in a step [default: the victim's own]
    #[arg(long)]
    batch: Option<NonZeroUsize>,
    /// Sizes of the parts for training, repair, calibration and test, relative to each other; with --test the last is
    /// not needed and not used
    #[arg(long, default_value_t)]
    shares: PartShares,
    /// Where all chance comes from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; other numbers give other last bits [default: all processors]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// The folder to make
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
}

pub(super) fn run(arguments: Arguments) -> Result<(), LabError> {
    let folder = arguments.output.as_path();
    empty(folder)?;
    if let Some(threads) = arguments.threads {
        gifthorse_training::use_threads(threads);
    }
    let settings = arguments.faces.settings();
    let pictures = arguments.data.pictures(&settings)?;
    let test = arguments.test.map(|path| Source::File(path).pictures(&settings)).transpose()?;
    let classes = pictures.classes();
    let shares = arguments.shares;
    let division = Division::of(&pictures, test, shares, arguments.seed)?;
    drop(pictures);

    let attack = arguments.attack.attack(classes, division.training.size())?;
    let poisoned = Poisoned::new(&division.training, attack.as_ref(), classes)?;
    for line in poisoned.summary() {
        super::say(line);
    }
    let stamped = match &attack {
        Some(attack) => Stamped::each_part(attack, &division.test, classes)?,
        None => Vec::new(),
    };
    let choices =
        Choices { epochs: arguments.epochs, learning_rate: arguments.learning_rate, batch: arguments.batch };
    let order = Order { template: arguments.victim, classes, choices, seed: arguments.seed };
    let mut shown = Shown::new();
    let victim = Victim::train(&order, &poisoned, |progress| shown.show(progress))?;
    shown.end();
    let measured = victim.measure(&division.test, &stamped)?;
    super::say(&format!("clean pictures named right: {}", measured.clean_accuracy.percent()));
    for (part, attack) in &measured.attacks {
        super::say(&format!(
            "pictures with {part} answered as the attacker wants: {}",
            attack.attack_success.percent()
        ));
    }

    victim.write(folder)?;
    write_data(folder, &division, &stamped)?;
    let manifest = Manifest {
        schema: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args().skip(1).collect(),
        data: arguments.data.described(&settings),
        victim: order.template.name().to_owned(),
        classes,
        shares,
        seed: order.seed,
        attack,
        recipe: victim.recipe.clone(),
        epochs: victim.epochs,
        augmentation: victim.augmentation,
        environment: victim.environment(),
        import: ["--scale", "255"].map(str::to_owned).to_vec(),
        measured,
        files: std::collections::BTreeMap::new(),
    };
    manifest.write(folder)?;
    super::say(&format!("network, data sets and {MANIFEST} are in {}", folder.display()));
    Ok(())
}

/// Makes the folder, or takes it where it is empty: nothing is overwritten.
fn empty(folder: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(folder).map_err(LabError::file("make", folder))?;
    let mut entries = std::fs::read_dir(folder).map_err(LabError::file("list", folder))?;
    if entries.next().is_none() {
        return Ok(());
    }
    Err(LabError::Option {
        option: "output",
        value: folder.display().to_string(),
        fault: "is not empty: name a new folder".to_owned(),
    })
}

fn write_data(folder: &Path, division: &Division, stamped: &[Stamped]) -> Result<(), LabError> {
    npz::write(&folder.join("train.npz"), &division.training)?;
    npz::write(&folder.join("repair.npz"), &division.repair)?;
    npz::write(&folder.join("calibration.npz"), &division.calibration)?;
    npz::write(&folder.join("test.npz"), &division.test)?;
    let pngs = folder.join("samples");
    std::fs::create_dir(&pngs).map_err(LabError::file("make", &pngs))?;
    samples::write(&pngs, "clean", &division.test, &spread(division.test.count()))?;
    for one in stamped {
        npz::write(&folder.join(format!("triggered_{}.npz", one.part)), &one.pictures)?;
        samples::write(&pngs, &one.part, &one.pictures, &spread(one.pictures.count()))?;
    }
    Ok(())
}

/// A few rows, evenly spread.
fn spread(count: usize) -> Vec<usize> {
    let samples = SAMPLES.min(count);
    (0..samples).map(|sample| (2 * sample + 1) * count / (2 * samples)).collect()
}

/// Progress on standard error: a line that is overwritten on a terminal, a line an epoch elsewhere.
struct Shown {
    started: Instant,
    terminal: bool,
    last: Option<Instant>,
}

impl Shown {
    fn new() -> Self {
        Self { started: Instant::now(), terminal: io::stderr().is_terminal(), last: None }
    }

    fn show(&mut self, progress: Progress) {
        let Progress { epoch, epochs, seen, pictures, loss } = progress;
        let ends = seen >= pictures;
        let due = self.terminal && self.last.is_none_or(|last| last.elapsed().as_millis() > 200);
        if !(ends || due) {
            return;
        }
        self.last = Some(Instant::now());
        let elapsed = self.started.elapsed().as_secs_f64();
        let done = (f64::from(epoch) + seen as f64 / pictures as f64) / f64::from(epochs);
        let left = elapsed / done - elapsed;
        let (begin, end) = if self.terminal { ("\r\x1b[K", "") } else { ("", "\n") };
        let line = format!("epoch {} of {epochs}, loss {loss:.3}, about {left:.0} s left", epoch + 1);
        let mut stream = io::stderr();
        let _ = write!(stream, "{begin}{line}{end}").and_then(|()| stream.flush());
    }

    fn end(&self) {
        if self.terminal {
            let _ = writeln!(io::stderr());
        }
    }
}
