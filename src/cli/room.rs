//! Room for many calls at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files as far as the system lets: each call has a connection, and the usual 1,024 are
/// for programs of another kind. Where it cannot be raised, `work::threads` goes by what there is.
pub fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
