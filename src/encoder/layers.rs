//! What BERT and ALBERT have in common: linear layers, norms, attention, the feed-forward block, pooling.

use candle_core::{D, Result, Tensor};
use candle_nn::ops;

use super::rows::Rows;
use super::weights::Scope;
use super::{Activation, EncoderError, Pooling};

/// `y = x wᵀ + b`
pub struct Linear {
    /// `[in, out]`, a transposed view of what is stored.
    weight: Tensor,
    bias: Vec<f32>,
    bias_row: Tensor,
}

impl Linear {
    pub fn load(scope: &Scope, from: usize, to: usize) -> Loaded<Self> {
        let (weight, bias) = (scope.values("weight", &[to, from])?, scope.values("bias", &[to])?);
        Self::new(scope, weight, bias, from)
    }

    /// Queries, keys and values as one layer, side by side; queries already divided by √(hidden / heads).
    fn attention(scope: &Scope, names: &Names, hidden: usize, heads: usize) -> Loaded<Self> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in [names.query, names.key, names.value] {
            let part = scope.sub(name);
            weight.extend(part.values("weight", &[hidden, hidden])?);
            bias.extend(part.values("bias", &[hidden])?);
        }
        let scale = 1.0 / ((hidden / heads) as f32).sqrt();
        let queries = weight[..hidden * hidden].iter_mut().chain(&mut bias[..hidden]);
        queries.for_each(|v| *v *= scale);
        Self::new(scope, weight, bias, hidden)
    }

    fn new(scope: &Scope, weight: Vec<f32>, bias: Vec<f32>, from: usize) -> Loaded<Self> {
        let weight = scope.upload(weight, &[bias.len(), from])?.t().expect("two axes");
        Ok(Self { weight, bias_row: scope.upload(bias.clone(), &[bias.len()])?, bias })
    }

    /// `[rows, in]` → `[rows, out]`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.activated(x, None)
    }

    fn activated(&self, x: &Tensor, act: Option<Activation>) -> Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        if y.device().is_cpu() {
            y.inplace_op1(&Rows { bias: &self.bias, act })?;
            return Ok(y);
        }
        let y = y.broadcast_add(&self.bias_row)?;
        match act {
            None => Ok(y),
            Some(Activation::Gelu) => y.gelu_erf(),
            Some(Activation::GeluNew) => y.gelu(),
            Some(Activation::Relu) => y.relu(),
        }
    }

    /// The same, and `add` added.
    fn plus(&self, x: &Tensor, add: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        if y.device().is_cpu() {
            y.inplace_op2(add, &Rows { bias: &self.bias, act: None })?;
            return Ok(y);
        }
        y.broadcast_add(&self.bias_row)? + add
    }
}

/// What loading gives; `Result` alone is candle's.
pub type Loaded<T> = std::result::Result<T, EncoderError>;

/// Layer normalisation over the last axis.
pub struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl Norm {
    pub fn load(scope: &Scope, dim: usize, eps: f64) -> Loaded<Self> {
        // Checkpoints converted from TensorFlow say gamma and beta.
        let (weight, bias) = if scope.has("gamma") { ("gamma", "beta") } else { ("weight", "bias") };
        Ok(Self { weight: scope.tensor(weight, &[dim])?, bias: scope.tensor(bias, &[dim])?, eps: eps as f32 })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}

/// Embedding tables: words, and positions with the first token type already added (no pairs are ever encoded).
pub struct Embeddings {
    words: Tensor,
    /// From position 0 on, also where the first token's is another.
    places: Tensor,
    offset: usize,
    norm: Norm,
}

/// The sizes that [`Embeddings`] need.
pub struct EmbeddingSizes {
    pub vocab: usize,
    pub dim: usize,
    pub positions: usize,
    pub offset: usize,
    pub types: usize,
    pub eps: f64,
}

impl Embeddings {
    pub fn load(scope: &Scope, sizes: &EmbeddingSizes) -> Loaded<Self> {
        let EmbeddingSizes { vocab, dim, positions, offset, types, eps } = *sizes;
        let kind = scope.values("token_type_embeddings.weight", &[types, dim])?;
        let mut places = scope.values("position_embeddings.weight", &[positions, dim])?;
        places.chunks_mut(dim).for_each(|row| row.iter_mut().zip(&kind).for_each(|(p, k)| *p += k));
        Ok(Self {
            words: scope.tensor("word_embeddings.weight", &[vocab, dim])?,
            places: scope.upload(places, &[positions, dim])?,
            offset,
            norm: Norm::load(&scope.sub("LayerNorm"), dim, eps)?,
        })
    }

    /// Ids `[batch, tokens]` → `[batch, tokens, dim]`
    pub fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let (batch, tokens) = ids.dims2()?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?.reshape((batch, tokens, ()))?;
        let places = match self.offset {
            0 => self.places.narrow(0, 0, tokens)?.unsqueeze(0)?,
            offset => {
                let places = positions(&ids.to_vec2()?, offset as u32);
                let places = Tensor::from_vec(places, batch * tokens, ids.device())?;
                self.places.index_select(&places, 0)?.reshape((batch, tokens, ()))?
            }
        };
        self.norm.forward(&words.broadcast_add(&places)?)
    }
}

/// RoBERTa's positions: tokens count from `offset` on; padding, whose id is one less, has that id's and counts
/// nothing, wherever it stands.
fn positions(ids: &[Vec<u32>], offset: u32) -> Vec<u32> {
    let pad = offset - 1;
    let row = |row: &Vec<u32>| {
        let places = row.iter().scan(pad, |last, &id| {
            *last += u32::from(id != pad);
            Some(if id == pad { pad } else { *last })
        });
        places.collect::<Vec<_>>()
    };
    ids.iter().flat_map(row).collect()
}

/// What the parts of a layer are called in the file.
pub struct Names {
    pub query: &'static str,
    pub key: &'static str,
    pub value: &'static str,
    pub attention_out: &'static str,
    pub attention_norm: &'static str,
    pub up: &'static str,
    pub down: &'static str,
    pub norm: &'static str,
}

/// The sizes of a layer.
pub struct LayerSizes {
    pub hidden: usize,
    pub heads: usize,
    pub intermediate: usize,
    pub eps: f64,
    pub act: Activation,
}

/// One post-norm transformer layer.
pub struct Layer {
    qkv: Linear,
    attention_out: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
    heads: usize,
    act: Activation,
}

impl Layer {
    pub fn load(scope: &Scope, names: &Names, sizes: &LayerSizes) -> Loaded<Self> {
        let LayerSizes { hidden, heads, intermediate, eps, act } = *sizes;
        Ok(Self {
            qkv: Linear::attention(scope, names, hidden, heads)?,
            attention_out: Linear::load(&scope.sub(names.attention_out), hidden, hidden)?,
            attention_norm: Norm::load(&scope.sub(names.attention_norm), hidden, eps)?,
            up: Linear::load(&scope.sub(names.up), hidden, intermediate)?,
            down: Linear::load(&scope.sub(names.down), intermediate, hidden)?,
            norm: Norm::load(&scope.sub(names.norm), hidden, eps)?,
            heads,
            act,
        })
    }

    /// `[batch, tokens, hidden]` → the same; `bias` is added to the attention's logits.
    pub fn forward(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (batch, tokens, hidden) = x.dims3()?;
        let rows = x.reshape((batch * tokens, hidden))?;
        let mixed = self.attend(&self.qkv.forward(&rows)?.reshape((batch, tokens, 3 * hidden))?, bias)?;
        let rows = self.attention_norm.forward(&self.attention_out.plus(&mixed, &rows)?)?;
        let inner = self.up.activated(&rows, Some(self.act))?;
        let rows = self.norm.forward(&self.down.plus(&inner, &rows)?)?;
        rows.reshape((batch, tokens, hidden))
    }

    /// Queries, keys and values `[batch, tokens, 3 hidden]` → `[batch · tokens, hidden]`
    fn attend(&self, qkv: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (batch, tokens, wide) = qkv.dims3()?;
        let (hidden, heads) = (wide / 3, self.heads);
        let part = |i: usize| {
            let part = qkv.narrow(2, i * hidden, hidden)?.reshape((batch, tokens, heads, hidden / heads))?;
            part.transpose(1, 2)?.contiguous()
        };
        let mut logits = part(0)?.matmul(&part(1)?.t()?)?;
        if let Some(bias) = bias {
            logits = logits.broadcast_add(bias)?;
        }
        let mixed = ops::softmax_last_dim(&logits)?.matmul(&part(2)?)?;
        mixed.transpose(1, 2)?.reshape((batch * tokens, hidden))
    }
}

/// 1 for tokens and 0 for padding `[batch, tokens]` → what is added to logits `[batch, 1, 1, tokens]`.
pub fn attention_bias(mask: &Tensor) -> Result<Tensor> {
    // -1e9 + logit has no weight left after the softmax, and is finite.
    ((mask - 1.0)? * 1e9)?.unsqueeze(1)?.unsqueeze(1)
}

/// Token vectors `[batch, tokens, hidden]` → `[batch, hidden]`; padding, 0 in `mask`, has no part in it.
pub fn pool(x: &Tensor, mask: Option<&Tensor>, pooling: Pooling) -> Result<Tensor> {
    match (pooling, mask) {
        (Pooling::Cls, _) => x.narrow(1, 0, 1)?.squeeze(1),
        (Pooling::Mean, None) => x.mean(1),
        (Pooling::Mean, Some(mask)) => {
            let sum = x.broadcast_mul(&mask.unsqueeze(D::Minus1)?)?.sum(1)?;
            sum.broadcast_div(&mask.sum_keepdim(1)?)
        }
        (Pooling::Max, None) => x.max(1),
        (Pooling::Max, Some(mask)) => {
            let lowered = ((mask - 1.0)? * 1e9)?.unsqueeze(D::Minus1)?;
            x.broadcast_add(&lowered)?.max(1)
        }
    }
}
