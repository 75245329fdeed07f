//! Run-time choice of the instruction set for a kernel.

/// Calls `kernel(arguments)` compiled for the best instruction set of this machine (AVX-512, AVX2 with
/// FMA, or what the target guarantees).
///
/// The kernel is plain Rust; the compiler vectorises its loops. It must not capture anything and must be
/// marked `#[inline(always)]`: a captured reference would be called through a shim that is compiled for
/// the baseline instruction set.
pub(crate) fn vectorised<A, K: Fn(A)>(arguments: A, kernel: K) {
    const {
        assert!(size_of::<K>() == 0, "a vectorised kernel captures nothing");
    }
    pulp::Arch::new().dispatch(Call { arguments, kernel });
}

struct Call<A, K> {
    arguments: A,
    kernel: K,
}

impl<A, K: Fn(A)> pulp::NullaryFnOnce for Call<A, K> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        (self.kernel)(self.arguments);
    }
}
