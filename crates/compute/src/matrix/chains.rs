//! Products that nothing holds up: what the processor's own instructions for bf16 and int8 can do at most.

use crate::Isa;
use crate::transformer::Arithmetic;

/// `steps` times `N` products that do not wait for one another, where this instruction set has them (`Isa::has_bf16`,
/// `Isa::has_int8`); else nothing.
pub(crate) fn chains<const N: usize>(isa: Isa, numbers: Arithmetic, steps: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use super::avx512::{Brain, Byte};
        match numbers {
            // SAFETY: AVX-512 and BF16 were detected.
            Arithmetic::Bf16 if isa.has_bf16() => unsafe { in_bf16::<N>(steps) },
            // SAFETY: AVX-512 and VNNI were detected.
            Arithmetic::Int8 if isa.has_int8() => unsafe { in_int8::<N>(steps) },
            _ => {}
        }

        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")]
        unsafe fn in_bf16<const N: usize>(steps: usize) {
            // SAFETY: the caller's.
            unsafe { of::<Brain, N>(steps) }
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")]
        unsafe fn in_int8<const N: usize>(steps: usize) {
            // SAFETY: the caller's.
            unsafe { of::<Byte, N>(steps) }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (isa, numbers, steps);
}

/// # Safety
/// The instructions of `D` must be there.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn of<D: super::avx512::Dot, const N: usize>(steps: usize) {
    use std::arch::x86_64::_mm512_set1_epi32;
    use std::hint::black_box;
    // SAFETY: the caller's.
    unsafe {
        let x = _mm512_set1_epi32(black_box(0x3c00_3c00));
        let mut sums = [D::zero(); N];
        for _ in 0..steps {
            for sum in &mut sums {
                *sum = D::mac(*sum, x, x);
            }
        }
        black_box(sums);
    }
}
