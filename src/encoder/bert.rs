//! BERT, and XLM-R, which is BERT with RoBERTa's positions: token ids to token vectors.

use candle_core::{Result, Tensor};

use super::BertConfig;
use super::layers::{EmbeddingSizes, Embeddings, Layer, LayerSizes, Loaded, Names};
use super::weights::Weights;

const NAMES: Names = Names {
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    attention_out: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    up: "intermediate.dense",
    down: "output.dense",
    norm: "output.LayerNorm",
};

/// A loaded BERT without its heads.
pub struct Bert {
    embeddings: Embeddings,
    layers: Vec<Layer>,
}

impl Bert {
    /// Names as Hugging Face stores them, with or without `prefix` before them.
    pub fn load(weights: &Weights, c: &BertConfig, prefix: &str) -> Loaded<Self> {
        let prefixed = weights.has(&format!("{prefix}embeddings.word_embeddings.weight"));
        let root = weights.root(if prefixed { prefix } else { "" });
        let sizes = LayerSizes {
            hidden: c.hidden_size,
            heads: c.num_attention_heads,
            intermediate: c.intermediate_size,
            eps: c.layer_norm_eps,
            act: c.hidden_act,
        };
        let tables = EmbeddingSizes {
            vocab: c.vocab_size,
            dim: c.hidden_size,
            positions: c.max_position_embeddings,
            offset: c.position_offset,
            types: c.type_vocab_size,
            eps: c.layer_norm_eps,
        };
        let layer = |i| Layer::load(&root.sub("encoder.layer").sub(i), &NAMES, &sizes);
        Ok(Self {
            embeddings: Embeddings::load(&root.sub("embeddings"), &tables)?,
            layers: (0..c.num_hidden_layers).map(layer).collect::<Loaded<_>>()?,
        })
    }

    /// Ids `[batch, tokens]` → `[batch, tokens, hidden]`; `bias` keeps attention off the padding.
    pub fn forward(&self, ids: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
        let embedded = self.embeddings.forward(ids)?;
        self.layers.iter().try_fold(embedded, |x, layer| layer.forward(&x, bias))
    }
}
