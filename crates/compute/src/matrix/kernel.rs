//! The microkernel's call: sums of a tile of rows by one panel.

use crate::Isa;
use crate::isa::Level;
use crate::number::{B16, F32, Number, U8S8};

/// Columns of a panel.
pub(crate) const PANEL: usize = 32;
/// Rows of a tile at most. With AVX-512, 14 rows by 2 vectors are 28 sums, 2 vectors of weights and one broadcast: 31
/// of 32 registers. 14 divides all of ResNet's widths; 4 rows already hide the latency.
pub(crate) const MOST_ROWS: usize = 14;

/// The sums of a tile, row by row of [`PANEL`].
#[repr(align(64))]
pub(crate) struct Sums<T>(pub [T; MOST_ROWS * PANEL]);

impl<T: Copy + Default> Sums<T> {
    pub fn new() -> Self {
        Self([T::default(); MOST_ROWS * PANEL])
    }
}

/// What one call reads.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))] // portable code fetches nothing ahead
pub(crate) struct Call<'a> {
    /// The first row, first tap.
    pub a: *const u8,
    /// Bytes from one row to the next.
    pub row: usize,
    /// Bytes from `a` to each tap.
    pub taps: &'a [usize],
    /// Steps of 4 bytes of a tap.
    pub steps: usize,
    /// Weights, 128 bytes a step, `b_step` bytes apart.
    pub b: *const u8,
    pub b_step: usize,
    /// The sums go on from those that are there, instead of from 0.
    pub more: bool,
    /// A line to fetch ahead at each step, `ahead_step` bytes apart; never read, so it may be any address.
    pub ahead: *const u8,
    pub ahead_step: usize,
}

/// Computes `rows` (1 to [`MOST_ROWS`]) rows into sums.
///
/// # Safety
/// For every row, tap and step the 4 bytes at `a + tap + row · i + 4 · step` must be readable, and the 128 bytes at
/// `b + b_step · (tap's number · steps + step)`.
pub(crate) type Kernel<T> = unsafe fn(&Call<'_>, usize, &mut Sums<T>);

macro_rules! kernels {
    ($name:ident, $number:ty, $avx512:ident $(, $feature:tt)?) => {
        pub(crate) fn $name(isa: Isa) -> Kernel<<$number as Number>::Sum> {
            match isa.level() {
                Level::Scalar => super::portable::product::<$number>,
                #[cfg(target_arch = "x86_64")]
                Level::Avx512 $(if is_x86_feature_detected!($feature))? => {
                    super::avx512::product::<super::avx512::$avx512>
                }
                #[cfg(target_arch = "x86_64")]
                #[allow(unreachable_patterns)] // f32 needs no more than the level
                Level::Avx2 | Level::Avx512 => super::avx2::product::<$number>,
            }
        }
    };
}
kernels!(single, F32, Single);
kernels!(brain, B16, Brain, "avx512bf16");
kernels!(byte, U8S8, Byte, "avx512vnni");

/// Calls a generic function with the number of rows as a constant.
#[cfg(target_arch = "x86_64")]
macro_rules! by_rows {
    ($rows:expr, [$($n:literal)*], $f:ident::<$d:ident>$args:tt) => {
        match $rows { $($n => by_rows!(@ $f::<$d, $n>$args),)* rows => unreachable!("{rows} rows") }
    };
    (@ $f:ident::<$d:ident, $n:literal>($a:expr, $b:expr)) => { $f::<$d, $n>($a, $b) };
}
#[cfg(target_arch = "x86_64")]
pub(super) use by_rows;
