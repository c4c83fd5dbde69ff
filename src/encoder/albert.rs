//! ALBERT: factorised embeddings, and few layers used many times; where its parts lie in a file.

use simile_compute::transformer::Sizes;

use super::AlbertConfig;
use super::blueprint::{Blueprint, LayerFiles, Names, Shape, Tables, embeddings, linear};
use super::error::Loaded;
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

pub fn shape(c: &AlbertConfig) -> Shape {
    let sizes = Sizes {
        embedding: c.embedding_size,
        hidden: c.hidden_size,
        heads: c.num_attention_heads,
        inner: c.intermediate_size,
        act: c.hidden_act.into(),
    };
    // Layer i is of group ⌊i · groups / layers⌋, as in transformers.
    let inner = c.inner_group_num;
    let of = |i| i * c.num_hidden_groups / c.num_hidden_layers * inner;
    Shape { sizes, order: (0..c.num_hidden_layers).flat_map(|i| of(i)..of(i) + inner).collect() }
}

/// ALBERT without its heads, in the names of Hugging Face, with or without `albert.` before them.
pub fn read<'a>(weights: &'a Weights, c: &AlbertConfig) -> Loaded<Blueprint<'a>> {
    let prefixed = weights.has("albert.embeddings.word_embeddings.weight");
    let root = weights.root(if prefixed { "albert." } else { "" });
    let tables = Tables {
        vocab: c.vocab_size,
        dim: c.embedding_size,
        positions: c.max_position_embeddings,
        offset: 0,
        types: c.type_vocab_size,
        eps: c.layer_norm_eps,
    };
    let encoder = root.sub("encoder");
    let widen = linear(&encoder.sub("embedding_hidden_mapping_in"), c.embedding_size, c.hidden_size)?;
    let embeddings = embeddings(&root.sub("embeddings"), &tables, Some(widen))?;
    let (groups, inner) = (c.num_hidden_groups, c.inner_group_num);
    let group = |g| encoder.sub("albert_layer_groups").sub(g).sub("albert_layers");
    let scopes =
        (0..groups).flat_map(|g| (0..inner).map(move |i| (g, i))).map(|(g, i)| group(g).sub(i)).collect();
    let shape = shape(c);
    let layers = LayerFiles { scopes, weights, names: &NAMES, sizes: shape.sizes, eps: c.layer_norm_eps };
    Ok(Blueprint { shape, embeddings, layers })
}
