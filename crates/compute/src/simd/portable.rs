//! Lanes as an array: the scalar twin, and (compiled for AVX2) what AVX2 runs on.

use super::{LANES, Simd};
use crate::number::{Bf16, Fine};

/// `FMA`: fused multiply-add is an instruction here and not a slow call.
#[derive(Clone, Copy)]
pub(crate) struct Portable<const FMA: bool>;

type F = [f32; LANES];

#[inline(always)]
fn map(a: F, f: impl Fn(f32) -> f32) -> F {
    let mut out = a;
    for x in &mut out {
        *x = f(*x);
    }
    out
}

#[inline(always)]
fn zip(a: F, b: F, f: impl Fn(f32, f32) -> f32) -> F {
    let mut out = a;
    for (x, y) in out.iter_mut().zip(b) {
        *x = f(*x, y);
    }
    out
}

/// Reads lane by lane.
///
/// # Safety
/// `p` must be readable for 16 elements.
#[inline(always)]
unsafe fn read<T: Copy>(p: *const T, f: impl Fn(T) -> f32) -> F {
    // SAFETY: by the contract above; an array has no alignment beyond its element's, which `read_unaligned` waives.
    let values = unsafe { p.cast::<[T; LANES]>().read_unaligned() };
    let mut out = [0.0; LANES];
    for (x, v) in out.iter_mut().zip(values) {
        *x = f(v);
    }
    out
}

/// Writes lane by lane.
///
/// # Safety
/// `p` must be writable for 16 elements.
#[inline(always)]
unsafe fn write<T: Copy + Default>(p: *mut T, x: F, f: impl Fn(f32) -> T) {
    let mut out = [T::default(); LANES];
    for (v, x) in out.iter_mut().zip(x) {
        *v = f(x);
    }
    // SAFETY: by the contract above.
    unsafe { p.cast::<[T; LANES]>().write_unaligned(out) }
}

// SAFETY (all of them): plain arithmetic; pointers are used as the trait's contract allows.
impl<const FMA: bool> Simd for Portable<FMA> {
    type F = F;

    #[inline(always)]
    unsafe fn splat(x: f32) -> F {
        [x; LANES]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> F {
        // SAFETY: the caller's.
        unsafe { read(p, |v| v) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, x: F) {
        // SAFETY: the caller's.
        unsafe { write(p, x, |v| v) }
    }
    #[inline(always)]
    unsafe fn load_part(p: *const f32, n: usize, fill: f32) -> F {
        let mut out = [fill; LANES];
        // SAFETY: the caller lets the first n be read.
        out.iter_mut().take(n).enumerate().for_each(|(i, x)| *x = unsafe { p.add(i).read_unaligned() });
        out
    }
    #[inline(always)]
    unsafe fn store_part(p: *mut f32, x: F, n: usize) {
        // SAFETY: the caller lets the first n be written.
        x.iter().take(n).enumerate().for_each(|(i, &x)| unsafe { p.add(i).write_unaligned(x) });
    }

    #[inline(always)]
    unsafe fn add(a: F, b: F) -> F {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: F, b: F) -> F {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: F, b: F) -> F {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: F, b: F) -> F {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn max(a: F, b: F) -> F {
        zip(a, b, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(a: F, b: F) -> F {
        zip(a, b, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn fma(a: F, b: F, c: F) -> F {
        let mut out = c;
        for ((c, a), b) in out.iter_mut().zip(a).zip(b) {
            *c = if FMA { a.mul_add(b, *c) } else { a * b + *c };
        }
        out
    }
    #[inline(always)]
    unsafe fn abs(x: F) -> F {
        map(x, f32::abs)
    }
    #[inline(always)]
    unsafe fn round(x: F) -> F {
        map(x, f32::round_ties_even)
    }
    #[inline(always)]
    unsafe fn scale2(x: F, n: F) -> F {
        zip(x, n, |x, n| x * f32::from_bits(((n as i32 + 127) << 23) as u32))
    }
    #[inline(always)]
    unsafe fn lookup(table: &[f32; LANES], at: F) -> F {
        map(at, |at| table[at.to_bits() as usize % LANES])
    }
    #[inline(always)]
    unsafe fn sum(x: F) -> f32 {
        let mut x = x;
        for half in [8, 4, 2, 1] {
            for i in 0..half {
                x[i] += x[i + half];
            }
        }
        x[0]
    }
    #[inline(always)]
    unsafe fn largest(x: F) -> f32 {
        x.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    #[inline(always)]
    unsafe fn transpose(rows: [F; LANES]) -> [F; LANES] {
        let mut out = rows;
        for (i, column) in out.iter_mut().enumerate() {
            for (x, row) in column.iter_mut().zip(&rows) {
                *x = row[i];
            }
        }
        out
    }
    #[inline(always)]
    unsafe fn load_i32(p: *const i32) -> F {
        // SAFETY: the caller's.
        unsafe { read(p, |v| v as f32) }
    }
    #[inline(always)]
    unsafe fn load_i32_less(p: *const i32, less: *const i32) -> F {
        let mut out = [0.0; LANES];
        for (i, x) in out.iter_mut().enumerate() {
            // SAFETY: the caller's, for both.
            *x = unsafe { p.add(i).read_unaligned().wrapping_sub(less.add(i).read_unaligned()) } as f32;
        }
        out
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u16) -> F {
        // SAFETY: the caller's.
        unsafe { read(p, |v| f32::from_bits(u32::from(v) << 16)) }
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut u16, x: F) {
        // SAFETY: the caller's.
        unsafe { write(p, x, |v| Bf16::new(v).0) }
    }
    #[inline(always)]
    unsafe fn load_fine(p: *const u16) -> F {
        // SAFETY: the caller's.
        unsafe { read(p, |v| Fine(v).get()) }
    }
    #[inline(always)]
    unsafe fn store_fine(p: *mut u16, x: F) {
        // SAFETY: the caller's.
        unsafe { write(p, x, |v| Fine::new(v).0) }
    }
    #[inline(always)]
    unsafe fn load_u8(p: *const u8) -> F {
        // SAFETY: the caller's.
        unsafe { read(p, f32::from) }
    }
    #[inline(always)]
    unsafe fn store_u8(p: *mut u8, x: F) {
        // SAFETY: the caller's.
        unsafe { write(p, x, |v| v.round_ties_even() as u8) }
    }
}
