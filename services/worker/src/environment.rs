//! What a worker runs on, recorded so that its job can be repeated.

use std::collections::HashMap;

/// Names and values for the trainer.
pub(crate) fn environment() -> HashMap<String, String> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut facts = HashMap::from([
        ("worker.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("machine.architecture".to_owned(), std::env::consts::ARCH.to_owned()),
        ("machine.cores".to_owned(), cores.to_string()),
        ("machine.kernel".to_owned(), kernel.trim().to_owned()),
    ]);
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let named = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    if let Some((_, name)) = named {
        facts.insert("machine.processor".to_owned(), name.trim().to_owned());
    }
    facts
}
