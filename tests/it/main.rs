//! Tests of whole rooms, over files and over the real program.

mod catalog;
mod encoder;
mod hub;
mod index;
mod photo;
