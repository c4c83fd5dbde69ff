//! A batch cut into passes.

/// Tokens of a pass of one thread, if no text has more.
const PASS: usize = 192;
/// Tokens per thread from which on threads take passes of their own, if there are texts enough.
const ALONE: usize = 48;

/// `(from, until)`: passes of about as many tokens each, at most [`PASS`] where the texts allow it.
pub(super) fn cut(texts: &[&[u32]], threads: usize) -> Vec<(usize, usize)> {
    let tokens: usize = texts.iter().map(|t| t.len()).sum();
    let mut count = tokens.div_ceil(PASS).max(1);
    if tokens >= threads * ALONE {
        count = count.next_multiple_of(threads);
    }
    let (mut passes, mut from, mut seen) = (Vec::with_capacity(count), 0, 0);
    for (i, text) in texts.iter().enumerate() {
        // The middle of a text says which pass it is of.
        let of = |at: usize| (2 * at + text.len()) * count / (2 * tokens);
        if i > from && of(seen) > passes.len() {
            passes.push((from, i));
            from = i;
        }
        seen += text.len();
    }
    if from < texts.len() {
        passes.push((from, texts.len()));
    }
    passes
}

/// Whether `threads` that each take the next pass are done at about the same time.
pub(super) fn even(texts: &[&[u32]], passes: &[(usize, usize)], threads: usize) -> bool {
    let mut busy = vec![0; threads];
    for &(from, until) in passes {
        let first = busy.iter_mut().min().expect("a thread");
        *first += texts[from..until].iter().map(|t| t.len()).sum::<usize>();
    }
    let (most, all) = (busy.iter().max().expect("a thread"), busy.iter().sum::<usize>());
    most * threads * 8 <= all * 9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_hold_every_text_once_and_are_of_like_size() {
        let of = |lengths: &[usize], threads| {
            let ids = [7u32; 512];
            let texts: Vec<&[u32]> = lengths.iter().map(|&n| &ids[..n]).collect();
            cut(&texts, threads)
        };
        assert_eq!(of(&[], 2), []);
        assert_eq!(of(&[512], 2), [(0, 1)]);
        assert_eq!(of(&[16, 16], 2), [(0, 2)], "too few tokens for a thread alone");
        assert_eq!(of(&[128, 128], 2), [(0, 1), (1, 2)]);
        let lengths: Vec<usize> = (0..200).map(|i| 1 + i * 37 % 60).collect();
        for threads in [1, 2, 3] {
            let passes = of(&lengths, threads);
            assert!(passes.len().is_multiple_of(threads), "{threads} threads, {} passes", passes.len());
            assert_eq!((passes[0].0, passes[passes.len() - 1].1), (0, 200));
            assert!(passes.windows(2).all(|w| w[0].1 == w[1].0));
            let tokens = |&(from, until): &(usize, usize)| lengths[from..until].iter().sum::<usize>();
            assert!(passes.iter().all(|p| tokens(p) <= PASS + 60), "{threads} threads");
        }
    }
}
