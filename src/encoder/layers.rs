//! The BERT family in candle, for devices that the kernels do not run on.

use candle_core::{D, Device, Result, Tensor};
use candle_nn::ops;
use simile_compute::LayerNorm;
use simile_compute::matrix::Act;
use simile_compute::transformer::{self, LayerParts};

use super::Pooling;
use super::blueprint::{Blueprint, Shape};
use super::error::Loaded;

/// Tokens in one pass, padding counted: more fill no core better, and take memory.
const PASS_TOKENS: usize = 2048;

/// A network on a device.
pub struct Layers {
    embeddings: Embeddings,
    widen: Option<Linear>,
    layers: Vec<Layer>,
    order: Vec<usize>,
    device: Device,
}

impl Layers {
    /// # Errors
    /// What is wrong with the file, or that the device has no room.
    pub fn new(blueprint: Blueprint, device: &Device) -> Loaded<Self> {
        let Blueprint { shape: Shape { sizes, order }, embeddings: parts, layers: files } = blueprint;
        let failed = |e| files.failed(&e);
        let layer =
            |parts: Loaded<LayerParts>| Layer::new(&parts?, sizes.heads, sizes.act, device).map_err(failed);
        let widen = parts.widen.as_ref().map(|l| Linear::new(l, device));
        Ok(Self {
            embeddings: Embeddings::new(&parts, sizes.embedding, device).map_err(failed)?,
            widen: widen.transpose().map_err(failed)?,
            layers: files.read().map(layer).collect::<Loaded<_>>()?,
            order,
            device: device.clone(),
        })
    }

    /// One vector per text, in their order.
    pub fn encode(&self, texts: &[&[u32]], pooling: Pooling) -> Result<Vec<Vec<f32>>> {
        // Longest first: texts of like length share a pass, and the largest pass comes while memory is free.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(texts[i].len()));
        let mut out = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while let Some(&longest) = rest.first() {
            let pass = (PASS_TOKENS / texts[longest].len()).clamp(1, rest.len());
            let (now, later) = rest.split_at(pass);
            let batch: Vec<&[u32]> = now.iter().map(|&i| texts[i]).collect();
            for (&i, row) in now.iter().zip(self.pass(&batch, pooling)?) {
                out[i] = row;
            }
            rest = later;
        }
        Ok(out)
    }

    fn pass(&self, batch: &[&[u32]], pooling: Pooling) -> Result<Vec<Vec<f32>>> {
        let longest = batch.iter().map(|t| t.len()).max().unwrap_or(0);
        let shape = (batch.len(), longest);
        let padded = |f: &dyn Fn(&[u32], usize) -> u32| {
            let values = batch.iter().flat_map(|t| (0..longest).map(|i| f(t, i)));
            Tensor::from_vec(values.collect::<Vec<u32>>(), shape, &self.device)
        };
        let ids = padded(&|t, i| t.get(i).copied().unwrap_or(0))?;
        let mask = if batch.iter().all(|t| t.len() == longest) {
            None
        } else {
            Some(padded(&|t, i| u32::from(i < t.len()))?.to_dtype(candle_core::DType::F32)?)
        };
        let bias = mask.as_ref().map(attention_bias).transpose()?;
        let first = self.embeddings.first;
        let places: Vec<u32> = batch
            .iter()
            .flat_map(|t| transformer::places(t, first).chain(std::iter::repeat(0)).take(longest))
            .map(|place| place as u32)
            .collect();
        let mut x = self.embeddings.forward(&ids, Tensor::from_vec(places, shape, &self.device)?)?;
        if let Some(widen) = &self.widen {
            let (batch, tokens, dim) = x.dims3()?;
            x = widen.forward(&x.reshape((batch * tokens, dim))?)?.reshape((batch, tokens, ()))?;
        }
        for &i in &self.order {
            x = self.layers[i].forward(&x, bias.as_ref())?;
        }
        pool(&x, mask.as_ref(), pooling)?.to_vec2()
    }
}

/// `y = x wᵀ + b`
struct Linear {
    /// `[in, out]`, a transposed view of what is stored.
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn new(parts: &transformer::Linear, device: &Device) -> Result<Self> {
        let out = parts.bias.len();
        let shape = (out, parts.weight.len() / out);
        let weight = Tensor::from_slice(&parts.weight, shape, device)?.t()?;
        Ok(Self { weight, bias: Tensor::from_slice(&parts.bias, out, device)? })
    }

    /// `[rows, in]` → `[rows, out]`
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// Layer normalisation over the last axis.
struct Norm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl Norm {
    fn new(norm: &LayerNorm, device: &Device) -> Result<Self> {
        let weight = Tensor::from_slice(norm.weight(), norm.dim(), device)?;
        Ok(Self { weight, bias: Tensor::from_slice(norm.bias(), norm.dim(), device)?, eps: norm.eps() })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}

struct Embeddings {
    words: Tensor,
    places: Tensor,
    first: usize,
    norm: Norm,
}

impl Embeddings {
    fn new(parts: &transformer::Embeddings, dim: usize, device: &Device) -> Result<Self> {
        let table = |values: &[f32]| Tensor::from_slice(values, (values.len() / dim, dim), device);
        Ok(Self {
            words: table(&parts.words)?,
            places: table(&parts.places)?,
            first: parts.first,
            norm: Norm::new(&parts.norm, device)?,
        })
    }

    /// Ids and places `[batch, tokens]` → `[batch, tokens, dim]`
    fn forward(&self, ids: &Tensor, places: Tensor) -> Result<Tensor> {
        let (batch, tokens) = ids.dims2()?;
        let words = self.words.index_select(&ids.flatten_all()?, 0)?;
        let places = self.places.index_select(&places.flatten_all()?, 0)?;
        self.norm.forward(&(words + places)?.reshape((batch, tokens, ()))?)
    }
}

/// One post-norm transformer layer.
struct Layer {
    qkv: Linear,
    attention_out: Linear,
    attention_norm: Norm,
    up: Linear,
    down: Linear,
    norm: Norm,
    heads: usize,
    act: Act,
}

impl Layer {
    fn new(parts: &LayerParts, heads: usize, act: Act, device: &Device) -> Result<Self> {
        Ok(Self {
            qkv: Linear::new(&parts.qkv, device)?,
            attention_out: Linear::new(&parts.attention_out, device)?,
            attention_norm: Norm::new(&parts.attention_norm, device)?,
            up: Linear::new(&parts.up, device)?,
            down: Linear::new(&parts.down, device)?,
            norm: Norm::new(&parts.norm, device)?,
            heads,
            act,
        })
    }

    /// `[batch, tokens, hidden]` → the same; `bias` is added to the attention's logits.
    fn forward(&self, x: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let (batch, tokens, hidden) = x.dims3()?;
        let rows = x.reshape((batch * tokens, hidden))?;
        let mixed = self.attend(&self.qkv.forward(&rows)?.reshape((batch, tokens, 3 * hidden))?, bias)?;
        let rows = self.attention_norm.forward(&(self.attention_out.forward(&mixed)? + rows)?)?;
        let inner = self.up.forward(&rows)?;
        let inner = match self.act {
            Act::None => inner,
            Act::Gelu => inner.gelu_erf()?,
            Act::GeluTanh => inner.gelu()?,
            Act::Relu => inner.relu()?,
        };
        let rows = self.norm.forward(&(self.down.forward(&inner)? + rows)?)?;
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
fn attention_bias(mask: &Tensor) -> Result<Tensor> {
    // -1e9 + logit has no weight left after the softmax, and is finite.
    ((mask - 1.0)? * 1e9)?.unsqueeze(1)?.unsqueeze(1)
}

/// Token vectors `[batch, tokens, hidden]` → `[batch, hidden]`; padding, 0 in `mask`, has no part in it.
fn pool(x: &Tensor, mask: Option<&Tensor>, pooling: Pooling) -> Result<Tensor> {
    match (pooling, mask) {
        (Pooling::Cls, _) => x.narrow(1, 0, 1)?.squeeze(1),
        (Pooling::Mean | Pooling::MeanSqrtLen, None) => x.mean(1),
        (Pooling::Mean | Pooling::MeanSqrtLen, Some(mask)) => {
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
