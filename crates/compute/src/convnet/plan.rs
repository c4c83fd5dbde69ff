//! A network as it is told: layers over maps, in order.

/// Colours of a pixel.
pub(super) const COLOURS: usize = 3;

/// A square convolution, padded so that only the stride makes the map smaller, with a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    pub from: usize,
    pub to: usize,
    /// Odd.
    pub kernel: usize,
    pub stride: usize,
}

/// A map of the network that is being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapId(pub(super) usize);

#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Conv { layer: Layer, from: usize, to: usize, add: Option<usize>, relu: bool },
    MaxPool { from: usize, to: usize },
}

/// A network as it is told, layer by layer.
#[derive(Debug)]
pub struct Builder {
    /// Height, width, channels.
    pub(super) maps: Vec<(usize, usize, usize)>,
    pub(super) nodes: Vec<Node>,
}

/// Bytes of a pixel become `(byte / 255 - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalise {
    pub mean: [f32; COLOURS],
    pub std: [f32; COLOURS],
}

impl Builder {
    /// Photos of `height × width` pixels.
    pub fn new(height: usize, width: usize) -> Self {
        Self { maps: vec![(height, width, COLOURS)], nodes: Vec::new() }
    }

    pub fn input(&self) -> MapId {
        MapId(0)
    }

    /// A convolution; `add` before the ReLU.
    ///
    /// # Panics
    /// If channels do not fit, or the map to add has another size.
    pub fn conv(&mut self, from: MapId, layer: Layer, add: Option<MapId>, relu: bool) -> MapId {
        let (h, w, c) = self.maps[from.0];
        assert_eq!(c, layer.from, "a layer reads all channels of its map");
        assert!(layer.kernel % 2 == 1 && layer.stride > 0, "an odd kernel");
        let size = (h.div_ceil(layer.stride), w.div_ceil(layer.stride), layer.to);
        assert!(add.is_none_or(|m| self.maps[m.0] == size), "maps of one size are added");
        let to = self.map(size);
        self.nodes.push(Node::Conv { layer, from: from.0, to: to.0, add: add.map(|m| m.0), relu });
        to
    }

    /// The largest of 3×3, every second pixel; of a map after a ReLU.
    pub fn max_pool(&mut self, from: MapId) -> MapId {
        let (h, w, c) = self.maps[from.0];
        let to = self.map((h.div_ceil(2), w.div_ceil(2), c));
        self.nodes.push(Node::MaxPool { from: from.0, to: to.0 });
        to
    }

    fn map(&mut self, size: (usize, usize, usize)) -> MapId {
        self.maps.push(size);
        MapId(self.maps.len() - 1)
    }

    /// How many layers read or add the map.
    pub(super) fn users(&self, map: usize) -> usize {
        let uses = |node: &&Node| match **node {
            Node::Conv { from, add, .. } => from == map || add == Some(map),
            Node::MaxPool { from, .. } => from == map,
        };
        self.nodes.iter().filter(uses).count()
    }

    /// The convolutions in their order.
    pub(super) fn convs(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| matches!(node, Node::Conv { .. }))
    }
}
