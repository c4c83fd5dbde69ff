//! Measures simile itself: how good are the scores, how early comes the right answer. Knows neither HTTP nor terminal.

pub mod metrics;
