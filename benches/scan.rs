//! Milliseconds per query of the flat scan, beside Faiss' own flat index: `cargo bench --bench scan [rows dim]`.
//! Prints medians of interleaved runs; memory speed differs between machines more than kernels do.

use std::time::Instant;

use fixedbitset::FixedBitSet;
use simile::index::{faiss_usable, flat};
use simile::types::{Dim, Vector};
use simile_compute::{Isa, TopK, scan};
use simile_faiss::{Index, SearchParams};

const TURNS: usize = 15;
const K: usize = 10;
const BLOCK: usize = 64;
const MANY: usize = 64;

fn main() {
    let sizes: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let (n, d) = match sizes[..] {
        [n, d] => (n, d),
        _ => (100_000, 768),
    };
    let dim = Dim::new(d).expect("a dimension is at least 1");
    let rows = vectors(n, dim, 1).concat();
    let queries: Vec<Vector> =
        vectors(MANY, dim, 2).into_iter().map(|v| Vector::unit(v, dim).expect("unit")).collect();
    let block: Vec<f32> = queries.iter().flat_map(|q| q.as_slice()).copied().collect();
    let mut all = FixedBitSet::with_capacity(n);
    all.insert_range(..);
    println!("{n} x {d} f32, top {K}, best ISA {}, {} scan threads", Isa::best(), flat::threads());

    let mut cases: Vec<Case> = Vec::new();
    for isa in Isa::available() {
        let (rows, query) = (&rows, queries[0].as_slice());
        cases.push((format!("{isa}, 1 query, 1 thread"), Box::new(move || one_thread(isa, query, rows))));
    }
    cases.push((
        format!("flat::search, 1 query, {} threads", flat::threads()),
        Box::new(|| drop(flat::search(&rows, dim, &queries[0], K, &all))),
    ));
    cases.push((
        format!("flat::search_many, {MANY} queries, {} threads", flat::threads()),
        Box::new(|| drop(flat::search_many(&rows, dim, &queries, K, &all))),
    ));
    if faiss_usable() {
        let index = std::rc::Rc::new(faiss(&rows, d));
        let many = (index.clone(), block.as_slice());
        let one = queries[0].as_slice();
        cases.push(("Faiss IndexFlatIP, 1 query, 1 thread".to_owned(), Box::new(move || ask(&index, one))));
        cases.push((
            format!("Faiss IndexFlatIP, {MANY} queries, 1 thread"),
            Box::new(move || ask(&many.0, many.1)),
        ));
    }
    measure(&mut cases);
}

/// What is measured, and one run of it.
type Case<'a> = (String, Box<dyn FnMut() + 'a>);

fn measure(cases: &mut [Case]) {
    let mut times = vec![Vec::new(); cases.len()];
    for turn in 0..=TURNS {
        for ((_, run), times) in cases.iter_mut().zip(&mut times) {
            let start = Instant::now();
            run();
            // The first turn warms caches and threads.
            times.extend((turn > 0).then(|| start.elapsed().as_secs_f64() * 1e3));
        }
    }
    for ((name, _), mut times) in cases.iter().zip(times) {
        times.sort_by(f64::total_cmp);
        println!("{:>9.2} ms median, {:>9.2} best  {name}", times[TURNS / 2], times[0]);
    }
}

fn one_thread(isa: Isa, query: &[f32], rows: &[f32]) {
    let (mut best, mut scores) = (TopK::new(K), [0.0; BLOCK]);
    for (at, rows) in rows.chunks(BLOCK * query.len()).enumerate() {
        let scores = &mut scores[..rows.len() / query.len()];
        scan::dots(isa, query, rows, scores);
        best.offer((at * BLOCK) as u32, scores);
    }
    std::hint::black_box(best.into_sorted());
}

fn faiss(rows: &[f32], d: usize) -> Index {
    let mut index = Index::factory(d, "Flat").expect("Flat is known");
    index.add(rows).expect("whole rows");
    index
}

fn ask(index: &Index, queries: &[f32]) {
    std::hint::black_box(index.search(queries, K, &SearchParams::default()).expect("whole queries"));
}

fn vectors(n: usize, dim: Dim, mut seed: u64) -> Vec<Vec<f32>> {
    let mut next = || {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let mut row = || (0..dim.get()).map(|_| next()).collect();
    (0..n).map(|_| Vector::unit(row(), dim).expect("not all zeros").into_inner()).collect()
}
