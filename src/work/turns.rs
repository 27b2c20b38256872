//! Whose turn it is: threads of scripts wait for theirs.

/// Tells the system that this thread computes, and need not run at once when it is woken (`SCHED_BATCH`, see sched(7)):
/// it does not push aside the thread that brings replies, which has more of them to bring. A system that does not
/// know of it, or does not allow it, goes on as before.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub fn wait_for_turns() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the call reads `parameters`, which lives until it returns, and keeps no pointer to it; 0 names the
    // calling thread. It changes nothing but how that thread is scheduled, and the only priority that this policy
    // has is 0.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &raw const parameters) };
}

/// Other systems have no such policy.
#[cfg(not(target_os = "linux"))]
pub fn wait_for_turns() {}
