//! What int8 is made with: how far the numbers of every map reach, channel by channel, and what convolutions read at some
//! pixels, as a network in f32 finds them in sample photos.

use super::map::Map;
use super::net::Net;
use super::numbers::{By, MapNumber};
use super::plan::{Builder, Node};
use crate::number::{Bf16, F32};
use crate::{Isa, Pool};

/// Pixels of every photo whose inputs a convolution's weights are rounded by.
const PIXELS: usize = 24;
/// A number without a common divisor with a map's pixels, so that no photo is looked at in the places of the last.
const ELSEWHERE: usize = 37;

/// What a network in f32 made of sample photos.
pub struct Calibration<'a> {
    /// Whom weights are rounded by.
    pub(super) by: By<'a>,
    /// Of every map.
    pub(super) reaches: Vec<Reach>,
    /// Of every convolution.
    pub(super) inputs: Vec<Inputs>,
}

/// How far the numbers of a map reach.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reach {
    /// The smallest of every channel, at most 0.
    pub least: Vec<f32>,
    /// The largest of every channel, at least 0.
    pub most: Vec<f32>,
    /// Numbers seen of every channel.
    pub seen: usize,
}

/// What a convolution reads for one pixel, pixel by pixel; short numbers, there are many.
#[derive(Debug, Default)]
pub(super) struct Inputs(pub Vec<Bf16>);

impl<'a> Calibration<'a> {
    /// Of photos of the network's size, which `net` was made for of this plan, and other pictures, which weights are rounded by
    /// as well but no reach is learnt from.
    ///
    /// # Panics
    /// If a picture has another size.
    pub fn new<'p>(
        plan: &Builder,
        net: &Net<F32>,
        isa: Isa,
        pool: &'a Pool,
        photos: impl IntoIterator<Item = &'p [u8]>,
        others: impl IntoIterator<Item = &'p [u8]>,
    ) -> Self {
        let by = By { isa, pool };
        let reach = |m: &Map| Reach { least: vec![0.0; m.channels], most: vec![0.0; m.channels], seen: 0 };
        let mut all = Self {
            by,
            reaches: net.maps.iter().map(reach).collect(),
            inputs: plan.convs().map(|_| Inputs::default()).collect(),
        };
        let mut space = net.workspace();
        let photos = photos.into_iter().map(|photo| (photo, true));
        let pictures: Vec<_> = photos.chain(others.into_iter().map(|other| (other, false))).collect();
        for (i, &(picture, is_photo)) in pictures.iter().enumerate() {
            assert_eq!(picture.len(), net.pixels(), "a picture of the network's size");
            F32::run_from(net, by, &mut space, picture, 0, &mut |map, values| {
                if is_photo {
                    all.reaches[map].widen(&net.maps[map], values);
                }
                all.look(plan, net, (i, pictures.len()), map, values);
                true
            });
        }
        for node in &plan.nodes {
            if let Node::MaxPool { from, to } = *node
                && plan.is_pooled(from)
            {
                // Seen of no one, but the largest of every channel is among what the pool took.
                all.reaches[from] = all.reaches[to].clone();
            }
        }
        all
    }

    fn look(&mut self, plan: &Builder, net: &Net<F32>, photo: (usize, usize), map: usize, values: &[f32]) {
        for (node, inputs) in plan.convs().zip(&mut self.inputs) {
            if let Node::Conv { layer, from, to, .. } = *node
                && from == map
            {
                let to = (net.maps[to].height, net.maps[to].width);
                inputs.take(&net.maps[map], values, (layer.kernel, layer.stride), to, photo);
            }
        }
    }
}

impl Reach {
    fn widen(&mut self, map: &Map, values: &[f32]) {
        for (y, x) in (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x))) {
            let pixel = &values[map.at(y, x, 0)..][..map.channels];
            for ((least, most), &v) in self.least.iter_mut().zip(&mut self.most).zip(pixel) {
                (*least, *most) = (least.min(v), most.max(v));
            }
        }
        self.seen += map.height * map.width;
    }
}

impl Inputs {
    /// Of some pixels of an output of `height × width`, spread over it; the photo is number `photo` of `photos`.
    fn take(
        &mut self,
        map: &Map,
        values: &[f32],
        (kernel, stride): (usize, usize),
        (height, width): (usize, usize),
        (photo, photos): (usize, usize),
    ) {
        let all = height * width;
        let count = PIXELS.min(all);
        self.0.reserve_exact((photos - photo) * count * kernel * kernel * map.channels);
        for i in 0..count {
            let at = (i * all / count + photo * ELSEWHERE) % all;
            let first = map.at(at / width * stride, at % width * stride, kernel / 2);
            for y in 0..kernel {
                for x in 0..kernel {
                    let pixel = &values[first + y * map.row() + x * map.pixel..][..map.channels];
                    self.0.extend(pixel.iter().map(|&x| Bf16::new(x)));
                }
            }
        }
    }
}

impl std::fmt::Debug for Calibration<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Calibration of {} maps", self.reaches.len())
    }
}
