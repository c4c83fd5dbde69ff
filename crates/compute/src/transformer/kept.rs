//! A transformer in pieces, and whole again: every number beside the panels, in the order in which it was packed.

use std::sync::Mutex;

use super::layer::{Block, Layer};
use super::numbers::Numbers;
use super::{Arithmetic, Plan, Sizes, Stack, Transformer};
use crate::kept::{Kept, Pieces, Reader, Table, Writer};
use crate::matrix::Arena;

impl Transformer {
    /// What [`Transformer::again`] makes the same network of.
    pub fn pieces(&self) -> Pieces<'_> {
        each!(&self.plan, stack => stack.pieces())
    }

    /// The network that `kept` is the pieces of. `None` if they are of another network; numbers are not looked at.
    ///
    /// # Panics
    /// If hidden numbers are not divided by heads.
    pub fn again(arithmetic: Arithmetic, sizes: Sizes, order: &[usize], kept: Kept) -> Option<Self> {
        assert!(sizes.hidden.is_multiple_of(sizes.heads), "heads of one size");
        let order = order.to_vec();
        let plan = match arithmetic {
            Arithmetic::F32 => Plan::F32(Stack::again(&sizes, order, kept)?),
            Arithmetic::Bf16 => Plan::Bf16(Stack::again(&sizes, order, kept)?),
            Arithmetic::Int8 => Plan::Int8(Stack::again(&sizes, order, kept)?),
        };
        Some(Self { sizes, plan })
    }
}

impl<N: Numbers> Stack<N> {
    fn pieces(&self) -> Pieces<'_> {
        let mut to = Writer::default();
        to.count(self.places.len());
        to.count(self.first);
        to.count(usize::from(self.widen.is_some()));
        to.count(self.blocks.len());
        to.floats(&self.places);
        to.norm(&self.norm);
        if let Some(widen) = &self.widen {
            widen.write(&mut to);
        }
        self.blocks.iter().for_each(|block| block.write(&mut to));
        Pieces { panels: self.arena.panels(), table: &self.words, numbers: to.0 }
    }

    fn again(sizes: &Sizes, order: Vec<usize>, kept: Kept) -> Option<Self> {
        let Sizes { embedding, hidden, .. } = *sizes;
        let Kept { panels, table, numbers } = kept;
        let (words, mut arena, mut from) = (Table::Lent(table), Arena::kept(panels), Reader(&numbers));
        let (places, first, widened, blocks) = (from.count()?, from.count()?, from.count()?, from.count()?);
        let whole = words.len().is_multiple_of(embedding) && places.is_multiple_of(embedding);
        if !whole || order.iter().any(|&i| i >= blocks) || (widened == 0 && embedding != hidden) {
            return None;
        }
        let (places, norm) = (from.floats(places)?, from.norm(embedding)?);
        let widen = match widened {
            0 => None,
            _ => Some(Layer::read(&mut arena, &mut from, hidden, embedding)?),
        };
        let blocks =
            (0..blocks).map(|_| Block::read(&mut arena, &mut from, sizes)).collect::<Option<Vec<_>>>()?;
        from.end()?;
        let stack = Self { words, places, first, norm, widen, blocks, order, arena, free: Mutex::default() };
        stack.arena.is_full().then_some(stack)
    }
}

impl<N: Numbers> Layer<N> {
    fn write(&self, to: &mut Writer) {
        to.floats(&self.bias);
        to.floats(&self.scales);
        to.ints(&self.less);
    }

    fn read(arena: &mut Arena, numbers: &mut Reader<'_>, out: usize, from: usize) -> Option<Self> {
        let scaled = if N::WEIGHT_RANGE.is_some() { out } else { 0 };
        Some(Self {
            packed: arena.place::<N>(out, 1, from)?,
            bias: numbers.floats(out)?,
            scales: numbers.floats(scaled)?,
            less: numbers.ints(scaled)?,
        })
    }
}

impl<N: Numbers> Block<N> {
    fn write(&self, to: &mut Writer) {
        self.qkv.write(to);
        self.attention_out.write(to);
        to.norm(&self.attention_norm);
        self.up.write(to);
        self.down.write(to);
        to.norm(&self.norm);
    }

    fn read(arena: &mut Arena, from: &mut Reader<'_>, sizes: &Sizes) -> Option<Self> {
        let Sizes { hidden, inner, .. } = *sizes;
        Some(Self {
            qkv: Layer::read(arena, from, 3 * hidden, hidden)?,
            attention_out: Layer::read(arena, from, hidden, hidden)?,
            attention_norm: from.norm(hidden)?,
            up: Layer::read(arena, from, inner, hidden)?,
            down: Layer::read(arena, from, hidden, inner)?,
            norm: from.norm(hidden)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::models;
    use super::*;
    use crate::kept::testing::{lend, print};
    use crate::kept::{PACKING, Piece};
    use crate::{Isa, Pool, Pooling};

    const ALL: [Arithmetic; 3] = [Arithmetic::F32, Arithmetic::Bf16, Arithmetic::Int8];

    #[test]
    fn a_network_comes_back_to_the_bit() {
        let texts: [&[u32]; 3] = [&[1, 2, 3, 4, 5], &[49], &[7, 7, 0]];
        for model in models() {
            for arithmetic in ALL {
                let made = model.compile(arithmetic);
                let kept = lend(&made.pieces());
                let again = Transformer::again(arithmetic, model.sizes, &model.order, kept.clone()).unwrap();
                let run = |t: &Transformer| t.encode(Isa::current(), &Pool::new(1), &texts, Pooling::Mean);
                assert_eq!(run(&made), run(&again), "{arithmetic:?}");
                assert_eq!(print(&made.pieces()), print(&again.pieces()));

                // Pieces of another network are none of this one.
                for other in ALL.into_iter().filter(|&other| other != arithmetic) {
                    assert!(Transformer::again(other, model.sizes, &model.order, kept.clone()).is_none());
                }
                let larger = Sizes { inner: model.sizes.inner + 1, ..model.sizes };
                assert!(Transformer::again(arithmetic, larger, &model.order, kept.clone()).is_none());
                assert!(Transformer::again(arithmetic, model.sizes, &[2], kept.clone()).is_none());
                let cut = Kept { numbers: shorter(&kept.numbers), ..kept };
                assert!(Transformer::again(arithmetic, model.sizes, &model.order, cut).is_none());
            }
        }
    }

    fn shorter(piece: &Piece) -> Piece {
        let pieces = Pieces { panels: &[], table: &[], numbers: piece[..piece.len() - 1].to_vec() };
        lend(&pieces).numbers
    }

    /// If this fails, what older programs kept is read wrongly: raise [`PACKING`], then write the new sums here.
    #[test]
    fn the_layout_is_that_of_its_number() {
        let [_, _, widened, _] = models();
        let sums = ALL.map(|arithmetic| print(&widened.compile(arithmetic).pieces()));
        assert_eq!((PACKING, sums), (7, [10660505400614418581, 1450507223063963699, 17125096156117114690]));
    }
}
