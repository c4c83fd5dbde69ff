use super::*;
use crate::index::testing::{Rng, clustered};
use crate::index::{By, flat, nearest};
use crate::types::{Coded, Dim};

const N: usize = 5000;
const D: usize = 64;

fn dim() -> Dim {
    Dim::new(D).unwrap()
}

fn about(recipe: &str, rows: usize) -> About {
    About { segment: "s".to_owned(), recipe: recipe.parse().unwrap(), rows: rows as u64, dim: dim() }
}

/// Built here and not in a child: that is `tests/it`'s.
fn built(recipe: &str, rows: &[f32]) -> Ann {
    let about = about(recipe, rows.len() / D);
    let mut index = Index::factory(D, &about.recipe.factory()).unwrap();
    index.train(rows).unwrap();
    index.add(rows).unwrap();
    Ann { index, about }
}

fn share(percent: u64, rng: &mut Rng) -> FixedBitSet {
    let mut bits = FixedBitSet::with_capacity(N);
    (0..N).for_each(|i| bits.set(i, rng.below(100) < percent));
    bits
}

/// Of the ten truly nearest rows, how many are found after scoring again.
fn recall(ann: &Ann, rows: &[f32], queries: &[Vector], allowed: &FixedBitSet) -> f64 {
    let mut hits = 0;
    for query in queries {
        let exact = flat::search(rows, dim(), query, 10, allowed);
        let found = ann.search(query, 10, Some(allowed)).unwrap();
        assert!(found.rows.iter().all(|&row| allowed.contains(row as usize)), "only allowed rows");
        if found.starved {
            assert!(matches!(ann.recipe(), Recipe::Hnsw { .. }), "only a graph starves");
            hits += 10; // the flat scan serves
            continue;
        }
        let near = flat::rescore(rows, dim(), query, found.rows);
        hits += near.iter().take(10).filter(|near| exact.contains(near)).count();
    }
    hits as f64 / (10 * queries.len()) as f64
}

#[test]
fn each_recipe_keeps_its_recall_with_and_without_a_filter() {
    let mut rng = Rng(11);
    let rows = clustered(N, D, 60, &mut rng);
    let queries: Vec<Vector> = (0..60)
        .map(|i| {
            let noise = rng.vector(dim());
            let row = &rows[i * 80 * D..][..D];
            Vector::unit(row.iter().zip(noise.as_slice()).map(|(r, n)| r + 0.5 * n).collect(), dim()).unwrap()
        })
        .collect();
    for (recipe, bound) in [
        ("IVF64,Flat", 0.95),
        ("IVF64,PQ16", 0.95),
        ("IVF64,PQ32x4", 0.95),
        ("IVF64,SQ8", 0.95),
        ("HNSW32", 0.97),
    ] {
        let ann = built(recipe, &rows);
        for percent in [100, 50, 10, 1] {
            let got = recall(&ann, &rows, &queries, &share(percent, &mut rng));
            println!("{recipe} {percent} %: recall@10 {got:.3}");
            assert!(got >= bound, "{recipe} with {percent} % allowed: recall@10 is {got}");
        }
    }
}

#[test]
fn all_allowed_rows_are_found_when_few_or_all_are_wanted() {
    let mut rng = Rng(12);
    let rows = clustered(N, D, 60, &mut rng);
    let query = rng.vector(dim());
    for recipe in ["IVF64,Flat", "IVF64,PQ16", "IVF64,SQ8"] {
        let ann = built(recipe, &rows);
        let few: FixedBitSet = [3, 777, 4999].into_iter().collect();
        let mut found = ann.search(&query, 10, Some(&few)).unwrap();
        found.rows.sort();
        assert_eq!(found, Candidates { rows: vec![3, 777, 4999], starved: false }, "{recipe}");
        assert_eq!(ann.search(&query, 2 * N, None).unwrap().rows.len(), N, "{recipe}");
        let none = Candidates { rows: vec![], starved: false };
        assert_eq!(ann.search(&query, 10, Some(&FixedBitSet::with_capacity(N))).unwrap(), none);
        assert_eq!(ann.search(&query, 0, None).unwrap(), none);
    }
}

#[test]
fn the_answer_names_what_searched_and_is_exact_under_a_narrow_filter() {
    let mut rng = Rng(13);
    let rows = clustered(N, D, 60, &mut rng);
    let query = rng.vector(dim());
    for recipe in ["IVF64,Flat", "HNSW16"] {
        let ann = built(recipe, &rows);
        let ask = |allowed: &FixedBitSet, k| nearest(&rows, dim(), Some(&ann), &query, k, allowed);
        let all = share(100, &mut rng);
        let found = ask(&all, 10);
        assert_eq!((found.by, found.near.len()), (By::Index(ann.recipe()), 10));
        assert_eq!(found.near, flat::rescore(&rows, dim(), &query, found.near.iter().map(|n| n.row)));
        let narrow = share(30, &mut rng);
        for (allowed, k) in [(&narrow, 10), (&all, 4000)] {
            let found = ask(allowed, k);
            assert_eq!(found.by, By::Flat);
            assert_eq!(found.near, flat::search(&rows, dim(), &query, k, allowed));
        }
        // An index of other rows is passed over.
        let more = clustered(N + 1, D, 60, &mut rng);
        let mut bits = FixedBitSet::with_capacity(N + 1);
        bits.insert_range(..);
        assert_eq!(nearest(&more, dim(), Some(&ann), &query, 10, &bits).by, By::Flat);
    }
}

#[test]
fn a_damaged_file_is_never_handed_to_faiss() {
    let mut rng = Rng(14);
    let rows = clustered(1000, D, 60, &mut rng);
    let dir = tempfile::tempdir().unwrap();
    for recipe in ["IVF16,Flat", "HNSW16"] {
        let about = about(recipe, 1000);
        let path = dir.path().join(about.file_name());
        built(recipe, &rows).index.write(&path).unwrap();
        seal::seal(&path, &about).unwrap();
        let ann = Ann::open(&path, &about).unwrap();
        let query = rng.vector(dim());
        assert_eq!(
            ann.search(&query, 10, None).unwrap(),
            built(recipe, &rows).search(&query, 10, None).unwrap()
        );

        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(997) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x10;
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Ann::open(&path, &about).err().unwrap().code(), "index.damaged", "{recipe} byte {at}");
        }
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert_eq!(Ann::open(&path, &about).err().unwrap().code(), "index.damaged");
    }
    // Sealed, but none of Faiss' own.
    let about = about("HNSW32", 1000);
    let path = dir.path().join(about.file_name());
    std::fs::write(&path, b"no index").unwrap();
    seal::seal(&path, &about).unwrap();
    let err = Ann::open(&path, &about).err().unwrap();
    assert!(err.code() == "index.faiss" && err.rebuild(), "{err}");
}

#[test]
fn one_index_serves_many_threads_with_different_filters() {
    let mut rng = Rng(15);
    let rows = clustered(N, D, 60, &mut rng);
    let queries: Vec<Vector> = (0..8).map(|_| rng.vector(dim())).collect();
    let filters: Vec<FixedBitSet> = [100, 60, 20, 5].map(|p| share(p, &mut rng)).into();
    for recipe in ["IVF64,SQ8", "HNSW16"] {
        let ann = built(recipe, &rows);
        let ask = |at: usize| ann.search(&queries[at % 8], 10, Some(&filters[at % 4])).unwrap();
        let want: Vec<Candidates> = (0..8).map(ask).collect();
        std::thread::scope(|scope| {
            for from in 0..6 {
                let (ask, want) = (&ask, &want);
                scope.spawn(move || (from..from + 40).for_each(|at| assert_eq!(ask(at), want[at % 8])));
            }
        });
    }
}
