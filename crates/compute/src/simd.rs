//! Sixteen lanes of f32, written once for every instruction set: what stands between matrix products is generic over
//! [`Simd`] and compiled anew inside each set's target features by [`Isa::run`](crate::Isa).

use crate::Isa;

#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Lanes of a vector.
pub(crate) const LANES: usize = 16;

/// Work that is generic over the lanes; `run` must be `#[inline(always)]`, and so must all that it calls with lanes.
pub(crate) trait Task {
    type Output;
    /// # Safety
    /// What the task itself asks for, and the instruction set of `S` must be there.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// Operations on [`LANES`] numbers. Functions are `#[inline(always)]`.
///
/// # Safety
/// Every function wants its instruction set, pointers to as many elements as it reads or writes, of any alignment.
#[allow(dead_code)] // a full set, whoever needs which
pub(crate) trait Simd: Copy + 'static {
    type F: Copy;
    /// A vector is one register of 32, and `lookup` one instruction: several vectors side by side do not wait for their own
    /// last results, and tables are faster than polynomials.
    const WIDE: bool = false;

    unsafe fn splat(x: f32) -> Self::F;
    unsafe fn load(p: *const f32) -> Self::F;
    unsafe fn store(p: *mut f32, x: Self::F);
    /// One behind the other.
    #[inline(always)]
    unsafe fn store_pair(p: *mut f32, [x, y]: [Self::F; 2]) {
        // SAFETY: the caller's, for twice as many.
        unsafe {
            Self::store(p, x);
            Self::store(p.add(LANES), y);
        }
    }
    /// The first `n` lanes (`n ≤ 16`), the others `fill`.
    unsafe fn load_part(p: *const f32, n: usize, fill: f32) -> Self::F;
    unsafe fn store_part(p: *mut f32, x: Self::F, n: usize);

    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn div(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn min(a: Self::F, b: Self::F) -> Self::F;
    /// `a · b + c`
    unsafe fn fma(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `a · b - c`
    #[inline(always)]
    unsafe fn fms(a: Self::F, b: Self::F, c: Self::F) -> Self::F {
        // SAFETY: the caller's.
        unsafe { Self::fma(a, b, Self::sub(Self::splat(-0.0), c)) }
    }
    unsafe fn abs(x: Self::F) -> Self::F;
    /// To whole numbers, ties to even.
    unsafe fn round(x: Self::F) -> Self::F;
    /// `x · 2ⁿ` for whole `n` from -126 to 127.
    unsafe fn scale2(x: Self::F, n: Self::F) -> Self::F;
    /// `scale2` for any whole `n`: below -126 and above 127, next to nothing and more than 10³⁸.
    #[inline(always)]
    unsafe fn scale2_any(x: Self::F, n: Self::F) -> Self::F {
        // SAFETY: the caller's.
        unsafe { Self::scale2(x, Self::min(Self::max(n, Self::splat(-126.0)), Self::splat(127.0))) }
    }
    /// Each lane the number that the lowest four of its bits say.
    unsafe fn lookup(table: &[f32; LANES], at: Self::F) -> Self::F;
    unsafe fn sum(x: Self::F) -> f32;
    unsafe fn largest(x: Self::F) -> f32;

    /// Lane j of row i → lane i of row j; any bits.
    unsafe fn transpose(rows: [Self::F; LANES]) -> [Self::F; LANES];

    /// Has a line of memory brought near, where that can be asked for; any address will do.
    #[inline(always)]
    unsafe fn fetch(_p: *const u8) {}
    unsafe fn load_i32(p: *const i32) -> Self::F;
    /// `p - less`, subtracted as whole numbers.
    unsafe fn load_i32_less(p: *const i32, less: *const i32) -> Self::F;
    unsafe fn load_bf16(p: *const u16) -> Self::F;
    /// Rounded to nearest, ties to even.
    unsafe fn store_bf16(p: *mut u16, x: Self::F);
    /// One behind the other.
    #[inline(always)]
    unsafe fn store_bf16_pair(p: *mut u16, [x, y]: [Self::F; 2]) {
        // SAFETY: the caller's, for twice as many.
        unsafe {
            Self::store_bf16(p, x);
            Self::store_bf16(p.add(LANES), y);
        }
    }
    /// [`Fine`](crate::number::Fine)
    unsafe fn load_fine(p: *const u16) -> Self::F;
    /// As `Fine::new` rounds.
    unsafe fn store_fine(p: *mut u16, x: Self::F);
    /// One behind the other.
    #[inline(always)]
    unsafe fn store_fine_pair(p: *mut u16, [x, y]: [Self::F; 2]) {
        // SAFETY: the caller's, for twice as many.
        unsafe {
            Self::store_fine(p, x);
            Self::store_fine(p.add(LANES), y);
        }
    }
    unsafe fn load_u8(p: *const u8) -> Self::F;
    /// Rounded to nearest, ties to even, and kept within 0 to 255.
    unsafe fn store_u8(p: *mut u8, x: Self::F);
    /// One behind the other.
    #[inline(always)]
    unsafe fn store_u8_pair(p: *mut u8, [x, y]: [Self::F; 2]) {
        // SAFETY: the caller's, for twice as many.
        unsafe {
            Self::store_u8(p, x);
            Self::store_u8(p.add(LANES), y);
        }
    }
    /// In two places.
    #[inline(always)]
    unsafe fn store_u8_pairs([p, q]: [*mut u8; 2], [x, y]: [[Self::F; 2]; 2]) {
        // SAFETY: the caller's, for both.
        unsafe {
            Self::store_u8_pair(p, x);
            Self::store_u8_pair(q, y);
        }
    }
}

/// Has all of it brought near, where that can be asked for.
pub(crate) fn fetch<T>(isa: Isa, x: &[T]) {
    isa.run(Fetch(x));
}

struct Fetch<'a, T>(&'a [T]);

impl<T> Task for Fetch<'_, T> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for at in (0..size_of_val(self.0)).step_by(64) {
            // SAFETY: the instruction set is the caller's; nothing is read.
            unsafe { S::fetch(self.0.as_ptr().cast::<u8>().wrapping_add(at)) };
        }
    }
}

/// A chunk of at most [`LANES`] numbers, the lanes behind it `fill`.
///
/// # Safety
/// The instruction set of `S` must be there.
#[inline(always)]
pub(crate) unsafe fn load_chunk<S: Simd>(x: &[f32], fill: f32) -> S::F {
    // SAFETY: as above; no more is read than there is.
    unsafe { if x.len() >= LANES { S::load(x.as_ptr()) } else { S::load_part(x.as_ptr(), x.len(), fill) } }
}

/// As many lanes as the chunk holds.
///
/// # Safety
/// The instruction set of `S` must be there.
#[inline(always)]
pub(crate) unsafe fn store_chunk<S: Simd>(to: &mut [f32], x: S::F) {
    // SAFETY: as above; no more is written than there is.
    unsafe {
        if to.len() >= LANES {
            S::store(to.as_mut_ptr(), x);
        } else {
            S::store_part(to.as_mut_ptr(), x, to.len());
        }
    }
}
