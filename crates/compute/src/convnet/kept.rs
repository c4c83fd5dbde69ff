//! A network in pieces, and whole again: every number beside the panels, in the order in which it was packed.

use super::compile::parts;
use super::net::Net;
use super::numbers::MapNumber;
use super::plan::{Builder, Node, Normalise};
use super::step::{Conv, ConvPanels, ConvWeights, Work};
use super::winograd::Winograd;
use crate::kept::{Kept, Pieces, Reader, Writer};
use crate::matrix::Arena;

impl<N: MapNumber> Net<N> {
    /// What [`Builder::again`] makes the same network of.
    pub fn pieces(&self) -> Pieces<'_> {
        let mut to = Writer::default();
        to.floats(&self.mean_scale);
        for step in &self.steps {
            match &step.work {
                Work::Conv(conv) | Work::Pooled { conv, .. } => {
                    let Conv { bias, scale, residual_scale, .. } = conv;
                    to.floats(bias);
                    to.floats(scale);
                    to.floats(residual_scale);
                }
                Work::Winograd { bias, .. } => to.floats(bias),
                Work::MaxPool => {}
            }
        }
        Pieces { panels: self.arena.panels(), table: &[], numbers: to.0 }
    }
}

impl Builder {
    /// The network of these layers that `kept` is the pieces of. `None` if they are of another network; numbers are not
    /// looked at.
    pub fn again<N: MapNumber>(&self, normalise: Normalise, kept: Kept) -> Option<Net<N>> {
        let Kept { panels, table, numbers } = kept;
        let (mut arena, mut from) = (Arena::kept(panels), Reader(&numbers));
        let channels = self.maps.last()?.2;
        let mean_scale = from.floats(if N::QUANTISED { channels } else { 0 })?;
        let written = |node: &&Node| !matches!(**node, Node::Conv { to, .. } if self.is_joined(to));
        let convs = self.convs().filter(written).map(|node| self.read(node, &mut arena, &mut from));
        let convs = convs.collect::<Option<Vec<_>>>()?;
        from.end()?;
        let whole = arena.is_full() && table.is_empty();
        whole.then(|| self.assemble(normalise, self.lay_out::<N>(), mean_scale, arena, convs))
    }

    fn read<N: MapNumber>(
        &self,
        node: &Node,
        arena: &mut Arena,
        from: &mut Reader<'_>,
    ) -> Option<ConvWeights<N>> {
        let Node::Conv { layer, from: map, add, .. } = *node else { return None };
        let bias = from.floats(layer.to)?;
        Some(match self.winograd::<N>(node) {
            Some(form) => ConvWeights {
                panels: ConvPanels::Winograd(Winograd::place(arena, form, (layer.from, layer.to))?),
                bias,
                scale: Vec::new(),
                residual_scale: Vec::new(),
            },
            None => ConvWeights {
                panels: ConvPanels::Direct(arena.place(
                    layer.to,
                    layer.kernel * parts::<N>(map),
                    self.tap::<N>(node).len(),
                )?),
                bias,
                scale: from.floats(if N::QUANTISED { layer.to } else { 0 })?,
                residual_scale: from.floats(
                    if N::QUANTISED && add.is_some() && self.joined(node).is_none() { layer.to } else { 0 },
                )?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NORMALISE, build, builder, networks};
    use super::*;
    use crate::kept::PACKING;
    use crate::kept::testing::{lend, print};
    use crate::number::{B16, F32, U8S8};
    use crate::{Isa, Pool};

    /// The sum over all of what is kept.
    fn comes_back<N: MapNumber>() -> u64 {
        let mut sum = 0;
        for (h, w, told) in networks() {
            let builder = builder(h, w, &told);
            let made = build::<N>(h, w, &told);
            let kept = lend(&made.pieces());
            let again = builder.again::<N>(NORMALISE, kept.clone()).unwrap();
            let photo: Vec<u8> = (0..h * w * 3).map(|i| (i * 7919 % 251) as u8).collect();
            let run = |net: &Net<N>| net.run(Isa::current(), &Pool::new(1), &[&photo]);
            assert_eq!(run(&made), run(&again), "{} of {h} x {w}", N::NAME);
            assert_eq!(print(&made.pieces()), print(&again.pieces()));
            sum ^= print(&made.pieces());

            // Pieces of another network are none of this one.
            let cut = Kept { numbers: kept.table.clone(), ..kept.clone() };
            assert!(builder.again::<N>(NORMALISE, cut).is_none());
            let cut = Kept { panels: kept.table.clone(), ..kept };
            assert!(builder.again::<N>(NORMALISE, cut).is_none());
        }
        sum
    }

    /// If a sum differs, what older programs kept is read wrongly: raise [`PACKING`], then write the new sums here.
    #[test]
    fn a_network_comes_back_to_the_bit_and_is_laid_out_as_its_number_says() {
        let sums = [comes_back::<F32>(), comes_back::<B16>(), comes_back::<U8S8>()];
        assert_eq!((PACKING, sums), (7, [13813008300278648499, 7424992418247691748, 7579581496722661494]));
    }
}
