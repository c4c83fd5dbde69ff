//! Which folders are simile's own to fill, so that an import leaves them out.

use std::path::Path;

use super::manifest;

/// Folders that simile fills: of a data folder, and of a backup.
const OURS: [(&str, &[&str]); 2] =
    [("simile.db", &["vectors", "blobs", "models", "cache"]), (manifest::NAME, &["files", "tmp"])];

/// Whether a folder is one of those that simile fills by itself: uploaded photos under their hashes, thumbnails,
/// copies of them in a backup. What else lies in a data folder is its user's.
pub fn is_ours(folder: &Path) -> bool {
    let (Some(name), Some(parent)) = (folder.file_name(), folder.parent()) else { return false };
    let within = |(mark, names): &(&str, &[&str])| {
        names.iter().any(|ours| name == *ours) && parent.join(mark).is_file()
    };
    OURS.iter().any(within)
}
