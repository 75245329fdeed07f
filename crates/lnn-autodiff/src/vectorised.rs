//! Run-time choice of the instruction set for a kernel.

/// Calls `kernel(arguments)` compiled for the best instruction set of this machine (AVX-512, AVX2 with
/// FMA, or what the target guarantees), and returns its result.
///
/// The kernel is plain Rust; the compiler vectorises its loops. It must not capture anything and must be
/// a closure marked `#[inline(always)]`: a captured reference, or the name of a function instead of a closure,
/// would be called through a shim that is compiled for the baseline instruction set, many times slower.
///
/// ```
/// let (mut y, x) = ([1.0_f32; 100], [2.0_f32; 100]);
/// lnn_autodiff::vectorised(
///     (&mut y, &x),
///     #[inline(always)]
///     |(y, x)| {
///         for (y, x) in y.iter_mut().zip(x) {
///             *y += 0.5 * x;
///         }
///     },
/// );
/// assert_eq!(y, [2.0; 100]);
/// ```
pub fn vectorised<A, R, K: Fn(A) -> R>(arguments: A, kernel: K) -> R {
    const {
        assert!(size_of::<K>() == 0, "a vectorised kernel captures nothing");
    }
    pulp::Arch::new().dispatch(Call { arguments, kernel })
}

/// The instruction set that [`vectorised`] kernels are compiled for on this machine, in words: `AVX-512`.
pub fn instruction_set() -> &'static str {
    match pulp::Arch::new() {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        pulp::Arch::V4(_) => "AVX-512",
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        pulp::Arch::V3(_) => "AVX2 with FMA",
        #[cfg(target_arch = "aarch64")]
        pulp::Arch::Neon(_) => "NEON",
        _ => "what every processor of this kind has",
    }
}

struct Call<A, K> {
    arguments: A,
    kernel: K,
}

impl<A, R, K: Fn(A) -> R> pulp::NullaryFnOnce for Call<A, K> {
    type Output = R;

    #[inline(always)]
    fn call(self) -> R {
        (self.kernel)(self.arguments)
    }
}
