//! Where maps lie: borders and tails, and which maps share memory.

use super::map::{Map, Store};
use super::numbers::MapNumber;
use super::plan::{Builder, Node};
use super::pooled;

/// Numbers at most of a map that is kept twice: two bytes each of a larger one do not stay in the cache.
const TWICE: usize = 512 * 1024;

impl Builder {
    /// What maps are stored as. In int8, maps that no product reads are wide, and mean what they hold; what is read and later
    /// added is both, unless it is large: errors of what is added live on in all sums behind. What becomes of the photo first is fine: all else
    /// depends on it, and its products are few.
    pub(super) fn stores<N: MapNumber>(&self) -> Vec<Store> {
        let mut stores = vec![Store::Plain; self.maps.len()];
        if !N::QUANTISED {
            return stores;
        }
        for node in &self.nodes {
            match *node {
                Node::Conv { to, .. } if !self.is_read(to) => stores[to] = Store::Wide,
                Node::Conv { to, .. } if self.is_added(to) && self.numbers(to) <= TWICE => {
                    stores[to] = Store::Both
                }
                Node::Conv { from: 0, to, relu: true, .. } if self.can_be_fine(to) => {
                    stores[to] = Store::Fine
                }
                Node::Conv { .. } => {}
                Node::MaxPool { from, to } => stores[to] = stores[from],
            }
        }
        stores
    }

    /// Whether a product or a pool reads the map.
    fn is_read(&self, map: usize) -> bool {
        let read = |node: &Node| matches!(*node, Node::Conv { from, .. } | Node::MaxPool { from, .. } if from == map);
        self.nodes.iter().any(read)
    }

    fn numbers(&self, map: usize) -> usize {
        let (height, width, channels) = self.maps[map];
        height * width * channels
    }

    fn is_added(&self, map: usize) -> bool {
        self.nodes.iter().any(|node| matches!(*node, Node::Conv { add: Some(add), .. } if add == map))
    }

    /// Whether all that reads the map looks at single pixels, or pools it for such.
    fn can_be_fine(&self, map: usize) -> bool {
        self.is_read(map)
            && self.nodes.iter().all(|node| match *node {
                Node::Conv { layer, from, add, .. } => add != Some(map) && (from != map || layer.kernel == 1),
                Node::MaxPool { from, to } => from != map || self.can_be_fine(to),
            })
    }

    /// A border wherever a kernel looks past the edge; maps that are added have the geometry of the sum.
    pub(super) fn lay_out<N: MapNumber>(&self) -> Vec<Map> {
        let mut borders = vec![0; self.maps.len()];
        let mut tails = vec![0; self.maps.len()];
        for node in &self.nodes {
            match *node {
                Node::MaxPool { from, .. } => borders[from] = borders[from].max(1),
                Node::Conv { layer, from, to, .. } => {
                    borders[from] = borders[from].max(layer.kernel / 2);
                    if let Some(form) = self.winograd::<N>(node) {
                        let (h, w, _) = self.maps[to];
                        let past = |n: usize| n.next_multiple_of(form.side) - n;
                        tails[from] = tails[from].max(past(h)).max(past(w));
                    }
                }
            }
        }
        loop {
            let before = (borders.clone(), tails.clone());
            for node in &self.nodes {
                if let Node::Conv { to, add: Some(add), .. } = *node {
                    let (border, tail) = (borders[to].max(borders[add]), tails[to].max(tails[add]));
                    (borders[to], borders[add], tails[to], tails[add]) = (border, border, tail, tail);
                }
            }
            if before == (borders.clone(), tails.clone()) {
                break;
            }
        }
        let stores = self.stores::<N>();
        let map = |(i, &(h, w, c)): (usize, &(usize, usize, usize))| {
            let (height, bands) = if self.is_pooled(i) { (pooled::ROWS, pooled::BANDS) } else { (h, 1) };
            let whole = Map::new::<N::Wide>(height, w, c, borders[i], tails[i]);
            Map { store: stores[i], bands, ..whole }
        };
        self.maps.iter().enumerate().map(map).collect()
    }

    /// Whether the map is made of the photo and nothing but a pool, the next layer, reads it: then it is never whole.
    pub(super) fn is_pooled(&self, map: usize) -> bool {
        let pair = |pair: &[Node]| match *pair {
            [Node::Conv { from: 0, to, add: None, .. }, Node::MaxPool { from, .. }] => {
                to == map && from == map
            }
            _ => false,
        };
        self.nodes.windows(2).any(pair) && self.users(map) == 1
    }

    /// Which piece of memory each map lies in that is written. Only maps of one geometry share one, so that borders stay zero. A
    /// sum takes the place of what is added for the last time, number by number: that is near already.
    pub(super) fn slots(&self, maps: &[Map]) -> Vec<usize> {
        let mut last_use = vec![usize::MAX; maps.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            match *node {
                Node::MaxPool { from, .. } => last_use[from] = i,
                Node::Conv { from, add, .. } => {
                    last_use[from] = i;
                    match (self.joined(node), add) {
                        (Some((_, other)), _) => last_use[other] = i,
                        (None, Some(add)) => last_use[add] = i,
                        (None, None) => {}
                    }
                }
            }
        }
        let mut slots = vec![0; maps.len()];
        let mut free: Vec<usize> = Vec::new();
        let mut owners = vec![maps[0]];
        for (i, node) in self.nodes.iter().enumerate() {
            let (Node::MaxPool { to, .. } | Node::Conv { to, .. }) = *node;
            if self.is_joined(to) {
                continue;
            }
            let instead = match *node {
                Node::Conv { from, add: Some(add), .. } if add > 0 && add != from && last_use[add] == i => {
                    Some(slots[add]).filter(|&slot| owners[slot] == maps[to])
                }
                _ => None,
            };
            let found = free.iter().position(|&slot| owners[slot] == maps[to]);
            slots[to] = match (instead, found) {
                (Some(slot), _) => slot,
                (None, Some(at)) => free.swap_remove(at),
                (None, None) => {
                    owners.push(maps[to]);
                    owners.len() - 1
                }
            };
            // The input's slot stays its own: its border need not be zero.
            let done = (1..maps.len()).filter(|&m| last_use[m] == i).map(|m| slots[m]);
            free.extend(done.filter(|&slot| instead != Some(slot)));
        }
        slots
    }
}
