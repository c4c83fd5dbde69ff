//! What sentence-transformers keeps beside a text network: its modules, their length, the prompts.

use std::path::{Component, Path};

use serde::Deserialize;
use serde_json::Value;

use super::{CONFIG, Folder};
use crate::encoder::card::Card;
use crate::encoder::{EncoderError, Pooling, Squash, Step};

#[derive(Default)]
pub struct Sentences {
    pub pooling: Option<Pooling>,
    pub max_tokens: Option<usize>,
    pub query: String,
    pub passage: String,
}

/// An entry of `modules.json`.
#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
    path: String,
}

impl Module {
    /// The class's own name: the packages around it change with the version.
    fn kind(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or_default()
    }
}

impl Folder<'_> {
    /// A card in the folder wins, then the folder's own files, then what simile knows of that name.
    pub(super) fn sentences(
        &self,
        own: Option<&Card>,
        card: Option<&Card>,
    ) -> Result<Sentences, EncoderError> {
        let (mut query, mut passage) = self.prompts()?;
        if let Some(own) = own {
            (query, passage) = (own.prefixes.query.clone(), own.prefixes.passage.clone());
        } else if let Some(card) = card.filter(|_| query.is_empty() && passage.is_empty()) {
            (query, passage) = (card.prefixes.query.clone(), card.prefixes.passage.clone());
        }
        let pooling = match own.and_then(|card| card.pooling) {
            Some(pooling) => Some(pooling),
            None => self.pooling()?.or(card.and_then(|card| card.pooling)),
        };
        let max_tokens = match own.and_then(|card| card.max_tokens) {
            Some(max) => Some(max),
            None => self.max_tokens()?.or(card.and_then(|card| card.max_tokens)),
        };
        Ok(Sentences { pooling, max_tokens, query, passage })
    }

    fn prompts(&self) -> Result<(String, String), EncoderError> {
        let Some(config) = self.json::<Value>("config_sentence_transformers.json")? else {
            return Ok(Default::default());
        };
        let default = config.get("default_prompt_name").and_then(Value::as_str);
        let prompt = |names: &[&str]| {
            let all = names.iter().copied().chain(default);
            let found =
                all.filter_map(|name| config.get("prompts")?.get(name)?.as_str()).find(|p| !p.is_empty());
            found.unwrap_or_default().to_owned()
        };
        Ok((prompt(&["query"]), prompt(&["document", "passage", "corpus"])))
    }

    fn max_tokens(&self) -> Result<Option<usize>, EncoderError> {
        let file = "sentence_bert_config.json";
        let sentence: Value = self.json(file)?.unwrap_or_default();
        if sentence.get("do_lower_case").and_then(Value::as_bool) == Some(true) {
            return Err(self.unusable(format!("{file}: do_lower_case is not computed; choose another model")));
        }
        if let Some(n) = sentence.get("max_seq_length").and_then(Value::as_u64) {
            return Ok(Some(n as usize));
        }
        let tokenizer: Option<Value> = self.json("tokenizer_config.json")?;
        // Where nobody set it, transformers writes 1e30.
        let max = tokenizer.as_ref().and_then(|c| c.get("model_max_length")).and_then(Value::as_u64);
        Ok(max.filter(|&n| n <= 1 << 20).map(|n| n as usize))
    }

    /// In order; the network, then pooling, then what [`Folder::head`] computes.
    fn modules(&self) -> Result<Vec<Module>, EncoderError> {
        let modules: Vec<Module> = self.json("modules.json")?.unwrap_or_default();
        for (i, module) in modules.iter().enumerate() {
            let kind = module.kind();
            let place = match kind {
                "Transformer" => i == 0,
                "Pooling" => i == 1,
                "Normalize" | "Dense" => i > 1,
                _ => {
                    return Err(self.unusable(format!(
                        "modules.json: a {kind} is not computed; Transformer, Pooling, Dense and Normalize are. Choose \
                         another model"
                    )));
                }
            };
            if !place {
                return Err(self.unusable(format!("modules.json: a {kind} at place {i} is not computed")));
            }
            if kind == "Transformer" && !module.path.is_empty() {
                let from = &module.path;
                return Err(
                    self.unusable(format!("its network lies in {from}; copy the files of {from} here"))
                );
            }
            if !Path::new(&module.path).components().all(|c| matches!(c, Component::Normal(_))) {
                return Err(
                    self.flaw("modules.json", format!("path {:?} leads out of the folder", module.path))
                );
            }
        }
        Ok(modules)
    }

    fn pooling(&self) -> Result<Option<Pooling>, EncoderError> {
        let modules = self.modules()?;
        let place = modules.iter().find(|m| m.kind() == "Pooling").map_or("1_Pooling", |m| m.path.as_str());
        let file = format!("{place}/{CONFIG}");
        let Some(config) = self.json::<Value>(&file)? else { return Ok(None) };
        let on: Vec<&str> = match (config.get("pooling_mode").and_then(Value::as_str), config.as_object()) {
            (Some(mode), _) => vec![mode],
            (None, Some(fields)) => {
                let modes = fields.iter().filter(|(_, value)| value.as_bool() == Some(true));
                modes.filter_map(|(key, _)| key.strip_prefix("pooling_mode_")).collect()
            }
            _ => Vec::new(),
        };
        match on.as_slice() {
            ["cls" | "cls_token"] => Ok(Some(Pooling::Cls)),
            ["mean" | "mean_tokens"] => Ok(Some(Pooling::Mean)),
            ["max" | "max_tokens"] => Ok(Some(Pooling::Max)),
            ["mean_sqrt_len" | "mean_sqrt_len_tokens"] => Ok(Some(Pooling::MeanSqrtLen)),
            other => Err(self.unusable(format!(
                "{file}: pooling {other:?} is not computed; one of cls, mean, max and mean_sqrt_len is"
            ))),
        }
    }

    /// What follows pooling, up to the last Dense: a vector's length is made 1 in any case.
    pub(super) fn head(&self) -> Result<Vec<Step>, EncoderError> {
        let modules = self.modules()?;
        let after = modules.iter().skip(2);
        let step = |module: &Module| match module.kind() {
            "Dense" => self.dense(&module.path),
            _ => Ok(Step::Normalize),
        };
        let mut steps = after.map(step).collect::<Result<Vec<_>, _>>()?;
        while steps.last().is_some_and(|step| matches!(step, Step::Normalize)) {
            steps.pop();
        }
        Ok(steps)
    }

    fn dense(&self, place: &str) -> Result<Step, EncoderError> {
        #[derive(Deserialize)]
        struct Dense {
            in_features: usize,
            out_features: usize,
            #[serde(default = "yes")]
            bias: bool,
            activation_function: Option<String>,
        }
        fn yes() -> bool {
            true
        }
        let file = format!("{place}/{CONFIG}");
        let Some(config) = self.json::<Dense>(&file)? else {
            return Err(self.unusable(format!("{file} is missing; copy it from where the weights came from")));
        };
        let squash = match config.activation_function.as_deref().and_then(|name| name.rsplit('.').next()) {
            Some("Identity") => Squash::Identity,
            // sentence-transformers' own default.
            Some("Tanh") | None => Squash::Tanh,
            Some(other) => {
                return Err(self.unusable(format!(
                    "{file}: activation {other} is not computed; Tanh and Identity are. Choose another model"
                )));
            }
        };
        let weights = Folder { path: &self.path.join(place) }.weights()?;
        Ok(Step::Dense {
            input: config.in_features,
            output: config.out_features,
            bias: config.bias,
            squash,
            weights,
        })
    }
}
