//! Where the services' programs are.

use std::env;
use std::path::{Path, PathBuf};

use super::error::UpError;
use super::service::Service;

/// Names the folder of the services' programs.
const VARIABLE: &str = "GIFTHORSE_BIN_DIR";

/// `GIFTHORSE_BIN_DIR`, by default the folder of this program.
fn folder(own: &Path) -> PathBuf {
    let named = env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
    named.map_or_else(|| own.parent().unwrap_or(Path::new(".")).to_owned(), PathBuf::from)
}

/// A program of the house that is no service.
pub fn program(name: &'static str) -> Result<PathBuf, UpError> {
    let folder = folder(&env::current_exe().map_err(UpError::OwnProgram)?);
    let path = folder.join(name);
    if path.is_file() { Ok(path) } else { Err(UpError::ProgramMissing { program: name.to_owned(), folder }) }
}

/// The services' programs, all found, and this one.
#[derive(Debug, Clone)]
pub(super) struct Programs {
    own: PathBuf,
    folder: PathBuf,
}

impl Programs {
    /// Looks in `GIFTHORSE_BIN_DIR`, by default beside this program.
    pub(super) fn locate() -> Result<Self, UpError> {
        let own = env::current_exe().map_err(UpError::OwnProgram)?;
        let folder = folder(&own);
        Self::at(own, folder)
    }

    fn at(own: PathBuf, folder: PathBuf) -> Result<Self, UpError> {
        let missing = Service::ALL.into_iter().find(|service| !folder.join(service.program()).is_file());
        match missing {
            Some(service) => Err(UpError::ProgramMissing { program: service.program(), folder }),
            None => Ok(Self { own, folder }),
        }
    }

    /// This program.
    pub(super) fn own(&self) -> &Path {
        &self.own
    }

    /// The program of a service.
    pub(super) fn of(&self, service: Service) -> PathBuf {
        self.folder.join(service.program())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_missing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for service in [Service::Gateway, Service::Serving, Service::Trainer] {
            std::fs::write(folder.path().join(service.program()), "").unwrap();
        }
        let error = Programs::at("own".into(), folder.path().to_owned()).unwrap_err();
        assert!(
            matches!(error, UpError::ProgramMissing { ref program, .. } if program == "gifthorse-detector")
        );
        std::fs::write(folder.path().join("gifthorse-detector"), "").unwrap();
        let programs = Programs::at("own".into(), folder.path().to_owned()).unwrap();
        assert_eq!(programs.of(Service::Gateway), folder.path().join("gifthorse-gateway"));
    }
}
