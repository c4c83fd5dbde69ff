//! What a file is: by its first bytes, and by its ending where those do not tell.

use std::fmt;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
    /// HEIC and HEIF; read by the feature `heic`.
    Heic,
}

/// Whether this program reads HEIC.
pub const READS_HEIC: bool = cfg!(feature = "heic");

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Heic => "HEIC",
        }
    }

    pub fn mime(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
            Self::Bmp => "image/bmp",
            Self::Tiff => "image/tiff",
            Self::Heic => "image/heic",
        }
    }

    /// By the first bytes; `None` for anything else, and for fewer bytes than tell.
    pub fn of(head: &[u8]) -> Option<Self> {
        // A BMP has only two letters of magic: the size of its second header must be one that exists.
        let bmp = || head.starts_with(b"BM") && head.get(14..18).is_some_and(is_bmp_header);
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] => Some(Self::Tiff),
            [b'I', b'I', 43, 0, ..] | [b'M', b'M', 0, 43, ..] => Some(Self::Tiff), // BigTIFF
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if READS_HEIC => {
                is_heic(brand.get(..4)?).then_some(Self::Heic)
            }
            _ => bmp().then_some(Self::Bmp),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn is_bmp_header(size: &[u8]) -> bool {
    matches!(size, [12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0])
}

/// What a file of a folder is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// To be decoded; rejected if that fails.
    Picture,
    /// AVIF, and HEIC or HEIF where these are not read.
    Heic,
    /// A camera's raw file: known and not read.
    Raw,
    /// A film: known and not read.
    Video,
    /// Anything else.
    Other,
}

impl Class {
    /// What to do about a file of this class that is not read, in one line.
    pub fn cure(self) -> Option<&'static str> {
        match self {
            Self::Heic => {
                Some("export it as JPEG (on an iPhone: Settings, Camera, Formats, Most Compatible)")
            }
            Self::Raw => Some("develop it to JPEG with the camera's software, darktable or RawTherapee"),
            Self::Video => {
                Some("take still pictures of it, for example with ffmpeg -i film.mp4 -r 1 still-%d.jpg")
            }
            Self::Picture | Self::Other => None,
        }
    }
}

const PICTURE: &[&str] = &["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "tif", "tiff"];
const HEIC: &[&str] = &["heic", "heif", "hif", "heics", "heifs"];
const AVIF: &[&str] = &["avif", "avifs"];
const RAW: &[&str] = &[
    "3fr", "arw", "cr2", "cr3", "crw", "dcr", "dng", "erf", "fff", "iiq", "kdc", "mef", "mos", "mrw", "nef",
    "nrw", "orf", "pef", "raf", "raw", "rw2", "rwl", "sr2", "srf", "srw", "x3f",
];
const VIDEO: &[&str] = &[
    "3g2", "3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "webm",
    "wmv",
];

/// Judges a file by its name's ending and its first bytes (64 are enough; none when it could not be read).
///
/// A camera's raw file is known by its ending first, since many of them are TIFF inside; else the bytes decide, and
/// only where they say nothing the ending does.
pub fn classify(file_name: &str, head: &[u8]) -> Class {
    let ending = file_name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    let is = |list: &[&str]| list.contains(&ending.as_str());
    if is(RAW) {
        return Class::Raw;
    }
    if Format::of(head).is_some() {
        return Class::Picture;
    }
    match foreign(head) {
        Some((class, _)) => class,
        None if is(PICTURE) => Class::Picture,
        None if is(HEIC) && READS_HEIC => Class::Picture,
        None if is(HEIC) || is(AVIF) => Class::Heic,
        None if is(VIDEO) => Class::Video,
        None => Class::Other,
    }
}

/// A known format that is not read: its class and its name.
pub(super) fn foreign(head: &[u8]) -> Option<(Class, &'static str)> {
    match head {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => {
            Some(brand_of(brand.get(..4).unwrap_or_default()))
        }
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some((Class::Video, "a Matroska or WebM film")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => {
            Some((Class::Video, "an AVI film"))
        }
        [b'F', b'U', b'J', b'I', b'F', b'I', b'L', b'M', b'C', b'C', b'D', ..] => {
            Some((Class::Raw, "a RAW photo"))
        }
        [b'I', b'I', b'R', b'O' | b'S', ..] | [b'I', b'I', b'U', 0, ..] => Some((Class::Raw, "a RAW photo")),
        _ => None,
    }
}

fn is_heic(brand: &[u8]) -> bool {
    matches!(brand, b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"mif2" | b"msf1")
}

/// The brand of an ISO media file, `ftyp....`.
fn brand_of(brand: &[u8]) -> (Class, &'static str) {
    match brand {
        b"avif" | b"avis" => (Class::Heic, "an AVIF picture"),
        heic if is_heic(heic) => (Class::Heic, "a HEIC picture"),
        b"crx " => (Class::Raw, "a RAW photo"),
        _ => (Class::Video, "a film"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_before_the_ending() {
        let jpeg = [0xff, 0xd8, 0xff, 0xe0, 0, 16];
        assert_eq!(classify("holiday.txt", &jpeg), Class::Picture);
        assert_eq!(classify("no ending", &jpeg), Class::Picture);
        assert_eq!(classify("film.mp4", &jpeg), Class::Picture);
        let heic = if READS_HEIC { Class::Picture } else { Class::Heic };
        assert_eq!(classify("photo.JPG", b"\0\0\0\x18ftypheic\0\0\0\0"), heic);
        assert_eq!(classify("photo.JPG", b"\0\0\0\x18ftypavif\0\0\0\0"), Class::Heic);
        assert_eq!(classify("photo.jpg", b"\0\0\0\x18ftypisom\0\0\0\0"), Class::Video);
        assert_eq!(classify("a.png", b"hello"), Class::Picture, "to be rejected when it is read");
        assert_eq!(classify("a.jpg", b""), Class::Picture);
        assert_eq!(classify("BM.txt", b"BMW is a maker of cars and more"), Class::Other);
    }

    #[test]
    fn raw_is_known_by_its_ending_though_it_is_tiff_inside() {
        let tiff = *b"II\x2a\0\x10\0\0\0CR\x02\0";
        for name in ["a.CR2", "a.nef", "a.dng", "a.arw"] {
            assert_eq!(classify(name, &tiff), Class::Raw, "{name}");
        }
        assert_eq!(classify("a.tif", &tiff), Class::Picture);
        assert_eq!(classify("a.cr3", b""), Class::Raw);
    }

    #[test]
    fn the_rest_is_other() {
        for (name, head) in [("notes.md", &b"# notes"[..]), ("Thumbs.db", b""), ("", b""), ("jpg", b"")] {
            assert_eq!(classify(name, head), Class::Other, "{name}");
        }
        assert_eq!(classify("clip.mkv", b""), Class::Video);
        assert_eq!(classify("a.heic", b""), if READS_HEIC { Class::Picture } else { Class::Heic });
    }
}
