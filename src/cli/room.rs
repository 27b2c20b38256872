//! Room for many calls at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Makes room for thousands of threads and connections. To be called before anything is opened: it may start the
/// program once more.
pub fn make() {
    share_freed_memory();
    raise_file_limit();
    spread_waiting_threads();
}

/// Raises the limit of open files as far as the system lets: each call has a connection, and the usual 1,024 are
/// for programs of another kind. Where it cannot be raised, `work::threads` goes by what there is.
pub fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// glibc keeps what a thread has freed at hand for that thread alone: of thousands that wait for models, each holds some
/// 50 kB that no other may use, and when it runs again the memory is cold. Only the environment that a program starts
/// with can turn that off (see `tcache_count` in the manual of glibc), so it starts itself again with it, at once.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn share_freed_memory() {
    use std::os::unix::process::CommandExt;

    const VARIABLE: &str = "GLIBC_TUNABLES";
    const OPTION: &str = "glibc.malloc.tcache_count";
    let set = std::env::var_os(VARIABLE).unwrap_or_default().to_string_lossy().into_owned();
    let (Ok(program), false) = (std::env::current_exe(), set.contains(OPTION)) else { return };
    let others = if set.is_empty() { set } else { set + ":" };
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let mut again = std::process::Command::new(program);
    again.arg0(name).args(arguments).env(VARIABLE, format!("{others}{OPTION}=0"));
    // It only returns when that could not be done: then the run takes more memory.
    let _ = again.exec();
}

/// Other allocators have no such memory, or other ways.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn share_freed_memory() {}

/// Lists of waiting threads: from Linux 6.16 on a process has its own, a few for each processor, and whoever wakes a
/// thread walks along one of them. With thousands of threads that wait for models the lists are long: at 9,000 on two
/// processors, that took a tenth of all processor time.
#[cfg(target_os = "linux")]
const WAIT_LISTS: libc::c_ulong = 4096;

/// `prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, ...)`, see prctl(2); an older system does not know it.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn spread_waiting_threads() {
    const PR_FUTEX_HASH: libc::c_int = 78;
    const SET_SLOTS: libc::c_ulong = 1;
    let none: libc::c_ulong = 0;
    // SAFETY: the arguments are numbers, none of them an address. The kernel moves the waiting threads to the new lists
    // itself; an operation that it does not know, it refuses without an effect.
    unsafe { libc::prctl(PR_FUTEX_HASH, SET_SLOTS, WAIT_LISTS, none, none) };
}

/// Other systems keep such lists in their own way.
#[cfg(not(target_os = "linux"))]
fn spread_waiting_threads() {}
