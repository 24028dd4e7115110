//! Scans: prepared inputs in, verdicts out, a bounded number at once.

mod admission;
mod scanner;

pub(crate) use admission::Admission;
pub(crate) use scanner::Scanner;
