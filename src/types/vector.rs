//! Vectors: finite, of a known dimension, of length one where they are compared.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Coded, Fault};

/// Number of components of a vector, at least 1.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(transparent)]
#[schema(value_type = u32, minimum = 1)]
pub struct Dim(NonZeroU32);

impl Dim {
    /// `None` for 0 and for more than `u32::MAX`.
    pub fn new(n: usize) -> Option<Self> {
        u32::try_from(n).ok().and_then(NonZeroU32::new).map(Self)
    }
    pub fn get(self) -> usize {
        self.0.get() as usize
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Cosine of two unit vectors, -1 to 1; larger is nearer.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(pub f32);

/// Why numbers are no vector.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum VectorError {
    #[error("the vector is empty; give {want} numbers")]
    Empty { want: usize },
    #[error("the vector has {got} numbers, this space wants {want}; encode it with the collection's encoder")]
    WrongDim { got: usize, want: Dim },
    #[error("number {at} of the vector is not finite; remove NaN and infinity")]
    NotFinite { at: usize },
    #[error("the vector has length zero, so it has no direction; give one that is not all zeros")]
    Zero,
}

impl Coded for VectorError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty { .. } => "vector.empty",
            Self::WrongDim { .. } => "vector.dimension",
            Self::NotFinite { .. } => "vector.not_finite",
            Self::Zero => "vector.zero",
        }
    }
    fn fault(&self) -> Fault {
        Fault::Input
    }
    fn field(&self) -> Option<&str> {
        Some("vector")
    }
}

/// A finite vector of length one (L2), ready to be compared by inner product.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector(Vec<f32>);

impl Vector {
    /// Checks `values` and scales them to length one.
    ///
    /// # Errors
    /// `NotFinite` for NaN or infinity, `Zero` for a vector without direction, `WrongDim` unless it has `want` numbers.
    pub fn unit(mut values: Vec<f32>, want: Dim) -> Result<Self, VectorError> {
        if values.is_empty() {
            return Err(VectorError::Empty { want: want.get() });
        }
        if values.len() != want.get() {
            return Err(VectorError::WrongDim { got: values.len(), want });
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(VectorError::NotFinite { at });
        }
        // f64: squares of large finite f32 would overflow.
        let norm = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        if norm < f64::from(f32::MIN_POSITIVE) {
            return Err(VectorError::Zero);
        }
        values.iter_mut().for_each(|v| *v = (f64::from(*v) / norm) as f32);
        Ok(Self(values))
    }

    pub fn dim(&self) -> Dim {
        Dim::new(self.0.len()).expect("a vector is never empty")
    }
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }
    pub fn into_inner(self) -> Vec<f32> {
        self.0
    }
}

/// Rows of equal dimension, row-major: `[rows, dim]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    data: Vec<f32>,
    dim: Dim,
}

impl Matrix {
    /// An empty matrix with room for `rows`.
    pub fn with_capacity(rows: usize, dim: Dim) -> Self {
        Self { data: Vec::with_capacity(rows * dim.get()), dim }
    }
    /// Appends one row.
    ///
    /// # Panics
    /// If the row's dimension differs: both come from one encoder.
    pub fn push(&mut self, row: &Vector) {
        assert_eq!(row.dim(), self.dim, "rows of one matrix have one dimension");
        self.data.extend_from_slice(row.as_slice());
    }
    pub fn rows(&self) -> usize {
        self.data.len() / self.dim.get()
    }
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }
    pub fn dim(&self) -> Dim {
        self.dim
    }
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim.get()..][..self.dim.get()]
    }
    /// All rows, one behind the other.
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dim(n: usize) -> Dim {
        Dim::new(n).unwrap()
    }

    #[test]
    fn a_vector_is_finite_and_of_length_one() {
        let v = Vector::unit(vec![3.0, 4.0], dim(2)).unwrap();
        assert_eq!(v.as_slice(), [0.6, 0.8]);
        assert_eq!(Vector::unit(vec![f32::MAX, 0.0], dim(2)).unwrap().as_slice(), [1.0, 0.0]);
        assert_eq!(Vector::unit(vec![1.0, f32::NAN], dim(2)), Err(VectorError::NotFinite { at: 1 }));
        assert_eq!(Vector::unit(vec![f32::INFINITY], dim(1)), Err(VectorError::NotFinite { at: 0 }));
        assert_eq!(Vector::unit(vec![0.0; 3], dim(3)), Err(VectorError::Zero));
        assert_eq!(Vector::unit(vec![1.0], dim(2)), Err(VectorError::WrongDim { got: 1, want: dim(2) }));
    }
}
