//! The number types that products are computed with, and the elements that are read and written.

use crate::Isa;
use crate::matrix::kernel::{self, Kernel};
use crate::simd::{LANES, Simd};

/// Brain float: the upper half of an f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl Bf16 {
    /// Rounded to nearest, ties to even.
    #[inline]
    pub fn new(x: f32) -> Self {
        let bits = x.to_bits();
        let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16;
        Self(if x.is_nan() { 0x7fc0 } else { rounded })
    }

    #[inline]
    pub fn get(self) -> f32 {
        f32::from_bits(u32::from(self.0) << 16)
    }
}

/// A byte with an eighth's precision: above the whole number, below (0 to 7) the eighths. Products read it as two bytes, the
/// lower with an eighth of the weight; of smaller parts the rounding of that would cost more than they give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Fine(pub u16);

impl Fine {
    /// Rounded to the nearest eighth, ties to even, and kept within 0 to 255.875.
    #[inline]
    pub fn new(x: f32) -> Self {
        let eighths = (x * 8.0).round_ties_even().clamp(0.0, 2047.0) as u16;
        Self(eighths >> 3 << 8 | eighths & 7)
    }

    #[inline]
    pub fn get(self) -> f32 {
        f32::from(self.0 >> 8) + f32::from(self.0 & 7) / 8.0
    }

    /// What the eighths are multiplied with where whole numbers are multiplied with `weight`.
    pub fn eighth(weight: f32) -> f32 {
        (weight / 8.0).round_ties_even()
    }
}

mod sealed {
    pub trait Sealed {}
}

/// What activations are stored as: f32, [`Bf16`] or u8. All bit patterns are values.
pub trait Element: sealed::Sealed + Copy + Default + Send + Sync + 'static {
    /// Whole numbers in which numbers from 0 on have their order.
    #[doc(hidden)]
    type Order: Ord + Copy + Default;
    /// Has so few digits that what is stored need not be right beyond the fourth.
    #[doc(hidden)]
    const SHORT: bool;
    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    unsafe fn load<S: Simd>(p: *const Self) -> S::F;
    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    unsafe fn store<S: Simd>(p: *mut Self, x: S::F);

    /// Whole lanes twice, one behind the other.
    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    unsafe fn store_pair<S: Simd>(p: *mut Self, x: [S::F; 2]);

    /// [`Element::store_pair`] in two places.
    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    #[inline(always)]
    unsafe fn store_pairs<S: Simd>([p, q]: [*mut Self; 2], [x, y]: [[S::F; 2]; 2]) {
        // SAFETY: the caller's, for both.
        unsafe {
            Self::store_pair::<S>(p, x);
            Self::store_pair::<S>(q, y);
        }
    }

    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    #[inline(always)]
    unsafe fn load_part<S: Simd>(p: *const Self, n: usize) -> S::F {
        let mut all = [Self::default(); LANES];
        // SAFETY: the caller lets the first n be read; n ≤ 16.
        unsafe {
            std::ptr::copy_nonoverlapping(p, all.as_mut_ptr(), n);
            Self::load::<S>(all.as_ptr())
        }
    }

    #[doc(hidden)]
    #[allow(private_bounds, private_interfaces)]
    #[inline(always)]
    unsafe fn store_part<S: Simd>(p: *mut Self, x: S::F, n: usize) {
        let mut all = [Self::default(); LANES];
        // SAFETY: the caller lets the first n be written; n ≤ 16.
        unsafe {
            Self::store::<S>(all.as_mut_ptr(), x);
            std::ptr::copy_nonoverlapping(all.as_ptr(), p, n);
        }
    }
}

macro_rules! element {
    ($type:ty, $order:ty, $short:literal, $load:ident, $store:ident, $pair:ident $(, $pairs:ident)?) => {
        impl sealed::Sealed for $type {}
        #[allow(private_bounds, private_interfaces)]
        impl Element for $type {
            type Order = $order;
            const SHORT: bool = $short;
            #[inline(always)]
            unsafe fn load<S: Simd>(p: *const Self) -> S::F {
                // SAFETY: the caller's; the type has the layout of the pointer's target.
                unsafe { S::$load(p.cast()) }
            }
            #[inline(always)]
            unsafe fn store<S: Simd>(p: *mut Self, x: S::F) {
                // SAFETY: as above.
                unsafe { S::$store(p.cast(), x) }
            }
            #[inline(always)]
            unsafe fn store_pair<S: Simd>(p: *mut Self, x: [S::F; 2]) {
                // SAFETY: as above, for twice as many.
                unsafe { S::$pair(p.cast(), x) }
            }
            $(#[inline(always)]
            unsafe fn store_pairs<S: Simd>(p: [*mut Self; 2], x: [[S::F; 2]; 2]) {
                // SAFETY: as above, in both places.
                unsafe { S::$pairs(p, x) }
            })?
        }
    };
}
element!(f32, i32, false, load, store, store_pair);
element!(Bf16, i16, true, load_bf16, store_bf16, store_bf16_pair);
element!(u8, u8, true, load_u8, store_u8, store_u8_pair, store_u8_pairs);
element!(Fine, u16, true, load_fine, store_fine, store_fine_pair);

/// How a product is computed. A *step* is 4 bytes of inputs: one f32, two bf16 or four u8.
pub trait Number: sealed::Sealed + Copy + Send + Sync + 'static {
    type Input: Element;
    /// f32 or i32.
    type Sum: Copy + Default + Send + Sync + 'static;
    /// Inputs in a step.
    const STEP: usize;
    const NAME: &'static str;
    /// Writes one weight as it lies in a panel.
    #[doc(hidden)]
    fn encode(weight: f32, to: &mut [u8]);
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn kernel(isa: Isa) -> Kernel<Self::Sum>;
}

/// f32 inputs and weights, f32 sums.
#[derive(Debug, Clone, Copy)]
pub struct F32;
/// bf16 inputs and weights, f32 sums.
#[derive(Debug, Clone, Copy)]
pub struct B16;
/// u8 inputs and i8 weights (given as whole numbers from -128 to 127), i32 sums: exact.
#[derive(Debug, Clone, Copy)]
pub struct U8S8;

impl sealed::Sealed for F32 {}
impl sealed::Sealed for B16 {}
impl sealed::Sealed for U8S8 {}

impl Number for F32 {
    type Input = f32;
    type Sum = f32;
    const STEP: usize = 1;
    const NAME: &'static str = "f32";
    fn encode(weight: f32, to: &mut [u8]) {
        to.copy_from_slice(&weight.to_ne_bytes());
    }
    #[allow(private_interfaces)]
    fn kernel(isa: Isa) -> Kernel<Self::Sum> {
        kernel::single(isa)
    }
}

impl Number for B16 {
    type Input = Bf16;
    type Sum = f32;
    const STEP: usize = 2;
    const NAME: &'static str = "bf16";
    fn encode(weight: f32, to: &mut [u8]) {
        to.copy_from_slice(&Bf16::new(weight).0.to_ne_bytes());
    }
    #[allow(private_interfaces)]
    fn kernel(isa: Isa) -> Kernel<Self::Sum> {
        kernel::brain(isa)
    }
}

impl Number for U8S8 {
    type Input = u8;
    type Sum = i32;
    const STEP: usize = 4;
    const NAME: &'static str = "int8";
    fn encode(weight: f32, to: &mut [u8]) {
        to[0] = (weight.round() as i8) as u8;
    }
    #[allow(private_interfaces)]
    fn kernel(isa: Isa) -> Kernel<Self::Sum> {
        kernel::byte(isa)
    }
}
