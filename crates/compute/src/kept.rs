//! A compiled network in pieces that its owner may keep, and what makes it whole again without the weights it was made
//! of. Knows no file: bytes come back as something that lends them, such as a mapping.

use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::Buffer;
use crate::norm::LayerNorm;

/// Raised whenever panels are laid out otherwise, or other numbers are kept beside them: what an older program kept
/// is then packed anew. A test tells when that is due.
pub const PACKING: u32 = 7;

/// Readable bytes that a lender has behind a piece, as behind a [`Buffer`].
pub const TAIL: usize = 256;

/// What pieces lie aligned to.
pub const ALIGN: usize = 64;

/// Bytes that somebody else owns. They must never change while they are lent.
pub type Lender = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// What there is to keep of a network.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    /// The weights of all products, as kernels read them.
    pub panels: &'a [u8],
    /// Rows that are looked up, as they were given; empty without such a table.
    pub table: &'a [f32],
    /// Biases, scales and norms, layer by layer.
    pub numbers: Vec<u8>,
}

/// What was kept, lent by whoever keeps it.
#[derive(Debug, Clone)]
pub struct Kept {
    pub panels: Piece,
    pub table: Piece,
    pub numbers: Piece,
}

/// A part of lent bytes.
#[derive(Clone)]
pub struct Piece {
    lender: Lender,
    range: Range<usize>,
}

impl Piece {
    /// `None` if it is not aligned to [`ALIGN`], or fewer than [`TAIL`] bytes lie behind it.
    pub fn new(lender: Lender, range: Range<usize>) -> Option<Self> {
        let all = (*lender).as_ref();
        let reach = range.end.checked_add(TAIL)?;
        let start = all.get(range.start..reach)?.as_ptr();
        (range.start <= range.end && start.addr().is_multiple_of(ALIGN)).then_some(Self { lender, range })
    }
}

impl Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &(*self.lender).as_ref()[self.range.clone()]
    }
}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Piece of {}", self.range.len())
    }
}

/// Panels of one's own, or lent ones.
#[derive(Debug)]
pub(crate) enum Panels {
    Own(Buffer<u8>),
    Lent(Piece),
}

impl Deref for Panels {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Own(buffer) => buffer,
            Self::Lent(piece) => piece,
        }
    }
}

/// Rows that are looked up: shared where a network is packed twice, or lent.
#[derive(Debug, Clone)]
pub(crate) enum Table {
    Own(Arc<Vec<f32>>),
    Lent(Piece),
}

impl Deref for Table {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        match self {
            Self::Own(values) => values,
            Self::Lent(piece) => {
                let bytes: &[u8] = piece;
                let start = bytes.as_ptr().cast::<f32>();
                assert!(start.is_aligned(), "a piece is aligned");
                // SAFETY: the bytes are borrowed and do not change, the start is aligned, so many floats lie within
                // them, and every bit pattern is an f32.
                unsafe { std::slice::from_raw_parts(start, bytes.len() / size_of::<f32>()) }
            }
        }
    }
}

/// Numbers on their way into a piece.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn count(&mut self, n: usize) {
        self.0.extend_from_slice(&(n as u64).to_ne_bytes());
    }
    pub fn floats(&mut self, values: &[f32]) {
        self.0.extend(values.iter().flat_map(|v| v.to_ne_bytes()));
    }
    pub fn ints(&mut self, values: &[i32]) {
        self.0.extend(values.iter().flat_map(|v| v.to_ne_bytes()));
    }
    pub fn norm(&mut self, norm: &LayerNorm) {
        self.floats(norm.weight());
        self.floats(norm.bias());
        self.floats(&[norm.eps()]);
    }
}

/// The same numbers in the same order; `None` where there are too few.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    fn take<const N: usize, T>(&mut self, n: usize, value: fn([u8; N]) -> T) -> Option<Vec<T>> {
        let (now, rest) = self.0.split_at_checked(n.checked_mul(N)?)?;
        self.0 = rest;
        Some(now.as_chunks().0.iter().map(|&bytes| value(bytes)).collect())
    }
    pub fn count(&mut self) -> Option<usize> {
        usize::try_from(self.take(1, u64::from_ne_bytes)?[0]).ok()
    }
    pub fn floats(&mut self, n: usize) -> Option<Vec<f32>> {
        self.take(n, f32::from_ne_bytes)
    }
    pub fn ints(&mut self, n: usize) -> Option<Vec<i32>> {
        self.take(n, i32::from_ne_bytes)
    }
    pub fn norm(&mut self, dim: usize) -> Option<LayerNorm> {
        Some(LayerNorm::new(self.floats(dim)?, self.floats(dim)?, self.floats(1)?[0]))
    }
    /// That nothing is left.
    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// Pieces as a file would lend them.
    pub fn lend(pieces: &Pieces<'_>) -> Kept {
        let table: Vec<u8> = pieces.table.iter().flat_map(|v| v.to_ne_bytes()).collect();
        let piece = |bytes: &[u8]| {
            let mut own = Buffer::<u8>::new(bytes.len() + TAIL);
            own[..bytes.len()].copy_from_slice(bytes);
            Piece::new(Arc::new(Own(own)), 0..bytes.len()).expect("a buffer is aligned")
        };
        Kept { panels: piece(pieces.panels), table: piece(&table), numbers: piece(&pieces.numbers) }
    }

    struct Own(Buffer<u8>);
    impl AsRef<[u8]> for Own {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }

    /// FNV-1a, to see that bytes are what they were.
    pub fn print(pieces: &Pieces<'_>) -> u64 {
        let table = pieces.table.iter().flat_map(|v| v.to_ne_bytes());
        let all = pieces.panels.iter().copied().chain(table).chain(pieces.numbers.iter().copied());
        all.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_lies_within_its_lender_aligned_and_with_a_tail() {
        struct Own(Buffer<u8>);
        impl AsRef<[u8]> for Own {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        let lender: Lender = Arc::new(Own(Buffer::new(1024)));
        let piece = |range| Piece::new(lender.clone(), range).map(|p| p.len());
        assert_eq!(piece(0..768), Some(768));
        assert_eq!(piece(64..64), Some(0));
        for wrong in [0..769, 1..100, 32..64, 2048..2049, usize::MAX - 8..usize::MAX] {
            assert_eq!(piece(wrong.clone()), None, "{wrong:?}");
        }
    }

    #[test]
    fn numbers_come_back_and_no_more() {
        let mut writer = Writer::default();
        writer.count(3);
        writer.floats(&[1.5, f32::MAX]);
        writer.ints(&[-7]);
        let mut reader = Reader(&writer.0);
        assert_eq!((reader.count(), reader.floats(2)), (Some(3), Some(vec![1.5, f32::MAX])));
        assert_eq!(reader.floats(2), None);
        assert_eq!(reader.floats(usize::MAX), None);
        assert_eq!(reader.ints(1), Some(vec![-7]));
        assert_eq!(reader.end(), Some(()));
        assert_eq!(Reader(&writer.0).end(), None);
    }
}
