//! Tests of whole rooms, over files and over the real program.

mod catalog;
mod cli;
mod encoder;
mod home;
mod hub;
mod index;
mod journey;
mod photo;
mod web;
