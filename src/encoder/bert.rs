//! BERT, and XLM-R, which is BERT with RoBERTa's positions: where its parts lie in a file.

use simile_compute::transformer::Sizes;

use super::BertConfig;
use super::blueprint::{Blueprint, LayerFiles, Names, Shape, Tables, embeddings};
use super::error::Loaded;
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

pub fn shape(c: &BertConfig) -> Shape {
    let sizes = Sizes {
        embedding: c.hidden_size,
        hidden: c.hidden_size,
        heads: c.num_attention_heads,
        inner: c.intermediate_size,
        act: c.hidden_act.into(),
    };
    Shape { sizes, order: (0..c.num_hidden_layers).collect() }
}

/// The network without its heads, in the names of Hugging Face, with or without `prefix` before them.
pub fn read<'a>(weights: &'a Weights, c: &BertConfig, prefix: &str) -> Loaded<Blueprint<'a>> {
    let prefixed = weights.has(&format!("{prefix}embeddings.word_embeddings.weight"));
    let root = weights.root(if prefixed { prefix } else { "" });
    let tables = Tables {
        vocab: c.vocab_size,
        dim: c.hidden_size,
        positions: c.max_position_embeddings,
        offset: c.position_offset,
        types: c.type_vocab_size,
        eps: c.layer_norm_eps,
    };
    let embeddings = embeddings(&root.sub("embeddings"), &tables, None)?;
    let scopes = (0..c.num_hidden_layers).map(|i| root.sub("encoder.layer").sub(i)).collect();
    let shape = shape(c);
    let layers = LayerFiles { scopes, weights, names: &NAMES, sizes: shape.sizes, eps: c.layer_norm_eps };
    Ok(Blueprint { shape, embeddings, layers })
}
