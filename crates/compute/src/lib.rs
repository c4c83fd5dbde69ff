//! CPU kernels of simile: one safe function per operation, each with its scalar twin.
