//! What is read of the formats that others save: timm, sentence-transformers, PyTorch, TensorFlow.

use super::*;

#[test]
fn a_timm_folder_is_read_with_its_preprocessing() {
    let home = Home::new();
    // Weights of another width: the config is understood, the weights are found not to be its own.
    let folder = home.root().join("mine");
    copy(&fixture("resnet_basic"), &folder);
    fs::write(
        folder.join("config.json"),
        r#"{"architecture": "resnet18", "num_features": 512, "pretrained_cfg": {"input_size": [3, 224, 224],
            "crop_pct": 0.95, "interpolation": "bicubic", "crop_mode": "center"}}"#,
    )
    .unwrap();
    fs::remove_file(folder.join("expected.safetensors")).unwrap();
    let e = entry(&home.catalog(), "mine");
    let why = e.why.unwrap();
    assert!(why.contains("conv1.weight has shape [8, 3, 7, 7]"), "{why}");
    fs::write(folder.join("config.json"), r#"{"architecture": "resnet18d"}"#).unwrap();
    let why = entry(&home.catalog(), "mine").why.unwrap();
    assert!(why.contains("resnet18d"), "{why}");
}

/// ../bert with what sentence-transformers saved around it.
fn sentences(home: &Home, variant: &str) -> PathBuf {
    let folder = home.root().join(variant);
    copy(&fixture("bert"), &folder);
    for entry in walkdir::WalkDir::new(fixture("sentences").join(variant)).into_iter().flatten() {
        let to = folder.join(entry.path().strip_prefix(fixture("sentences").join(variant)).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).unwrap();
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
    folder
}

#[test]
fn modules_are_computed_as_sentence_transformers_does() {
    let home = Home::new();
    for variant in ["cls", "mean", "max", "mean_sqrt_len_tokens", "short", "tanh", "identity", "pickled"] {
        let folder = sentences(&home, variant);
        let expected: serde_json::Value =
            serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let e = entry(&home.catalog(), variant);
        assert_eq!(e.dim.map(|dim| u64::from(dim.get() as u32)), expected["dim"].as_u64(), "{:?}", e.why);
        let texts: Vec<&str> =
            expected["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        let encoder = home.catalog().load(&name(variant)).unwrap();
        let batch = encoder.encode_texts(&texts, Role::Query).unwrap();
        for (i, want) in expected["vectors"].as_array().unwrap().iter().enumerate() {
            let want: Vec<f32> = serde_json::from_value(want.clone()).unwrap();
            let alone = encoder.encode_texts(&texts[i..=i], Role::Query).unwrap().remove(0);
            for got in [&batch[i], &alone] {
                let worst =
                    got.vector.as_slice().iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(worst <= 2e-5, "{variant} {:?}: {worst}", texts[i]);
            }
        }
    }
    let catalog = home.catalog();
    let [a, b] = ["tanh", "pickled"].map(|n| catalog.load(&name(n)).unwrap().space_id().clone());
    assert_ne!(a, b, "the file of the head is part of the space");
}

#[test]
fn modules_that_are_not_computed_are_refused_by_name() {
    let home = Home::new();
    let folder = sentences(&home, "tanh");
    let change = |file: &str, from: &str, to: &str| {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        assert!(text.contains(from));
        fs::write(folder.join(file), text.replace(from, to)).unwrap();
        let why = entry(&home.catalog(), "tanh").why.unwrap();
        assert_eq!(home.catalog().load(&name("tanh")).err().unwrap().to_string(), why);
        fs::write(folder.join(file), text).unwrap();
        why
    };
    let why = change("modules.json", "dense.Dense", "lstm.LSTM");
    assert!(why.contains("a LSTM is not computed"), "{why}");
    let why = change("modules.json", "\"path\": \"\"", "\"path\": \"0_Transformer\"");
    assert!(why.contains("copy the files of 0_Transformer"), "{why}");
    let why = change("modules.json", "2_Dense", "../2_Dense");
    assert!(why.contains("leads out"), "{why}");
    let why = change("2_Dense/config.json", "activation.Tanh", "activation.GLU");
    assert!(why.contains("activation GLU"), "{why}");
    let why = change("2_Dense/config.json", "\"in_features\": 32", "\"in_features\": 31");
    assert!(why.contains("31 numbers behind 32"), "{why}");
    let why = change("1_Pooling/config.json", "mean_sqrt_len_tokens", "weightedmean");
    assert!(why.contains("weightedmean"), "{why}");
    fs::remove_file(folder.join("2_Dense/model.safetensors")).unwrap();
    let why = entry(&home.catalog(), "tanh").why.unwrap();
    assert!(why.contains("2_Dense: it has no weights"), "{why}");
}

#[test]
fn weights_of_other_programs_are_refused_with_what_converts_them() {
    let home = Home::new();
    let google = home.root().join("google");
    fs::create_dir_all(&google).unwrap();
    for file in
        ["bert_model.ckpt.index", "bert_model.ckpt.data-00000-of-00001", "bert_config.json", "vocab.txt"]
    {
        fs::write(google.join(file), "{}").unwrap();
    }
    let keras = home.root().join("keras");
    copy(&fixture("bert"), &keras);
    fs::rename(keras.join("model.safetensors"), keras.join("tf_model.h5")).unwrap();
    for (folder, says) in [("google", "--tf_checkpoint_path"), ("keras", "from_tf=True")] {
        let error = home.catalog().load(&name(folder)).err().unwrap();
        assert_eq!(error.code(), "model.tensorflow");
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(entry(&home.catalog(), folder).why, Some(error.to_string()));
    }
    // What that command leaves there is read, with Google's own name for the config.
    let config = fs::read_to_string(fixture("bert").join("config.json")).unwrap();
    let config = config.replace("\"model_type\": \"bert\"", "\"comment\": \"\"");
    fs::write(google.join("bert_config.json"), config).unwrap();
    fs::copy(fixture("pickle").join("pytorch_model.bin"), google.join("pytorch_model.bin")).unwrap();
    fs::copy(fixture("bert").join("tokenizer.json"), google.join("tokenizer.json")).unwrap();
    assert_eq!(entry(&home.catalog(), "google").state, State::OnDisk);

    let old = home.root().join("old");
    fs::create_dir_all(&old).unwrap();
    fs::copy(fixture("torchvision").join("old.pth"), old.join("resnet18-f37072fd.pth")).unwrap();
    let error = home.catalog().load(&name("old")).err().unwrap();
    assert_eq!(error.code(), "model.legacy_pickle");
    fs::copy(fixture("torchvision").join("plain.pth"), old.join("resnet18-f37072fd.pth")).unwrap();
    let why = entry(&home.catalog(), "old").why.unwrap();
    assert!(why.contains("its config wants [64, 3, 7, 7]"), "depth is told by the name: {why}");
}

#[test]
fn a_model_of_many_languages_is_read_from_its_folder() {
    let home = Home::new();
    let folder = home.root().join("many");
    copy(&fixture("multilingual"), &folder);
    fs::write(folder.join("README.md"), "---\nlanguage: multilingual\n---").unwrap();
    let e = entry(&home.catalog(), "many");
    assert_eq!((e.architecture.as_deref(), e.dim.unwrap().get()), (Some("XLM-R"), 32), "{:?}", e.why);
    let best = home.catalog().best_or_pull(Modality::Text, Some(Language::Mixed), &quiet).unwrap();
    assert_eq!(best.name.as_str(), "many");
    let expected: serde_json::Value =
        serde_json::from_slice(&fs::read(fixture("multilingual").join("expected.json")).unwrap()).unwrap();
    let texts: Vec<&str> =
        expected["texts"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    let encoder = home.catalog().load(&name("many")).unwrap();
    assert!(texts.iter().all(|text| encoder.reads(text)));
    let got = encoder.encode_texts(&texts, Role::Query).unwrap();
    for (got, want) in got.iter().zip(expected["mean"].as_array().unwrap()) {
        let want: Vec<f32> = serde_json::from_value(want.clone()).unwrap();
        let worst = got.vector.as_slice().iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 2e-5, "{worst}");
    }
    // Chinese alone on disk is better for a mixed table than no meaning at all.
    fs::write(folder.join("README.md"), "---\nlanguage: zh\n---").unwrap();
    let best = home.catalog().best_or_pull(Modality::Text, Some(Language::Mixed), &quiet).unwrap();
    assert_eq!(best.name.as_str(), "many");
}
