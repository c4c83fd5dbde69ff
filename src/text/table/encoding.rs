//! Bytes become text: which encoding they are in, and where they break it. Knows nothing of columns.

use encoding_rs::{DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// A table's text, with U+FFFD where bytes made no character.
pub(super) struct Decoded {
    pub text: String,
    pub encoding: &'static str,
    /// In the order of the text.
    broken: Vec<Broken>,
}

/// A sequence that is no character in the encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where it begins in the file.
    pub byte: u64,
    /// Where its U+FFFD stands in the text, in bytes.
    pub at: usize,
}

impl Decoded {
    /// The first broken sequence in `start..end` of the text.
    pub fn broken_in(&self, start: usize, end: usize) -> Option<Broken> {
        let first = self.broken.partition_point(|b| b.at < start);
        self.broken.get(first).copied().filter(|b| b.at < end)
    }
}

pub(super) fn decode(bytes: &[u8]) -> Decoded {
    let (encoding, mark) = match Encoding::for_bom(bytes) {
        Some(known) => known,
        None => (guess(bytes), 0),
    };
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 2);
    let mut broken = Vec::new();
    let mut read = mark;
    loop {
        let (result, used) = decoder.decode_to_string_without_replacement(&bytes[read..], &mut text, true);
        read += used;
        match result {
            DecoderResult::InputEmpty => break,
            DecoderResult::OutputFull => text.reserve(bytes.len() - read + 64),
            DecoderResult::Malformed(length, extra) => {
                let byte = read - usize::from(length) - usize::from(extra);
                broken.push(Broken { byte: byte as u64, at: text.len() });
                text.reserve(3);
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
    Decoded { text, encoding: if encoding == GB18030 { "GB18030" } else { encoding.name() }, broken }
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    if let Some(wide) = guess_utf16(bytes) {
        return wide;
    }
    let Err(_) = std::str::from_utf8(bytes) else { return UTF_8 };
    // A UTF-8 file with a bad byte or two often decodes as GB18030 too, into nonsense: count which fits.
    // Of GB18030's characters about one in seven happens to be valid UTF-8.
    let (good, bad) = utf8_characters(bytes);
    if good >= 2 * bad && bad > 0 { UTF_8 } else { GB18030 }
}

/// Without a mark, UTF-16 shows by its commas, quotes and line ends, each with a zero byte beside it.
fn guess_utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(1 << 16)];
    if !head.contains(&0) {
        return None;
    }
    let sign = |b: u8| matches!(b, b',' | b';' | b'\t' | b'\n' | b'\r' | b'"' | b' ');
    let count =
        |low: usize| head.chunks_exact(2).filter(|unit| sign(unit[low]) && unit[1 - low] == 0).count();
    match (count(0), count(1)) {
        (le, be) if le > be => Some(UTF_16LE),
        (le, be) if be > le => Some(UTF_16BE),
        _ => None,
    }
}

/// How many characters beyond ASCII are valid UTF-8, and how many sequences are not.
fn utf8_characters(bytes: &[u8]) -> (usize, usize) {
    bytes.utf8_chunks().fold((0, 0), |(good, bad), chunk| {
        let wide = chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        (good + wide, bad + usize::from(!chunk.invalid().is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
    }

    #[test]
    fn every_encoding_is_told_by_its_bytes() {
        let text = "问题,答案\r\n一共有几种？,\"一、二、丁, done\"\r\n";
        let marked = |mark: &[u8], rest: Vec<u8>| [mark, &rest].concat();
        for (bytes, name) in [
            (text.as_bytes().to_vec(), "UTF-8"),
            (marked(b"\xEF\xBB\xBF", text.as_bytes().to_vec()), "UTF-8"),
            (GB18030.encode(text).0.into_owned(), "GB18030"),
            (utf16(text, false), "UTF-16LE"),
            (utf16(text, true), "UTF-16BE"),
            (marked(b"\xFF\xFE", utf16(text, false)), "UTF-16LE"),
            (marked(b"\xFE\xFF", utf16(text, true)), "UTF-16BE"),
        ] {
            let got = decode(&bytes);
            assert_eq!((got.text.as_str(), got.encoding, got.broken.len()), (text, name, 0));
        }
    }

    #[test]
    fn a_broken_sequence_is_told_by_its_byte() {
        let mut bytes = "问题,答案\n怎么办,等一下\n".as_bytes().to_vec();
        bytes[16] = 0xFF; // within 办's neighbour
        let got = decode(&bytes);
        assert_eq!(got.encoding, "UTF-8");
        assert_eq!(got.broken_in(0, 14), None);
        assert_eq!(got.broken_in(14, got.text.len()).map(|b| b.byte), Some(14));

        let mut bytes = GB18030.encode("问题,答案\n怎么办,等一下\n").0.into_owned();
        bytes[15] = 0x20; // half a character before the comma
        let got = decode(&bytes);
        assert_eq!((got.encoding, got.broken[0].byte), ("GB18030", 14));

        let mut bytes = utf16("a,b\n", false);
        bytes.push(0x41);
        assert_eq!(decode(&bytes).broken[0].byte, 8);
    }

    #[test]
    fn a_replacement_character_of_the_file_is_not_an_error() {
        assert_eq!(decode("a\u{FFFD}".as_bytes()).broken, []);
    }
}
