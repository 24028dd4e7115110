//! How a reader gives up its powers, for good, before it touches the foreign file.

use std::fs::File;
use std::io;

use rustix::fs::Mode;
use rustix::process::{Pid, Resource, Rlimit, Signal};

use crate::limits::QuarantineLimits;

/// Takes stdout for the answer alone: what libraries print there from now on goes to the log.
pub(crate) fn take_stdout() -> io::Result<File> {
    let answer = rustix::io::fcntl_dupfd_cloexec(io::stdout(), 3)?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok(File::from(answer))
}

/// Dies when the parent dies, even if that has happened already.
pub(crate) fn die_with_parent(parent: Option<Pid>) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    if parent.is_some() && rustix::process::getppid() == parent {
        Ok(())
    } else {
        Err(io::Error::other("the process that asked for this read is not its parent, or is gone"))
    }
}

/// Lowers every limit. None can be raised again without privileges, and none of those can be gained.
pub(crate) fn confine(limits: &QuarantineLimits) -> io::Result<()> {
    rustix::thread::set_no_new_privs(true)?;
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    let address_space = mapped_bytes()?.saturating_add(limits.memory_bytes);
    let cpu_seconds = limits.cpu_seconds();
    lower(Resource::Core, 0, 0)?;
    // The soft limit ends the process with a signal that tells its reason; the hard one is the backstop.
    lower(Resource::Cpu, cpu_seconds, cpu_seconds + 1)?;
    lower(Resource::Fsize, limits.output_bytes, limits.output_bytes)?;
    lower(Resource::Nofile, limits.open_files, limits.open_files)?;
    lower(Resource::As, address_space, address_space)
}

fn lower(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    let allowed = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Rlimit { current: Some(soft.min(allowed)), maximum: Some(hard.min(allowed)) };
    Ok(rustix::process::setrlimit(resource, limit)?)
}

/// Bytes of address space in use now.
fn mapped_bytes() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/self/statm")?;
    let pages = text.split_ascii_whitespace().next().and_then(|pages| pages.parse::<u64>().ok());
    let pages = pages.ok_or_else(|| io::Error::other("the kernel's memory figures cannot be read"))?;
    Ok(pages.saturating_mul(rustix::param::page_size() as u64))
}
