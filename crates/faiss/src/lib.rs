//! A safe wrapper over Faiss: searches through `&self`, parameters per call, sizes checked.
