//! The threads that a run computes on.

/// A thread pool that the system refuses.
#[derive(Debug, thiserror::Error)]
#[error("the thread pool of {threads} threads cannot be started: {source}; ask for fewer with --threads")]
pub struct ThreadPoolError {
    /// Threads asked for; 0 is one a core.
    pub threads: usize,
    /// What the system says.
    pub source: rayon::ThreadPoolBuildError,
}

/// A pool of `threads` threads; 0 takes one a core.
///
/// # Errors
/// [`ThreadPoolError`] if the system gives no such threads.
pub fn thread_pool(threads: usize) -> Result<rayon::ThreadPool, ThreadPoolError> {
    let build = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    build.map_err(|source| ThreadPoolError { threads, source })
}
