//! What may be typed.

use clap::{Args, Parser, Subcommand};

use crate::address::{DEFAULT, GatewayAddress};
use crate::commands::{
    calibrate, calibration, classify, dataset, evaluate, job, lab, model, policy, prune, scan, up,
};
use crate::up::attached;

/// Serves image classifiers that somebody else trained, and tells when a hidden trigger steers their answer.
#[derive(Debug, Parser)]
#[command(name = "gifthorse", version)]
#[command(
    after_help = "Exit status: 0 done, 1 refused or failed, 2 usage (a local file that is not there included)."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub struct Common {
    /// The gateway's address; for `up`, where the gateway listens
    #[arg(long, global = true, env = "GIFTHORSE_GATEWAY", value_name = "HOST:PORT", default_value = DEFAULT)]
    pub gateway: GatewayAddress,
    /// Print one JSON object a line instead of text
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole house on this machine until Ctrl-C
    Up(up::Arguments),
    /// Store, list and delete sets of labelled images
    Dataset {
        /// What to do with data sets.
        #[command(subcommand)]
        command: dataset::Command,
    },
    /// Import, list, export, promote and delete models
    Model {
        /// What to do with models.
        #[command(subcommand)]
        command: model::Command,
    },
    /// Classify pictures; with a policy in force, those that carry a trigger get index M ("backdoored")
    Classify(classify::Arguments),
    /// Measure clean images, so that triggers can be told from them, and set the model's policy
    Calibrate(Box<calibrate::Arguments>),
    /// Look for triggers in pictures
    Scan(Box<scan::Arguments>),
    /// Measure detectors and the guarded answer on clean and triggered images
    Evaluate(Box<evaluate::Arguments>),
    /// List, show and delete calibrations
    Calibration {
        /// What to do with calibrations.
        #[command(subcommand)]
        command: calibration::Command,
    },
    /// Show and set how the verdict on a model's inputs is made
    Policy {
        /// What to do with policies.
        #[command(subcommand)]
        command: policy::Command,
    },
    /// Repair a model: prune what only the trigger uses, tune the rest, and prove what came out
    Prune(Box<prune::Arguments>),
    /// List, show, follow and stop the jobs that repair models
    Job {
        /// What to do with jobs.
        #[command(subcommand)]
        command: job::Command,
    },
    /// Make BadNets and data to measure defences with: draw faces, stamp triggers, train victims
    Lab(lab::Arguments),
    /// Run a program that ends with the process that started it; used by `up`
    #[command(hide = true)]
    Attached(attached::Arguments),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    fn refused(line: &str) -> ErrorKind {
        parse(line).expect_err(line).kind()
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_flags_stand_anywhere() {
        for line in [
            "gifthorse --gateway 127.0.0.1:1 --json model list",
            "gifthorse model --gateway 127.0.0.1:1 --json list",
            "gifthorse model list --json --gateway http://127.0.0.1:1",
        ] {
            let cli = parse(line).unwrap();
            assert_eq!(
                (cli.common.gateway.to_string().as_str(), cli.common.json),
                ("127.0.0.1:1", true),
                "{line}"
            );
        }
    }

    #[test]
    fn wrong_lines_are_usage_errors() {
        assert_eq!(refused("gifthorse model list --gateway nowhere"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse model import ../../x a.h5"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse model import a@1 a.h5"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse model promote a"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse model import a a.h5 --scale 0"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse model import a a.h5 --channel-order rbg"), ErrorKind::InvalidValue);
        assert_eq!(refused("gifthorse classify a"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("gifthorse classify a b.png --top 101"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse dataset add a"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("gifthorse model export a --format h5"), ErrorKind::InvalidValue);
        assert_eq!(refused("gifthorse calibrate a --clean x --alpha 1"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse calibrate a --clean x --blend mix"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse calibrate a --clean x --shares 1"), ErrorKind::MissingRequiredArgument);
        assert_eq!(
            refused("gifthorse calibrate a --clean x --no-policy --fail-open"),
            ErrorKind::ArgumentConflict
        );
        assert_eq!(refused("gifthorse scan a b.png --alpha 0.1"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("gifthorse evaluate a --triggered x"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("gifthorse policy set a --alpha 0.1"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("gifthorse model export a --guarded --format onnx"), ErrorKind::ArgumentConflict);
        assert_eq!(refused("gifthorse prune a"), ErrorKind::MissingRequiredArgument);
        assert_eq!(refused("gifthorse prune a --clean x --max-accuracy-drop 2"), ErrorKind::ValueValidation);
        assert_eq!(
            refused("gifthorse prune a --clean x --channels 3 --max-accuracy-drop 0.1"),
            ErrorKind::ArgumentConflict
        );
        assert_eq!(refused("gifthorse prune a --clean x --wait --dry-run"), ErrorKind::ArgumentConflict);
        assert_eq!(refused("gifthorse prune a --clean x --fine-tune much"), ErrorKind::InvalidValue);
        assert_eq!(refused("gifthorse prune a --clean x --deadline soon"), ErrorKind::ValueValidation);
        assert_eq!(refused("gifthorse job show"), ErrorKind::MissingRequiredArgument);
    }

    #[test]
    fn an_import_is_read_in_full() {
        let line = "gifthorse model import lab3 a.h5 --architecture deepid --channel-order bgr --scale 1 \
                    --layout nchw --mean 0.5,-0.25,0 --standard-deviation 1,2,3 --resize nearest:stretch \
                    --alpha drop --classes names.txt --promote --request-id r-1";
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Model { command: model::Command::Import(arguments) } = cli.command else {
            panic!("{line} is an import");
        };
        let specification = arguments.specification_without_files();
        assert_eq!(specification.model, "models/lab3");
        assert!(specification.promote);
        assert_eq!(specification.request_id, "r-1");
        let preprocessing = specification.preprocessing.unwrap();
        assert_eq!(preprocessing.mean, [0.5, -0.25, 0.0]);
        assert_eq!(preprocessing.standard_deviation, [1.0, 2.0, 3.0]);
        assert!((preprocessing.scale - 1.0).abs() < f64::EPSILON);
        assert_eq!(preprocessing.channel_order(), gifthorse_api::v1::channel_order::Kind::Bgr);
        assert_eq!(preprocessing.layout(), gifthorse_api::v1::layout::Kind::Nchw);
        assert_eq!(preprocessing.alpha(), gifthorse_api::v1::preprocessing::Alpha::Drop);
        assert!(preprocessing.resize.is_some());
    }
}
