//! What readers see: mapped segments, which rows live, whose they are, and the indexes beside them. Never changed once made.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use fixedbitset::FixedBitSet;

use crate::index::{self, Ann, By};
use crate::store::{Committed, Compacted, ItemId, LiveRow, Segment, SegmentId, SpaceRecord, Waste};
use crate::types::{Dim, EncoderName, Score, Vector};

/// Whose vector a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub item: ItemId,
    pub part: u16,
}

/// An item found by its best part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    pub item: ItemId,
    pub part: u16,
    pub score: Score,
}

/// One segment as a reader sees it.
#[derive(Clone)]
pub struct SegmentView {
    segment: Arc<Segment>,
    live: FixedBitSet,
    owners: Arc<Vec<Option<Owner>>>,
    ann: Option<Arc<Ann>>,
}

/// All segments of a collection's space at one moment.
#[derive(Clone, Default)]
pub struct Snapshot {
    bound: Option<Arc<Bound>>,
    segments: Vec<SegmentView>,
}

/// Whose vectors a snapshot holds: a question must be encoded by the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    pub encoder: EncoderName,
    pub space: SpaceRecord,
}

impl SegmentView {
    fn new(segment: Arc<Segment>) -> Self {
        let rows = segment.rows() as usize;
        Self {
            segment,
            live: FixedBitSet::with_capacity(rows),
            owners: Arc::new(vec![None; rows]),
            ann: None,
        }
    }

    fn take(&mut self, row: &LiveRow) {
        let at = row.row as usize;
        // A row that the (shorter) file lacks has no place here: its item is listed as lost.
        if at < self.owners.len() {
            Arc::make_mut(&mut self.owners)[at] = Some(Owner { item: row.item, part: row.part });
            self.live.insert(at);
        }
    }

    /// The same view over the segment's newer, longer mapping.
    fn grown(&mut self, segment: Arc<Segment>) {
        let rows = segment.rows() as usize;
        self.live.grow(rows);
        Arc::make_mut(&mut self.owners).resize(rows, None);
        self.segment = segment;
    }

    fn nearest(&self, query: &Vector, depth: usize, allowed: Option<&HashSet<ItemId>>) -> index::Found {
        let segment = &self.segment;
        let filtered = allowed.map(|items| self.allowed_rows(items));
        let bits = filtered.as_ref().unwrap_or(&self.live);
        index::nearest(segment.as_slice(), segment.dim(), self.ann.as_deref(), query, depth, bits)
    }

    fn allowed_rows(&self, items: &HashSet<ItemId>) -> FixedBitSet {
        let mut bits = FixedBitSet::with_capacity(self.owners.len());
        for row in self.live.ones() {
            if self.owners[row].is_some_and(|owner| items.contains(&owner.item)) {
                bits.insert(row);
            }
        }
        bits
    }

    fn owner(&self, row: u32) -> Option<Owner> {
        self.owners.get(row as usize).copied().flatten()
    }
}

impl Snapshot {
    /// The snapshot of a collection as the table tells it.
    pub fn new(bound: Option<Bound>, segments: Vec<Arc<Segment>>, live: &[LiveRow]) -> Self {
        let mut views: Vec<SegmentView> = segments.into_iter().map(SegmentView::new).collect();
        let place: HashMap<SegmentId, usize> =
            views.iter().enumerate().map(|(i, v)| (v.segment.id(), i)).collect();
        for row in live {
            if let Some(&i) = place.get(&row.segment) {
                views[i].take(row);
            }
        }
        Self { bound: bound.map(Arc::new), segments: views }
    }

    /// `None` before the first vector's encoder is settled.
    pub fn bound(&self) -> Option<&Bound> {
        self.bound.as_deref()
    }

    /// The next snapshot: this one with a commit's rows added and its dead rows out.
    pub fn after(&self, commit: &Committed) -> Self {
        let mut next = self.clone();
        next.widen(commit);
        next.settle(commit);
        next
    }

    /// The next snapshot where the commit's new rows are of another space: some of these may have changed hands or died.
    pub fn beside(&self, commit: &Committed) -> Self {
        let mut next = self.clone();
        next.settle(commit);
        next
    }

    fn widen(&mut self, commit: &Committed) {
        for segment in &commit.segments {
            match self.segments.iter_mut().find(|v| v.segment.id() == segment.id()) {
                Some(view) => view.grown(segment.clone()),
                None => self.segments.push(SegmentView::new(segment.clone())),
            }
        }
    }

    fn settle(&mut self, commit: &Committed) {
        for row in &commit.rows {
            if let Some(view) = self.segments.iter_mut().find(|v| v.segment.id() == row.segment) {
                view.take(row);
            }
        }
        for (segment, row) in &commit.dead {
            if let Some(view) = self.segments.iter_mut().find(|v| v.segment.id() == *segment) {
                view.live.set(*row as usize, false);
            }
        }
    }

    /// The next snapshot: what a compaction took out is out, and the copies are in.
    pub fn compacted(&self, done: &Compacted) -> Self {
        let mut next = self.clone();
        next.segments.retain(|view| !done.gone.contains(&view.segment.id()));
        let copies = Self::new(None, done.segments.clone(), &done.rows);
        next.segments.extend(copies.segments);
        next
    }

    /// The same snapshot with an index beside one of its segments; `None` if that segment is gone.
    pub fn with_index(&self, segment: SegmentId, ann: Arc<Ann>) -> Option<Self> {
        let mut next = self.clone();
        next.segments.iter_mut().find(|v| v.segment.id() == segment)?.ann = Some(ann);
        Some(next)
    }

    /// The same snapshot searched flat.
    pub fn without_indexes(&self) -> Self {
        let mut next = self.clone();
        next.segments.iter_mut().for_each(|view| view.ann = None);
        next
    }

    /// The best `want` items, each once by its best part; best first, ties by item. With them, what searched.
    pub fn search(
        &self,
        query: &Vector,
        want: usize,
        allowed: Option<&HashSet<ItemId>>,
    ) -> (Vec<Found>, BTreeSet<By>) {
        let mut depth = want;
        loop {
            let (mut rows, mut used, mut exhausted) = (Vec::new(), BTreeSet::new(), true);
            for view in &self.segments {
                let found = view.nearest(query, depth, allowed);
                used.insert(found.by);
                exhausted &= found.near.len() < depth;
                rows.extend(found.near.iter().filter_map(|n| {
                    let owner = view.owner(n.row)?;
                    Some(Found { item: owner.item, part: owner.part, score: n.score })
                }));
            }
            let found = best_per_item(rows, want);
            if found.len() == want || exhausted {
                return (found, used);
            }
            // Several parts of one item took places; look deeper until enough items are there.
            depth = depth.saturating_mul(2);
        }
    }

    /// An item's vector by part, if it is live.
    pub fn vector(&self, item: ItemId, part: u16) -> Option<Vector> {
        self.segments.iter().find_map(|view| {
            let dim = view.segment.dim();
            let row = view.live.ones().find(|&row| view.owners[row] == Some(Owner { item, part }))?;
            let values = &view.segment.as_slice()[row * dim.get()..][..dim.get()];
            Vector::unit(values.to_vec(), dim).ok()
        })
    }

    /// The items that have a live row.
    pub fn items(&self) -> HashSet<ItemId> {
        let owners = |view: &SegmentView| {
            view.live.ones().filter_map(|row| Some(view.owners[row]?.item)).collect::<Vec<_>>()
        };
        self.segments.iter().flat_map(owners).collect()
    }

    /// Live rows.
    pub fn rows(&self) -> usize {
        self.segments.iter().map(|view| view.live.count_ones(..)).sum()
    }

    /// How many rows the segments hold, and how many of them are nobody's.
    pub fn waste(&self) -> Waste {
        let rows: u64 = self.segments().map(|segment| u64::from(segment.rows())).sum();
        Waste { rows, dead: rows - self.rows() as u64 }
    }

    pub fn dim(&self) -> Option<Dim> {
        self.segments.first().map(|view| view.segment.dim())
    }

    pub fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.segments.iter().map(|view| &view.segment)
    }

    /// What an unfiltered search uses: `Flat`, a recipe, or both where some segments have no index.
    pub fn index_name(&self) -> String {
        let by = |view: &SegmentView| view.ann.as_ref().map_or(By::Flat, |ann| By::Index(ann.recipe()));
        name_of(&self.segments.iter().map(by).collect())
    }
}

/// What searched, in words.
pub fn name_of(used: &BTreeSet<By>) -> String {
    let names: Vec<String> = used.iter().rev().map(By::to_string).collect();
    if names.is_empty() { By::Flat.to_string() } else { names.join(" + ") }
}

fn best_per_item(mut rows: Vec<Found>, want: usize) -> Vec<Found> {
    rows.sort_by(|a, b| b.score.0.total_cmp(&a.score.0).then(a.item.cmp(&b.item)).then(a.part.cmp(&b.part)));
    let mut seen = HashSet::new();
    rows.retain(|found| seen.insert(found.item));
    rows.truncate(want);
    rows
}
