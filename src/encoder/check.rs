//! Whether a configuration can be computed at all, asked before a file is opened.

use super::{AlbertConfig, Architecture, BertConfig, EncoderSpec, Modality, ResNetConfig, Step};

/// Larger than any published encoder; keeps hostile configs from asking for absurd memory.
const MOST: usize = 1 << 24;

/// What is wrong with `spec`, in words that follow its name.
pub fn check(spec: &EncoderSpec) -> Result<(), String> {
    match (&spec.architecture, spec.modality) {
        (Architecture::Bert(c), Modality::Text) => bert(c)?,
        (Architecture::XlmRoberta(c), Modality::Text) => {
            bert(c)?;
            if c.position_offset == 0 {
                return Err("an XLM-R whose positions begin at 0".to_owned());
            }
        }
        (Architecture::Albert(c), Modality::Text) => albert(c)?,
        (Architecture::ResNet(c), Modality::Photo) => resnet(c)?,
        (Architecture::NgramHash(_), Modality::Text) => return Ok(()),
        (Architecture::ResNet(_), Modality::Text) => return Err("a ResNet that reads text".to_owned()),
        (_, Modality::Photo) => return Err("a text network that reads photos".to_owned()),
    }
    match spec.modality {
        Modality::Text if spec.files.tokenizer.is_none() => {
            Err("a text encoder without a tokenizer".to_owned())
        }
        Modality::Text => head(spec),
        Modality::Photo => preprocess(spec),
    }
}

fn head(spec: &EncoderSpec) -> Result<(), String> {
    let mut before = spec.architecture.dim();
    for step in &spec.head {
        if let Step::Dense { input, output, .. } = step {
            sizes(&[("in_features", *input), ("out_features", *output)])?;
            if *input != before {
                return Err(format!("a dense layer of {input} numbers behind {before}"));
            }
            before = *output;
        }
    }
    Ok(())
}

fn preprocess(spec: &EncoderSpec) -> Result<(), String> {
    let Some(p) = &spec.preprocess else { return Err("a photo encoder without preprocessing".to_owned()) };
    if p.crop < 32 || p.crop > 2048 || p.short < p.crop || p.short > 4096 {
        return Err(format!(
            "a crop of {} from a short side of {} (32 to 2048, at most the short side)",
            p.crop, p.short
        ));
    }
    let sound = p.mean.iter().all(|m| m.is_finite()) && p.std.iter().all(|s| s.is_finite() && *s > 0.0);
    if sound { Ok(()) } else { Err(format!("mean {:?} with std {:?}", p.mean, p.std)) }
}

fn bert(c: &BertConfig) -> Result<(), String> {
    sizes(&[
        ("vocab_size", c.vocab_size),
        ("hidden_size", c.hidden_size),
        ("num_hidden_layers", c.num_hidden_layers),
        ("num_attention_heads", c.num_attention_heads),
        ("intermediate_size", c.intermediate_size),
        ("max_position_embeddings", c.max_position_embeddings),
        ("type_vocab_size", c.type_vocab_size),
    ])?;
    if c.position_offset >= c.max_position_embeddings {
        return Err(format!(
            "position_offset {} of {} positions",
            c.position_offset, c.max_position_embeddings
        ));
    }
    transformer(c.hidden_size, c.num_attention_heads, c.layer_norm_eps, &c.position_embedding_type)
}

fn albert(c: &AlbertConfig) -> Result<(), String> {
    sizes(&[
        ("vocab_size", c.vocab_size),
        ("embedding_size", c.embedding_size),
        ("hidden_size", c.hidden_size),
        ("num_hidden_layers", c.num_hidden_layers),
        ("num_hidden_groups", c.num_hidden_groups),
        ("inner_group_num", c.inner_group_num),
        ("num_attention_heads", c.num_attention_heads),
        ("intermediate_size", c.intermediate_size),
        ("max_position_embeddings", c.max_position_embeddings),
        ("type_vocab_size", c.type_vocab_size),
    ])?;
    if c.num_hidden_groups > c.num_hidden_layers {
        return Err(format!("{} groups of {} layers", c.num_hidden_groups, c.num_hidden_layers));
    }
    transformer(c.hidden_size, c.num_attention_heads, c.layer_norm_eps, &c.position_embedding_type)
}

fn transformer(hidden: usize, heads: usize, eps: f64, positions: &str) -> Result<(), String> {
    if !hidden.is_multiple_of(heads) {
        return Err(format!("hidden_size {hidden} over {heads} attention heads"));
    }
    if !(eps.is_finite() && eps >= 0.0) {
        return Err(format!("layer_norm_eps {eps}"));
    }
    if positions != "absolute" {
        return Err(format!("position_embedding_type {positions:?} (absolute is known)"));
    }
    Ok(())
}

fn resnet(c: &ResNetConfig) -> Result<(), String> {
    sizes(&[("width", c.width)])?;
    match c.layers.iter().find(|&&n| n == 0 || n > 1000) {
        Some(n) => Err(format!("a stage of {n} blocks")),
        None => Ok(()),
    }
}

fn sizes(named: &[(&str, usize)]) -> Result<(), String> {
    match named.iter().find(|(_, n)| !(1..=MOST).contains(n)) {
        Some((name, n)) => Err(format!("{name} {n}")),
        None => Ok(()),
    }
}
