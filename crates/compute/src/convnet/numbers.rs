//! What differs between networks of f32, bf16 and int8.

use super::net::{Net, Workspace};
use super::plan::Layer;
use super::winograd::{Form, Rooms};
use crate::matrix::{PerColumn, Plain, Scale};
use crate::number::{B16, Bf16, Element, F32, Fine, Number, U8S8};
use crate::{Isa, Pool};

/// Number types that maps can be of.
#[allow(private_interfaces)]
pub trait MapNumber: Number {
    #[doc(hidden)]
    type Scale<'a>: Scale<Self::Sum>;
    #[doc(hidden)]
    fn scale(columns: &[f32]) -> Self::Scale<'_>;
    /// What maps are of that no product reads: those that are only added, and the last one.
    #[doc(hidden)]
    type Wide: Element;
    /// What the first maps are of where their products are of more than these numbers.
    #[doc(hidden)]
    type Fine: Element;
    /// Whether values have a range that must be known.
    #[doc(hidden)]
    const QUANTISED: bool;
    /// What packing leaves over of a weight of the first layer, if that is to be multiplied as well.
    #[doc(hidden)]
    fn rest(weight: f32) -> Option<f32>;
    /// How a 3×3 layer that gives maps of this width goes by Winograd; `None`: directly.
    #[doc(hidden)]
    fn winograd(layer: &Layer, width: usize) -> Option<Form>;
    /// [`Net::run_from`], compiled in this crate and not, generic as it is, in that of whoever calls it.
    #[doc(hidden)]
    fn run_from(
        net: &Net<Self>,
        by: By<'_>,
        room: &mut Workspace<Self>,
        photo: &[u8],
        done: usize,
        seen: Seen<'_, Self>,
    ) -> usize;
}

/// What a photo is computed by.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct By<'a> {
    pub(super) isa: Isa,
    pub(super) pool: &'a Pool,
}

/// Told of every map when it is written, the photo first: its number and its values. Says whether to go on.
pub(super) type Seen<'a, N> = &'a mut dyn FnMut(usize, &[<N as Number>::Input]) -> bool;

macro_rules! compiled_here {
    () => {
        #[inline(never)]
        fn run_from(
            net: &Net<Self>,
            by: By<'_>,
            room: &mut Workspace<Self>,
            photo: &[u8],
            done: usize,
            seen: Seen<'_, Self>,
        ) -> usize {
            net.run_from(by, room, photo, done, seen)
        }
    };
}

/// Whether Winograd is worth its transforms.
fn fits(layer: &Layer) -> bool {
    let lanes = layer.from.is_multiple_of(16) && layer.to.is_multiple_of(16);
    lanes && layer.from.min(layer.to) >= 32 && layer.kernel == 3 && layer.stride == 1
}

#[allow(private_interfaces)]
impl MapNumber for F32 {
    type Wide = f32;
    type Fine = f32;
    type Scale<'a> = Plain;
    fn scale(_: &[f32]) -> Plain {
        Plain
    }
    const QUANTISED: bool = false;
    fn rest(_: f32) -> Option<f32> {
        None
    }
    fn winograd(layer: &Layer, width: usize) -> Option<Form> {
        // F(4×4) on 7 × 7 pixels would have 4 tiles and stream four times the weights.
        let side = if width >= 12 { 4 } else { 2 };
        fits(layer).then_some(Form { side, rooms: Rooms::Single })
    }
    compiled_here!();
}

#[allow(private_interfaces)]
impl MapNumber for B16 {
    type Wide = Bf16;
    type Fine = Bf16;
    type Scale<'a> = Plain;
    fn scale(_: &[f32]) -> Plain {
        Plain
    }
    const QUANTISED: bool = false;
    /// Rounding the first layer's inputs and weights costs more than that of all others together.
    fn rest(weight: f32) -> Option<f32> {
        Some(weight - Bf16::new(weight).get())
    }
    fn winograd(layer: &Layer, width: usize) -> Option<Form> {
        // F(4×4) wants f32: a quarter of the products at half the speed. On small maps F(2×2) in bf16 has fewer weights
        // to stream.
        let form = if width >= 24 {
            Form { side: 4, rooms: Rooms::Single }
        } else {
            Form { side: 2, rooms: Rooms::Brain }
        };
        fits(layer).then_some(form)
    }
    compiled_here!();
}

#[allow(private_interfaces)]
impl MapNumber for U8S8 {
    type Wide = Bf16;
    type Fine = Fine;
    type Scale<'a> = PerColumn<'a>;
    fn scale(columns: &[f32]) -> PerColumn<'_> {
        PerColumn(columns)
    }
    const QUANTISED: bool = true;
    fn rest(_: f32) -> Option<f32> {
        None
    }
    fn winograd(_: &Layer, _: usize) -> Option<Form> {
        None
    }
    compiled_here!();
}
