//! A photo item's picture files: the original, a thumbnail, a larger one for looking. All served ones are re-encoded.

use std::fs;
use std::path::PathBuf;

use super::{Collection, LibraryError};
use crate::files;
use crate::photo;
use crate::store::{Body, ContentId, Place};
use crate::text;
use crate::types::{ItemKey, Kind};

/// Longest side of a thumbnail, of a photo shown large, in pixels.
const THUMBNAIL: u32 = 320;
const DISPLAY: u32 = 1600;

impl Collection {
    /// Where the original lies.
    pub fn photo_file(&self, key: &ItemKey) -> Result<PathBuf, LibraryError> {
        match self.get(key)?.body {
            Body::Photo { place, .. } => Ok(match place {
                Place::File { path } => path,
                Place::Blob(content) => self.store().blob_path(&content),
            }),
            Body::Faq { .. } => Err(LibraryError::WrongKind {
                name: self.name().clone(),
                has: Kind::Faq,
                wanted: Kind::Photos,
            }),
        }
    }

    /// A small JPEG of the photo, from the cache or made now.
    pub fn thumbnail(&self, key: &ItemKey) -> Result<Vec<u8>, LibraryError> {
        let content = self.get(key)?.content;
        if let Some(cached) = content.as_ref().and_then(|c| self.cached_thumbnail(c)) {
            return Ok(cached);
        }
        let decoded = self.decode_original(key)?;
        let jpeg = photo::thumbnail(&decoded.pixels, THUMBNAIL);
        if let Some(content) = &content {
            self.keep_thumbnail(content, &jpeg);
        }
        Ok(jpeg)
    }

    /// The photo as a JPEG of at most 1600 pixels a side.
    pub fn display_photo(&self, key: &ItemKey) -> Result<Vec<u8>, LibraryError> {
        Ok(photo::thumbnail(&self.decode_original(key)?.pixels, DISPLAY))
    }

    /// Makes and keeps the thumbnail of a photo that is decoded already.
    pub fn make_thumbnail(&self, content: &ContentId, pixels: &image::RgbImage) {
        if self.cached_thumbnail(content).is_none() {
            self.keep_thumbnail(content, &photo::thumbnail(pixels, THUMBNAIL));
        }
    }

    fn decode_original(&self, key: &ItemKey) -> Result<photo::Photo, LibraryError> {
        let path = self.photo_file(key)?;
        let limits = self.shared.photo_limits();
        let bytes = files::read(&path, limits.bytes)
            .map_err(|source| LibraryError::Original { path: path.display().to_string(), source })?;
        Ok(photo::decode(&bytes, &limits)?)
    }

    fn thumbnail_path(&self, content: &ContentId) -> PathBuf {
        let name = content.to_string();
        self.shared.cache.join("thumbs").join(&name[..2]).join(format!("{name}.jpg"))
    }

    fn cached_thumbnail(&self, content: &ContentId) -> Option<Vec<u8>> {
        whole_thumbnail(fs::read(self.thumbnail_path(content)).ok()?)
    }

    /// A thumbnail that cannot be kept is made again next time.
    fn keep_thumbnail(&self, content: &ContentId, jpeg: &[u8]) {
        let path = self.thumbnail_path(content);
        let Some(folder) = path.parent() else { return };
        let written = fs::create_dir_all(folder).and_then(|()| {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            std::io::Write::write_all(&mut file, jpeg)?;
            std::io::Write::write_all(&mut file, &crc32fast::hash(jpeg).to_le_bytes())?;
            file.persist(&path).map_err(|e| e.error).map(drop)
        });
        if let Err(e) = written {
            tracing::debug!("thumbnail {} not kept: {e}", path.display());
        }
    }
}

/// The picture of a thumbnail's file: whole only if its own checksum, kept behind the picture, agrees.
pub(super) fn whole_thumbnail(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let body = bytes.len().checked_sub(4)?;
    let sum = u32::from_le_bytes(bytes[body..].try_into().ok()?);
    bytes.truncate(body);
    (crc32fast::hash(&bytes) == sum).then_some(bytes)
}

/// Words by which a photo's name, folders, tags and caption find it.
pub fn keywords(key: &ItemKey, tags: &[String], caption: Option<&str>) -> Vec<String> {
    let path = key.as_str();
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let spaced = format!("{folder} {stem}").replace(['_', '-', '.', '/'], " ");
    let mut words = text::words(&spaced);
    words.extend(tags.iter().map(String::as_str).chain(caption).flat_map(text::words));
    words
}
