//! Every disk that a crash can leave: the steps of a run are recorded, each prefix of them is laid out as a disk that
//! kept all, only what was synced, or half of the last write; then it is opened and compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::captions::{begin_captions, captions, in_other, in_words, told_both, words};
use super::switch::{begin, expected_wide, fill_all, in_both, wide_vector};
use super::*;

mod disk;

use disk::{Disk, Keeps, Step, database, recorder};

type Model = BTreeMap<String, (u32, u32)>;

/// What was acknowledged.
#[derive(Clone, Default)]
struct Truth {
    model: Model,
    blobs: BTreeSet<ContentId>,
    /// By key: what is told of it, and the seed of that's vector.
    captions: BTreeMap<String, (String, u32)>,
    /// The captions have been switched to the other space.
    told_wide: bool,
    /// The collection has been switched to the other space.
    wide: bool,
}

impl Truth {
    fn seen(&self) -> BTreeMap<String, (String, Vec<Vec<f32>>)> {
        if self.wide { expected_wide(&self.model) } else { expected(&self.model) }
    }

    /// What `captions` shows.
    fn told(&self) -> Vec<(String, String, Vec<f32>)> {
        let told = |(key, (text, seed)): (&String, &(String, u32))| {
            let x = *seed as f32;
            let vector = if self.told_wide { in_other(x) } else { in_words(x) };
            (key.clone(), text.clone(), vector.into_inner())
        };
        self.captions.iter().map(told).collect()
    }
}

struct Run {
    steps: Vec<Step>,
    /// The database before the first step and behind the last.
    last: Vec<(PathBuf, Vec<u8>)>,
    /// How many steps were done at each acknowledgement, and what was true then.
    acknowledged: Vec<(usize, Truth)>,
    id: CollectionId,
    captions_compacted: u32,
}

/// Chances from a seed, the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as u32) % n
    }
}

/// A run of changes while it is recorded.
struct Running {
    store: Store,
    id: CollectionId,
    steps: Arc<Mutex<Vec<Step>>>,
    truth: Truth,
    acknowledged: Vec<(usize, Truth)>,
    dice: Dice,
    seed: u32,
    captions_compacted: u32,
}

impl Running {
    fn acknowledge(&mut self) {
        let done = self.steps.lock().unwrap().len();
        self.acknowledged.push((done, self.truth.clone()));
    }

    /// Adds or replaces up to three items, and deletes up to two.
    fn change(&mut self) {
        let mut batch = Batch::default();
        for _ in 0..self.dice.below(3) {
            let name = format!("k{}", self.dice.below(8));
            batch.deletes.push(key(&name));
            self.truth.model.remove(&name);
            self.truth.captions.remove(&name);
        }
        for _ in 0..=self.dice.below(3) {
            self.seed += 10;
            let (name, parts) = (format!("k{}", self.dice.below(8)), self.dice.below(4));
            batch.upserts.push(in_both(&name, self.seed, parts));
            self.truth.model.insert(name, (self.seed, parts));
        }
        self.store.commit(self.id, &batch).unwrap();
        self.acknowledge();
    }

    /// The same items once more.
    fn import_again(&mut self) {
        let again =
            self.truth.model.iter().map(|(name, &(seed, parts))| in_both(name, seed, parts)).collect();
        self.store.commit(self.id, &upsert(again)).unwrap();
        self.acknowledge();
    }

    /// Tells up to three of the items something; one of them twice, so that a row dies at once.
    fn describe(&mut self) {
        let names: Vec<String> =
            self.truth.model.keys().take(1 + self.dice.below(3) as usize).cloned().collect();
        for name in names.iter().chain(names.first()) {
            self.seed += 10;
            let text = format!("caption {}", self.seed);
            self.store.describe(self.id, &[told_both(name, &text, self.seed as f32)]).unwrap();
            self.truth.captions.insert(name.clone(), (text, self.seed));
            self.acknowledge();
        }
    }

    fn seal(&mut self) {
        if let Some(last) = self.store.segments(self.id).unwrap().pop() {
            self.store.seal(last.id()).unwrap();
        }
    }

    /// Sometimes with a commit between copying and swapping, sometimes never swapped.
    fn compact(&mut self) {
        for field in Field::ALL {
            self.compact_one(field);
        }
    }

    fn compact_one(&mut self, field: Field) {
        let Some(copies) = self.store.compact(self.id, field).unwrap() else { return };
        let how = self.dice.below(3);
        if how == 0 {
            self.change();
        }
        if how < 2 {
            self.captions_compacted += u32::from(field == Field::Captions);
            self.store.install(copies).unwrap().unwrap();
            self.store.sweep();
        }
        self.acknowledge();
    }

    /// Fills the other space beside, with a commit meanwhile, and swaps; or gives up. A second time there is nothing to do.
    fn switch(&mut self) {
        if self.truth.wide {
            return;
        }
        begin(&self.store, self.id).unwrap();
        if self.dice.below(2) == 0 {
            self.change();
        }
        fill_all(&self.store, self.id);
        if self.dice.below(4) == 0 {
            assert!(self.store.cancel_switch(self.id, Field::Own).unwrap());
        } else {
            self.store.swap(self.id, Field::Own).unwrap();
            self.truth.wide = true;
        }
        self.acknowledge();
    }

    /// The same for the captions.
    fn switch_captions(&mut self) {
        if self.truth.told_wide {
            return;
        }
        begin_captions(&self.store, self.id).unwrap();
        if self.dice.below(2) == 0 {
            self.describe();
        }
        let lacking = self.store.lacking_beside(self.id, Field::Captions).unwrap();
        let vectors = lacking.into_iter().map(|part| {
            let item = self.store.items(&[part.item]).unwrap().remove(0);
            (part, in_other(self.truth.captions[item.key.as_str()].1 as f32))
        });
        let vectors: Vec<_> = vectors.collect();
        self.store.fill_beside(self.id, Field::Captions, "words-2", &vectors).unwrap();
        if self.dice.below(4) == 0 {
            assert!(self.store.cancel_switch(self.id, Field::Captions).unwrap());
        } else {
            self.store.swap(self.id, Field::Captions).unwrap();
            self.truth.told_wide = true;
        }
        self.acknowledge();
    }

    fn blob(&mut self) {
        self.seed += 1;
        let blob = self.store.put_blob(format!("blob {}", self.seed).as_bytes()).unwrap();
        self.truth.blobs.insert(blob);
        self.acknowledge();
    }
}

/// A random sequence of everything that writes.
fn record(seed: u64) -> Run {
    let data = folder();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let mut store = Store::open(data.path(), Access::Write).unwrap();
    let id = collection(&store);
    store.set_caption_encoder(id, &"words".parse().unwrap(), &words()).unwrap();
    store.io.hook = Some(recorder(data.path().to_owned(), steps.clone()));
    store.segment_bytes = Segment::HEADER_BYTES + 60;
    let (truth, dice) = (Truth::default(), Dice(seed));
    let mut run =
        Running { store, id, steps, truth, acknowledged: Vec::new(), dice, seed: 0, captions_compacted: 0 };
    run.acknowledge();
    run.change();
    run.describe();
    for _ in 0..10 {
        match run.dice.below(14) {
            0..3 => run.change(),
            10..12 => run.describe(),
            12.. => run.switch_captions(),
            3 => run.import_again(),
            4 => run.seal(),
            5..8 => run.compact(),
            8 => run.switch(),
            _ => run.blob(),
        }
    }
    let last = database(data.path());
    let steps = run.steps.lock().unwrap().clone();
    Run { steps, last, acknowledged: run.acknowledged, id, captions_compacted: run.captions_compacted }
}

/// Every sequence is cut at every step, three ways.
const SEQUENCES: u64 = 6;

#[test]
fn after_any_crash_all_that_was_acknowledged_is_there() {
    let (mut removed, mut switched, mut told_wide, mut compacted, mut cuts) = (0, 0, 0, 0, 0);
    for seed in 0..SEQUENCES {
        let run = record(seed);
        removed += run.steps.iter().filter(|step| matches!(step, Step::Remove(_))).count();
        let last = &run.acknowledged.last().expect("it was acknowledged").1;
        switched += usize::from(last.wide);
        told_wide += usize::from(last.told_wide);
        compacted += run.captions_compacted;
        cuts += 3 * (run.steps.len() + 1);
        for done in 0..=run.steps.len() {
            let mut disk = Disk::default();
            run.steps[..done].iter().for_each(|step| disk.apply(step));
            let later = run.steps[done..].iter().find_map(|step| match step {
                Step::Commit(files) => Some(files),
                _ => None,
            });
            for keeps in [Keeps::All, Keeps::Synced, Keeps::Halves] {
                let data = folder();
                for (path, bytes) in later.unwrap_or(&run.last) {
                    fs::write(data.path().join(path), bytes).unwrap();
                }
                disk.lay_out(keeps, data.path());
                check(&run, done, data.path(), &format!("sequence {seed}, {keeps:?} after step {done}"));
            }
        }
    }
    println!(
        "{cuts} cuts in {SEQUENCES} sequences; {removed} files removed, {switched} switched, captions compacted {compacted} times, switched {told_wide}"
    );
    assert!(
        removed > 3 && switched > 1 && compacted > 2 && told_wide > 1,
        "the sequences compact and switch, too"
    );
}

fn check(run: &Run, done: usize, data: &Path, what: &str) {
    let (_, before) = run.acknowledged.iter().rev().find(|(at, _)| *at <= done).unwrap();
    // A commit that was not acknowledged yet may have come true, whole.
    let after = run.acknowledged.iter().find(|(at, _)| *at > done).map_or(before, |(_, truth)| truth);
    for access in [Access::Read, Access::Write] {
        let store = Store::open(data, access).unwrap();
        let found = (seen(&store, run.id), captions(&store, run.id));
        let may = [before, after].map(|truth| (truth.seen(), truth.told()));
        assert!(may.contains(&found), "{what}: {found:?}");
        assert!(store.lost_vectors(run.id).unwrap().is_empty(), "{what}");
        for blob in &before.blobs {
            let bytes = fs::read(store.blob_path(blob)).unwrap();
            assert_eq!(ContentId::of(&bytes), *blob, "{what}");
        }
        if access == Access::Write {
            assert_eq!(store.check().unwrap(), [""; 0], "{what}");
            assert_eq!(super::compact::files(data), super::compact::named(&store), "{what}");
        }
    }
    // And it goes on from there.
    let store = Store::open(data, Access::Write).unwrap();
    store.commit(run.id, &upsert(vec![in_both("next", 500, 1)])).unwrap();
    let next = &seen(&store, run.id)["next"].1;
    assert!(*next == [vector(500).into_inner()] || *next == [wide_vector(500).into_inner()], "{what}");
    assert!(fs::read_dir(data.join("blobs/tmp")).map_or(0, Iterator::count) == 0, "{what}");
}
