//! Reading files that others put there: only regular ones, never more than a bound, never waiting for somebody to write.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file for reading. A pipe, socket or device that took its place meanwhile is not waited for.
///
/// # Errors
/// `InvalidInput` for what is no regular file; what the system reports.
pub fn open(path: &Path) -> io::Result<(File, Metadata)> {
    // Not O_NOFOLLOW: a person may keep links to photos; what they lead to is judged.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, meta)) } else { Err(special()) }
}

/// Reads a regular file whole.
///
/// # Errors
/// Those of [`open`]; `FileTooLarge` beyond `most` bytes, also where the file's size tells less (as below `/proc`).
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, meta) = open(path)?;
    if meta.len() > most {
        return Err(too_large(most));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or_default());
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_large(most)) } else { Ok(bytes) }
}

/// Whether a path lies in a view of the running system (`/proc`, `/sys`, …): what looks like files there may block for
/// ever when read, or change the machine.
pub fn is_system_view(path: &Path) -> bool {
    // linux/magic.h
    const VIEWS: [u32; 14] = [
        0x0000_9fa0, // proc
        0x6265_6572, // sysfs
        0x6462_6720, // debugfs
        0x7472_6163, // tracefs
        0x7363_6673, // securityfs
        0x6273_6d5f, // bpf
        0x6265_6570, // configfs
        0x0000_1cd1, // devpts
        0x1980_0202, // mqueue
        0x0027_e0eb, // cgroup
        0x6367_7270, // cgroup2
        0x6165_676c, // pstore
        0xde5e_81e4, // efivarfs
        0x6e73_6673, // nsfs
    ];
    rustix::fs::statfs(path).is_ok_and(|s| u32::try_from(s.f_type).is_ok_and(|kind| VIEWS.contains(&kind)))
}

fn special() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")
}

fn too_large(most: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than the {most} bytes allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read_and_only_so_much() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        std::fs::write(&file, b"12345").unwrap();
        assert_eq!(read(&file, 5).unwrap(), b"12345");
        assert_eq!(read(&file, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for odd in [pipe.as_path(), folder.path(), Path::new("/dev/zero")] {
            assert_eq!(read(odd, 5).unwrap_err().kind(), io::ErrorKind::InvalidInput, "{odd:?}");
        }
        // Says that it is empty, and is not.
        assert_eq!(read(Path::new("/proc/self/maps"), 5).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn views_of_the_system_are_known() {
        assert!(is_system_view(Path::new("/proc/self")));
        assert!(!is_system_view(tempfile::tempdir().unwrap().path()));
        assert!(!is_system_view(Path::new("/nowhere/at/all")));
    }
}
