//! Tests of whole rooms, over files and over the real program.

mod encoder;
mod index;
mod photo;
