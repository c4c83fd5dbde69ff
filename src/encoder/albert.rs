//! ALBERT: factorised embeddings, and few layers used many times.

use candle_core::{Result, Tensor};

use super::AlbertConfig;
use super::layers::{EmbeddingSizes, Embeddings, Layer, LayerSizes, Linear, Loaded, Names};
use super::weights::Weights;

const NAMES: Names = Names {
    query: "attention.query",
    key: "attention.key",
    value: "attention.value",
    attention_out: "attention.dense",
    attention_norm: "attention.LayerNorm",
    up: "ffn",
    down: "ffn_output",
    norm: "full_layer_layer_norm",
};

/// A loaded ALBERT without its heads.
pub struct Albert {
    embeddings: Embeddings,
    widen: Linear,
    groups: Vec<Vec<Layer>>,
    layers: usize,
}

impl Albert {
    /// Names as Hugging Face stores them, with or without `albert.` before them.
    pub fn load(weights: &Weights, c: &AlbertConfig) -> Loaded<Self> {
        let prefixed = weights.has("albert.embeddings.word_embeddings.weight");
        let root = weights.root(if prefixed { "albert." } else { "" });
        let sizes = LayerSizes {
            hidden: c.hidden_size,
            heads: c.num_attention_heads,
            intermediate: c.intermediate_size,
            eps: c.layer_norm_eps,
            act: c.hidden_act,
        };
        let tables = EmbeddingSizes {
            vocab: c.vocab_size,
            dim: c.embedding_size,
            positions: c.max_position_embeddings,
            offset: 0,
            types: c.type_vocab_size,
            eps: c.layer_norm_eps,
        };
        let encoder = root.sub("encoder");
        let group = |g| {
            let scope = encoder.sub("albert_layer_groups").sub(g).sub("albert_layers");
            (0..c.inner_group_num).map(|i| Layer::load(&scope.sub(i), &NAMES, &sizes)).collect()
        };
        Ok(Self {
            embeddings: Embeddings::load(&root.sub("embeddings"), &tables)?,
            widen: Linear::load(
                &encoder.sub("embedding_hidden_mapping_in"),
                c.embedding_size,
                c.hidden_size,
            )?,
            groups: (0..c.num_hidden_groups).map(group).collect::<Loaded<_>>()?,
            layers: c.num_hidden_layers,
        })
    }

    /// Ids `[batch, tokens]` → `[batch, tokens, hidden]`; `bias` keeps attention off the padding.
    pub fn forward(&self, ids: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let embedded = self.embeddings.forward(ids)?;
        let (batch, tokens, dim) = embedded.dims3()?;
        let rows = self.widen.forward(&embedded.reshape((batch * tokens, dim))?)?;
        // Layer i is of group ⌊i · groups / layers⌋, as in transformers.
        let order = (0..self.layers).flat_map(|i| &self.groups[i * self.groups.len() / self.layers]);
        order.fold(rows.reshape((batch, tokens, ())), |x, layer| layer.forward(&x?, bias))
    }
}
