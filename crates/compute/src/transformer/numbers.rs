//! What differs between f32, bf16 and int8: how rows are stored between products, and how they are made ready for one.

use crate::Isa;
use crate::matrix::{PerRow, Plain, Scale};
use crate::number::{B16, Bf16, Element, F32, Number, U8S8};
use crate::quantise::{LOW_ZERO, Spread, ZERO, quantise, quantise_low, quantise_twice, round, within};

/// A number type of products with all that a transformer needs around them.
pub(super) trait Numbers: Number {
    /// Queries, keys, values, what attention gives, and the inside of the feed-forward block.
    type Middle: Element;
    type Attention: Number<Sum = f32, Input = Self::Middle>;
    type Scale<'a>: Scale<Self::Sum>;
    /// Largest whole number of a weight; `None`: weights are not scaled.
    const WEIGHT_RANGE: Option<f32>;

    /// What rounding leaves of a row of the stream is multiplied by the values' weights in a second product, for rows of
    /// which it leaves much: values suffer most from whole numbers.
    const REST: bool = false;
    /// What a 0 inside the feed-forward block is stored as.
    const INNER_ZERO: u8 = ZERO;
    /// Products read the stream where it lies.
    const STREAM_IS_INPUT: bool = false;
    /// Products read middle rows where they lie.
    const MIDDLE_IS_INPUT: bool = false;

    /// Products want to know how far a row of the stream reaches.
    const MEASURE: bool = false;

    /// A row of the stream, measured if that is wanted → a product's input; gives its scale.
    fn of_stream(isa: Isa, row: &[f32], spread: Spread, to: &mut [Self::Input]) -> f32;
    /// As `of_stream`, and what that left, where it counts; gives both scales, the second 0 where it does not.
    fn of_stream_twice(
        isa: Isa,
        row: &[f32],
        spread: Spread,
        to: &mut [Self::Input],
        _rest: &mut [Self::Input],
    ) -> (f32, f32) {
        (Self::of_stream(isa, row, spread, to), 0.0)
    }
    /// What attention gives → a product's input; gives its scale.
    fn of_context(isa: Isa, row: &[Self::Middle], to: &mut [Self::Input]) -> f32;
    /// The inside of the feed-forward block → a product's input; gives its scale.
    fn of_inner(isa: Isa, row: &[Self::Middle], to: &mut [Self::Input]) -> f32;
    /// The stream, if it is the input.
    fn stream(_: &[f32]) -> Option<&[Self::Input]> {
        None
    }
    /// Middle rows, if they are the input.
    fn middle(_: &[Self::Middle]) -> Option<&[Self::Input]> {
        None
    }
    fn scale<'a>(less: &'a [i32], columns: &'a [f32], rows: &'a [f32]) -> Self::Scale<'a>;
}

impl Numbers for F32 {
    type Middle = f32;
    type Attention = F32;
    type Scale<'a> = Plain;
    const WEIGHT_RANGE: Option<f32> = None;
    const STREAM_IS_INPUT: bool = true;
    const MIDDLE_IS_INPUT: bool = true;

    fn of_stream(_: Isa, _: &[f32], _: Spread, _: &mut [f32]) -> f32 {
        1.0
    }
    fn of_context(_: Isa, _: &[f32], _: &mut [f32]) -> f32 {
        1.0
    }
    fn of_inner(_: Isa, _: &[f32], _: &mut [f32]) -> f32 {
        1.0
    }
    fn stream(stream: &[f32]) -> Option<&[f32]> {
        Some(stream)
    }
    fn middle(middle: &[f32]) -> Option<&[f32]> {
        Some(middle)
    }
    fn scale<'a>(_: &'a [i32], _: &'a [f32], _: &'a [f32]) -> Plain {
        Plain
    }
}

impl Numbers for B16 {
    type Middle = Bf16;
    type Attention = B16;
    type Scale<'a> = Plain;
    const WEIGHT_RANGE: Option<f32> = None;
    const MIDDLE_IS_INPUT: bool = true;

    fn of_stream(isa: Isa, row: &[f32], _: Spread, to: &mut [Bf16]) -> f32 {
        round(isa, row, to);
        1.0
    }
    fn of_context(_: Isa, _: &[Bf16], _: &mut [Bf16]) -> f32 {
        1.0
    }
    fn of_inner(_: Isa, _: &[Bf16], _: &mut [Bf16]) -> f32 {
        1.0
    }
    fn middle(middle: &[Bf16]) -> Option<&[Bf16]> {
        Some(middle)
    }
    fn scale<'a>(_: &'a [i32], _: &'a [f32], _: &'a [f32]) -> Plain {
        Plain
    }
}

impl Numbers for U8S8 {
    type Middle = Bf16;
    type Attention = B16;
    type Scale<'a> = PerRow<'a>;
    const WEIGHT_RANGE: Option<f32> = Some(127.0);
    const REST: bool = true;
    const MEASURE: bool = true;
    /// Activations are seldom below 0, and little.
    const INNER_ZERO: u8 = LOW_ZERO;

    fn of_stream(isa: Isa, row: &[f32], spread: Spread, to: &mut [u8]) -> f32 {
        within(isa, row, spread.most, to)
    }
    fn of_stream_twice(isa: Isa, row: &[f32], spread: Spread, to: &mut [u8], rest: &mut [u8]) -> (f32, f32) {
        quantise_twice(isa, row, spread, to, rest)
    }
    fn of_context(isa: Isa, row: &[Bf16], to: &mut [u8]) -> f32 {
        quantise(isa, row, to)
    }
    fn of_inner(isa: Isa, row: &[Bf16], to: &mut [u8]) -> f32 {
        quantise_low(isa, row, to)
    }
    fn scale<'a>(less: &'a [i32], columns: &'a [f32], rows: &'a [f32]) -> PerRow<'a> {
        PerRow { less, scale: columns, rows }
    }
}
