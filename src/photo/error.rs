//! Why bytes are no picture here.

use super::Format;
use crate::types::{Coded, Fault};

/// Why a file could not be read as a picture. Which file it was the caller knows and says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PhotoError {
    #[error("the file is empty; copy it again from where it came")]
    Empty,
    #[error("not a picture: {what}; give a JPEG, PNG, WebP, GIF, BMP or TIFF file")]
    NotAPicture { what: String },
    #[error("{what} is not read here; {cure}")]
    Unsupported { what: String, cure: &'static str },
    #[error("the {format} file ends before its picture does; copy it again from where it came")]
    Truncated { format: Format },
    #[error("the picture is damaged: {what}; copy it again from where it came, or open and save it anew")]
    Damaged { what: String },
    #[error("the file has {got} bytes, at most {max} are allowed; save it smaller")]
    TooManyBytes { got: u64, max: u64 },
    #[error("the picture has {width} x {height} pixels, no side may have more than {max}; scale it down")]
    SideTooLong { width: u32, height: u32, max: u32 },
    #[error("the picture has {width} x {height} pixels, at most {max} in all are allowed; scale it down")]
    TooManyPixels { width: u32, height: u32, max: u64 },
}

impl Coded for PhotoError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "photo.empty",
            Self::NotAPicture { .. } => "photo.not_a_picture",
            Self::Unsupported { .. } => "photo.unsupported",
            Self::Truncated { .. } => "photo.truncated",
            Self::Damaged { .. } => "photo.damaged",
            Self::TooManyBytes { .. } | Self::SideTooLong { .. } | Self::TooManyPixels { .. } => {
                "photo.too_large"
            }
        }
    }

    fn fault(&self) -> Fault {
        match self {
            Self::Empty | Self::NotAPicture { .. } | Self::Truncated { .. } | Self::Damaged { .. } => {
                Fault::Input
            }
            Self::Unsupported { .. } => Fault::Unsupported,
            Self::TooManyBytes { .. } | Self::SideTooLong { .. } | Self::TooManyPixels { .. } => {
                Fault::TooLarge
            }
        }
    }
}
