//! Several rankings of the same items become one. Scores of different spaces are never compared: only ranks are.

use std::collections::HashMap;

use serde::Serialize;

use crate::store::ItemId;

/// What of an item answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum By {
    Picture,
    Caption,
    /// Words in its name, folders, tags or caption.
    Words,
}

/// One way in which an item answered: its place in that ranking, and the score there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Match {
    pub by: By,
    /// 1 is the best.
    pub rank: usize,
    /// A cosine; for words the share of the query's words found. Compares with other items' of the same `by` only.
    pub score: f32,
}

/// Items, the best first, each once, with their scores.
pub struct Ranking {
    pub by: By,
    pub found: Vec<(ItemId, f32)>,
}

/// An item in the fused order.
#[derive(Debug, PartialEq)]
pub struct Fused {
    pub item: ItemId,
    /// 1 for an item that is first in every ranking, near 0 for one that is far down in one of them.
    pub score: f32,
    /// In the order of the rankings.
    pub matches: Vec<Match>,
}

/// Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009, with their k of 60): an item's score is the sum of
/// 1 / (60 + rank) over the rankings that have it, scaled to 1. Ties by item.
pub fn fuse(rankings: &[Ranking]) -> Vec<Fused> {
    const K: f64 = 60.0;
    let full = rankings.len() as f64 / (K + 1.0);
    let mut sums: HashMap<ItemId, (f64, Vec<Match>)> = HashMap::new();
    for ranking in rankings {
        for (i, &(item, score)) in ranking.found.iter().enumerate() {
            let (sum, matches) = sums.entry(item).or_default();
            *sum += 1.0 / (K + (i + 1) as f64);
            matches.push(Match { by: ranking.by, rank: i + 1, score });
        }
    }
    let mut fused: Vec<(f64, Fused)> = sums
        .into_iter()
        .map(|(item, (sum, matches))| (sum, Fused { item, score: (sum / full) as f32, matches }))
        .collect();
    fused.sort_by(|(x, a), (y, b)| y.total_cmp(x).then(a.item.cmp(&b.item)));
    fused.into_iter().map(|(_, fused)| fused).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_and_scores_do_not() {
        let ranking = |by, found: &[(i64, f32)]| Ranking {
            by,
            found: found.iter().map(|&(item, score)| (ItemId(item), score)).collect(),
        };
        // Item 2 is second twice; 1 and 3 are first once and absent once, with scores beyond any of the other's.
        let picture = ranking(By::Picture, &[(1, 0.99), (2, 0.98), (4, 0.97)]);
        let caption = ranking(By::Caption, &[(3, 0.2), (2, 0.1)]);
        let fused = fuse(&[picture, caption]);
        assert_eq!(fused.iter().map(|f| f.item.0).collect::<Vec<_>>(), [2, 1, 3, 4]);
        assert_eq!(
            fused[0].matches,
            [Match { by: By::Picture, rank: 2, score: 0.98 }, Match { by: By::Caption, rank: 2, score: 0.1 }]
        );
        assert!(fused[0].score < 1.0 && fused[1].score == fused[2].score && fused[1].score > 0.49);
        let both = fuse(&[ranking(By::Picture, &[(7, 0.3)]), ranking(By::Caption, &[(7, 0.1)])]);
        assert!((both[0].score - 1.0).abs() < 1e-6);
        assert!(fuse(&[]).is_empty());
    }
}
