//! The scalar twin: a row at a time in plain loops.

use super::kernel::{Call, PANEL, Sums};
use crate::number::{B16, Bf16, F32, Number, U8S8};

/// Adds the products of one step.
pub(super) trait Dot: Number {
    fn step(sums: &mut [Self::Sum; PANEL], a: [u8; 4], b: &[[u8; 4]; PANEL]);
}

impl Dot for F32 {
    #[inline(always)]
    fn step(sums: &mut [f32; PANEL], a: [u8; 4], b: &[[u8; 4]; PANEL]) {
        let a = f32::from_ne_bytes(a);
        for (sum, &b) in sums.iter_mut().zip(b) {
            *sum += a * f32::from_ne_bytes(b);
        }
    }
}

impl Dot for B16 {
    #[inline(always)]
    fn step(sums: &mut [f32; PANEL], a: [u8; 4], b: &[[u8; 4]; PANEL]) {
        let pair = |[p, q, r, s]: [u8; 4]| [[p, q], [r, s]].map(|v| Bf16(u16::from_ne_bytes(v)).get());
        let a = pair(a);
        for (sum, &b) in sums.iter_mut().zip(b) {
            let b = pair(b);
            *sum += a[0] * b[0] + a[1] * b[1];
        }
    }
}

impl Dot for U8S8 {
    #[inline(always)]
    fn step(sums: &mut [i32; PANEL], a: [u8; 4], b: &[[u8; 4]; PANEL]) {
        let a = a.map(i32::from);
        for (sum, b) in sums.iter_mut().zip(b) {
            let products = a.iter().zip(b).map(|(&a, &b)| a * i32::from(b as i8));
            *sum += products.sum::<i32>();
        }
    }
}

/// [`super::kernel::Kernel`] of `D`.
///
/// # Safety
/// As there.
pub(super) unsafe fn product<D: Dot>(call: &Call<'_>, rows: usize, sums: &mut Sums<D::Sum>) {
    for (i, to) in sums.0.chunks_exact_mut(PANEL).enumerate().take(rows) {
        let mut acc = [D::Sum::default(); PANEL];
        if call.more {
            acc.copy_from_slice(to);
        }
        let mut b = call.b;
        for &tap in call.taps {
            for step in 0..call.steps {
                // SAFETY: the caller lets these bytes be read; arrays of bytes have no alignment.
                let (a, weights) = unsafe {
                    let a = call.a.add(tap + i * call.row + 4 * step).cast::<[u8; 4]>();
                    (a.read(), &*b.cast::<[[u8; 4]; PANEL]>())
                };
                D::step(&mut acc, a, weights);
                b = b.wrapping_add(call.b_step);
            }
        }
        to.copy_from_slice(&acc);
    }
}
