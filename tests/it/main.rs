//! Tests of whole rooms, over files and over the real program.

mod catalog;
mod cli;
mod door;
mod encoder;
mod eval;
mod handover;
mod home;
mod hub;
mod index;
mod interrupt;
mod journey;
mod operator;
mod photo;
mod switch;
mod web;
