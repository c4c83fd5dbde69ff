//! How full a data folder and its disk are.

use std::io;
use std::path::Path;

/// Bytes that this user may still write to the disk of `folder`.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Bytes of all files below `folder`; what vanishes meanwhile counts as nothing.
pub fn used_bytes(folder: &Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files.filter(|e| e.file_type().is_file()).filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_folder_s_bytes_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(super::used_bytes(folder.path()), 0);
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/a"), [0; 1000]).unwrap();
        std::fs::write(folder.path().join("b"), [0; 24]).unwrap();
        assert_eq!(super::used_bytes(folder.path()), 1024);
        assert!(super::free_bytes(folder.path()).unwrap() > 0);
        assert!(super::free_bytes(std::path::Path::new("/nowhere/at/all")).is_err());
    }
}
