//! Compiles a loop once for every processor and once for those with wider vectors.

/// Defines a function that uses the processor's widest vectors. On x86-64 its body is compiled twice: for AVX2 and for any processor.
/// Elsewhere it is compiled once, since 64-bit ARM always has NEON.
macro_rules! multiversion {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $kind:ty),* $(,)?) $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $kind),*) {
            #[inline(always)]
            fn portable($($arg: $kind),*) $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($arg: $kind),*) {
                    portable($($arg),*);
                }
                if std::arch::is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    return unsafe { avx2($($arg),*) };
                }
            }
            portable($($arg),*);
        }
    };
}

pub(super) use multiversion;
