//! Instruction sets: a value of [`Isa`] is the proof that this processor has it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(target_arch = "x86_64")]
use crate::simd::Avx512;
use crate::simd::{Portable, Task};

/// An instruction set that this processor has been seen to support; there is no other way to own one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The forced level plus one; 0 while nothing is forced.
static FORCED: AtomicU8 = AtomicU8::new(0);

#[cfg(target_arch = "x86_64")]
const LEVELS: [Level; 3] = [Level::Scalar, Level::Avx2, Level::Avx512];
#[cfg(not(target_arch = "x86_64"))]
const LEVELS: [Level; 1] = [Level::Scalar];

impl Level {
    fn detected(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("fma")
            }
        }
    }
}

impl Isa {
    /// The portable twin, on every processor.
    pub const SCALAR: Self = Self(Level::Scalar);

    /// All that this processor has, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        LEVELS.into_iter().filter(|l| l.detected()).map(Self)
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self::SCALAR)
    }

    /// `scalar`, `avx2` (with FMA) or `avx512`; `None` if unknown or not on this processor.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().find(|isa| isa.name() == name)
    }

    /// What kernels run on: the forced one, else the best.
    pub fn current() -> Self {
        match FORCED.load(Ordering::Relaxed) {
            0 => Self::best(),
            level => Self(LEVELS[usize::from(level) - 1]),
        }
    }

    /// Makes this one [`Isa::current`] for the whole program, for measuring and for finding faults.
    pub fn force(self) {
        let at = LEVELS.iter().position(|&l| l == self.0).expect("LEVELS holds every level");
        FORCED.store(at as u8 + 1, Ordering::Relaxed);
    }

    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }

    /// Whether bf16 products are an instruction here (AVX-512 BF16): twice as fast as f32, and not slower.
    pub fn has_bf16(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Level::Avx512 {
            return is_x86_feature_detected!("avx512bf16");
        }
        false
    }

    /// Whether int8 products are an instruction here (AVX-512 VNNI).
    pub fn has_int8(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Level::Avx512 {
            return is_x86_feature_detected!("avx512vnni");
        }
        false
    }

    pub(crate) fn level(self) -> Level {
        self.0
    }

    /// Runs `task` compiled for this instruction set.
    #[inline]
    pub(crate) fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            // SAFETY: plain code runs everywhere; what the task asks for is its maker's to keep.
            Level::Scalar => unsafe { task.run::<Portable<false>>() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a value of `Isa` at this level exists only where its features were detected; likewise below.
            Level::Avx2 => unsafe { in_avx2(task) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above, and BF16 was detected.
            Level::Avx512 if self.has_bf16() => unsafe { in_avx512_bf16(task) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx512 => unsafe { in_avx512(task) },
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn in_avx2<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller's.
    unsafe { task.run::<Portable<true>>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,fma")]
unsafe fn in_avx512<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller's.
    unsafe { task.run::<Avx512<false>>() }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")]
unsafe fn in_avx512_bf16<T: Task>(task: T) -> T::Output {
    // SAFETY: the caller's.
    unsafe { task.run::<Avx512<true>>() }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_isa_is_known_by_its_name_only_where_it_exists() {
        assert_eq!(Isa::named("scalar"), Some(Isa::SCALAR));
        assert_eq!(Isa::named("neon9"), None);
        for isa in Isa::available() {
            assert_eq!(Isa::named(isa.name()), Some(isa));
        }
        assert_eq!(Isa::available().last(), Some(Isa::best()));
    }
}
