//! Tests of whole rooms, over files and over the real program.

mod bombs;
mod captions;
mod catalog;
mod cli;
mod document;
mod door;
mod elsewhere;
mod encoder;
mod eval;
mod handover;
mod home;
mod hostile;
mod hub;
mod index;
mod install;
mod interrupt;
mod journey;
mod keep;
mod limits;
mod models;
mod operator;
mod paths;
mod photo;
mod steady;
mod switch;
mod web;
