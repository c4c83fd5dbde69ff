//! Figures of merit from labels and scores alone. Knows neither encoders nor files.

/// A threshold and how often it is right: a score at or above it says "same".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    pub threshold: f32,
    /// Share of right decisions, 0 to 1, on the pairs that this is told of.
    pub accuracy: f64,
}

/// The threshold that is right most often on these very pairs; of equals the highest. It lies midway between two
/// scores. `None` without pairs.
///
/// # Panics
/// If there are not as many labels as scores.
pub fn best_threshold(same: &[bool], scores: &[f32]) -> Option<Threshold> {
    assert_eq!(same.len(), scores.len(), "one label per score");
    let mut pairs = same.iter().copied().zip(scores.iter().copied()).collect::<Vec<_>>();
    pairs.sort_by(|a, b| b.1.total_cmp(&a.1));
    let first = pairs.first()?.1;
    // Above the highest score nothing is "same", so each different pair is right.
    let mut right = same.iter().filter(|&&same| !same).count();
    let (mut best, mut threshold) = (right, first.next_up());
    for (i, &(same, score)) in pairs.iter().enumerate() {
        right = if same { right + 1 } else { right - 1 };
        let below = pairs.get(i + 1).map(|next| next.1);
        if right > best && below != Some(score) {
            best = right;
            threshold = below.map_or(score, |below| score + (below - score) / 2.0);
        }
    }
    Some(Threshold { threshold, accuracy: best as f64 / pairs.len() as f64 })
}

/// Accuracy of a threshold that was chosen without these pairs.
pub fn accuracy_at(threshold: f32, same: &[bool], scores: &[f32]) -> Option<f64> {
    let right = same.iter().zip(scores).filter(|&(&same, &score)| same == (score >= threshold)).count();
    (!same.is_empty()).then(|| right as f64 / same.len() as f64)
}

/// The threshold that is best on one half of the pairs, with its accuracy on the other half. The halves are drawn by
/// a hash of each pair's place, since files often alternate between their labels. `None` if a half is empty.
///
/// # Panics
/// If there are not as many labels as scores.
pub fn held_out(same: &[bool], scores: &[f32]) -> Option<Threshold> {
    assert_eq!(same.len(), scores.len(), "one label per score");
    let mut halves = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
    for (i, (&same, &score)) in same.iter().zip(scores).enumerate() {
        let half = &mut halves[side(i as u64)];
        half.0.push(same);
        half.1.push(score);
    }
    let [(chosen_same, chosen), (told_same, told)] = &halves;
    let threshold = best_threshold(chosen_same, chosen)?.threshold;
    Some(Threshold { threshold, accuracy: accuracy_at(threshold, told_same, told)? })
}

/// Which half a pair is in, by its place. SplitMix64's finaliser, one bit of it.
pub(super) fn side(place: u64) -> usize {
    let mut z = place.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 63) as usize
}

/// Area under the ROC curve: how often a "same" pair scores above a "different" one, ties counting half. `None`
/// unless both occur.
pub fn auc(same: &[bool], scores: &[f32]) -> Option<f64> {
    let ranks = ranks(scores.iter().map(|&s| f64::from(s)));
    let positive = same.iter().filter(|&&same| same).count();
    let negative = same.len() - positive;
    if positive == 0 || negative == 0 {
        return None;
    }
    let sum = ranks.iter().zip(same).filter(|&(_, &same)| same).map(|(rank, _)| rank).sum::<f64>();
    let lowest = positive as f64 * (positive as f64 + 1.0) / 2.0;
    Some((sum - lowest) / (positive as f64 * negative as f64))
}

/// Spearman's rank correlation, ties by their mean rank, -1 to 1. `None` if either side is constant.
pub fn spearman(labels: &[f64], scores: &[f32]) -> Option<f64> {
    pearson(&ranks(labels.iter().copied()), &ranks(scores.iter().map(|&s| f64::from(s))))
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&a, &b)| f(a - ma, b - mb)).sum::<f64>();
    let spread = (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt();
    (spread > 0.0).then(|| sum(&|a, b| a * b) / spread)
}

/// Ranks from 1, smallest first; equal values share their mean rank.
fn ranks(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values = values.collect::<Vec<_>>();
    let mut order = (0..values.len()).collect::<Vec<_>>();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut at = 0;
    for tied in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = at as f64 + (tied.len() as f64 + 1.0) / 2.0;
        tied.iter().for_each(|&i| ranks[i] = rank);
        at += tied.len();
    }
    ranks
}

/// Share of queries whose first right hit has a rank (from 1) of at most `k`; `None` stands for never found.
pub fn hit_at(k: usize, first_right: &[Option<usize>]) -> Option<f64> {
    mean(first_right.iter().map(|rank| f64::from(u8::from(rank.is_some_and(|rank| rank <= k)))))
}

/// Mean reciprocal rank of the first right hit; a query without one counts 0.
pub fn mrr(first_right: &[Option<usize>]) -> Option<f64> {
    mean(first_right.iter().map(|rank| rank.map_or(0.0, |rank| 1.0 / rank as f64)))
}

/// Share of right ones among the first `k` hits, or among all if there are fewer.
pub fn precision_at(k: usize, right: &[bool]) -> Option<f64> {
    mean(right.iter().take(k).map(|&right| f64::from(u8::from(right))))
}

/// Mean of the precision at each right hit's rank, over all `relevant` items, found or not. `None` if there are none.
pub fn average_precision(right: &[bool], relevant: usize) -> Option<f64> {
    let mut found = 0;
    let mut sum = 0.0;
    for (i, _) in right.iter().enumerate().filter(|&(_, &right)| right) {
        found += 1;
        sum += f64::from(found) / (i + 1) as f64;
    }
    (relevant > 0).then(|| sum / relevant as f64)
}

/// `None` without values.
pub fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: bool = true;
    const F: bool = false;

    #[test]
    fn the_best_threshold_lies_between_scores_and_never_splits_a_tie() {
        let best = best_threshold(&[T, F, T, F], &[0.9, 0.6, 0.8, 0.2]).unwrap();
        assert_eq!((best.accuracy, (0.6..0.8).contains(&best.threshold)), (1.0, true));
        let tied = best_threshold(&[T, F, T, F], &[0.5; 4]).unwrap();
        assert_eq!(tied.accuracy, 0.5);
        let none = best_threshold(&[F, F], &[0.1, 0.3]).unwrap();
        assert_eq!((none.accuracy, none.threshold > 0.3), (1.0, true));
        assert_eq!(best_threshold(&[T, T], &[0.1, 0.3]).unwrap().accuracy, 1.0);
        assert_eq!(best_threshold(&[], &[]), None);
        let best = best_threshold(&[T, F, T, F, F], &[0.9, 0.8, 0.7, 0.6, 0.5]).unwrap();
        assert_eq!(
            accuracy_at(best.threshold, &[T, F, T, F, F], &[0.9, 0.8, 0.7, 0.6, 0.5]),
            Some(best.accuracy)
        );
    }

    #[test]
    fn the_half_that_is_told_had_no_say() {
        // Alternating labels, separable: both halves hold both classes.
        let same = (0..1000).map(|i| i % 2 == 0).collect::<Vec<_>>();
        let scores = same
            .iter()
            .enumerate()
            .map(|(i, &s)| i as f32 * 1e-6 + f32::from(u8::from(s)))
            .collect::<Vec<_>>();
        assert_eq!(held_out(&same, &scores).unwrap().accuracy, 1.0);
        // Labels without any relation to the scores: near one half, and below what hindsight finds.
        let noise = (0..4000u64).map(|i| (i * 7919 % 4001) as f32).collect::<Vec<_>>();
        let same = (0..4000u64).map(|i| (i * i * 31 + i / 3) % 5 < 2).collect::<Vec<_>>();
        let (told, hindsight) = (held_out(&same, &noise).unwrap(), best_threshold(&same, &noise).unwrap());
        assert!(told.accuracy <= hindsight.accuracy + 0.02 && told.accuracy > 0.5, "{told:?} {hindsight:?}");
        assert_eq!(held_out(&[T], &[0.0]), None);
    }

    #[test]
    fn area_and_correlation_agree_with_scipy() {
        assert_eq!(auc(&[F, F, T, T], &[0.1, 0.4, 0.35, 0.8]), Some(0.75));
        assert_eq!(auc(&[F, T, T, F], &[0.5, 0.5, 0.9, 0.1]), Some(0.875));
        assert_eq!(auc(&[T, T], &[0.1, 0.2]), None);
        // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])
        let rho = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap();
        assert!((rho - 0.820_782_681_668_123_3).abs() < 1e-12);
        assert_eq!(spearman(&[1.0, 1.0], &[0.1, 0.2]), None);
        assert_eq!(spearman(&[], &[]), None);
    }

    #[test]
    fn ranking_figures_of_known_lists() {
        let ranks = [Some(1), Some(3), None, Some(2)];
        assert_eq!(hit_at(1, &ranks), Some(0.25));
        assert_eq!(hit_at(5, &ranks), Some(0.75));
        assert_eq!(mrr(&ranks), Some((1.0 + 1.0 / 3.0 + 0.5) / 4.0));
        assert_eq!(mrr(&[]), None);
        assert_eq!(precision_at(2, &[T, F, T]), Some(0.5));
        assert_eq!(precision_at(10, &[T, F]), Some(0.5));
        assert_eq!(average_precision(&[T, F, T, F], 2), Some((1.0 + 2.0 / 3.0) / 2.0));
        assert_eq!(average_precision(&[F, T], 4), Some(0.125));
        assert_eq!(average_precision(&[F], 0), None);
    }
}
