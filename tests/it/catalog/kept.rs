//! Files that are compared with what came, and models that a person adds, verifies and removes.

use super::*;

#[test]
fn files_that_changed_since_they_came_are_not_loaded() {
    let home = Home::new();
    home.card(&format!("[[sources]]\nkind = \"folder\"\npath = {:?}\n", fixture("bert")));
    home.catalog().pull(&name("small"), &quiet).unwrap();
    let catalog = home.catalog();
    catalog.load(&name("small")).unwrap();
    assert_eq!(catalog.verify(&name("small")).unwrap().files, 3);
    let weights = home.places.pulled.join("small/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    for error in [catalog.load(&name("small")).err().unwrap(), catalog.verify(&name("small")).err().unwrap()]
    {
        assert_eq!(error.code(), "model.changed");
        assert!(error.to_string().contains("simile models remove small"), "{error}");
    }
}

/// What simile wrote down holds wherever the folder is copied; another program's `manifest.json` says nothing.
#[test]
fn a_copy_of_a_kept_folder_is_held_to_its_manifest() {
    let home = Home::new();
    home.catalog().add(&fixture("bert"), &name("mine"), false).unwrap();
    let (kept, copied) = (home.places.pulled.join("mine"), home.root().join("copied"));
    copy(&kept, &copied);
    home.catalog().load(&name("copied")).unwrap();

    let weights = copied.join("model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    let told = home.catalog().load(&name("copied")).err().unwrap();
    assert_eq!(told.code(), "model.changed");
    assert!(told.to_string().contains("remove manifest.json"), "{told}");

    fs::write(copied.join("manifest.json"), r#"{"name": "an extension", "manifest_version": 3}"#).unwrap();
    home.catalog().load(&name("copied")).unwrap();
}

#[test]
fn the_starter_in_the_box_is_what_was_shipped() {
    let mut home = Home::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet50-starter");
    home.places.own = vec![shipped.parent().unwrap().to_owned()];
    let starter = home.catalog().load(&name("resnet50-starter")).unwrap();
    assert_eq!(starter.dim().get(), 2048);
    home.places.own = vec![home.dir.path().join("own")];
    let copied = home.places.own[0].join("resnet50-starter");
    copy(&shipped, &copied);
    let weights = copied.join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    for (bytes, code) in [
        (
            {
                let mut b = whole.clone();
                *b.last_mut().unwrap() ^= 1;
                b
            },
            "model.changed",
        ),
        (whole[..whole.len() / 2].to_vec(), "model.damaged"),
    ] {
        fs::write(&weights, bytes).unwrap();
        assert_eq!(home.catalog().load(&name("resnet50-starter")).err().unwrap().code(), code);
    }
}

#[test]
fn an_added_model_is_verified_only_where_its_samples_ran() {
    let home = Home::new();
    let mine = home.dir.path().join("mine");
    copy(&fixture("bert"), &mine);
    fs::write(mine.join("optimizer.pt"), "not the model's").unwrap();
    let catalog = home.catalog();
    let understood = catalog.add(&mine, &name("mine"), false).unwrap();
    assert_eq!((understood.entry.origin, understood.max_tokens), (Origin::Pulled, Some(24)));
    assert!(!home.places.pulled.join("mine/optimizer.pt").exists());
    assert_eq!(catalog.add(&mine, &name("mine"), false).err().unwrap().code(), "encoder.exists");
    let plain = catalog.verify(&name("mine")).unwrap();
    assert_eq!((plain.verified, plain.samples), (false, 0));
    assert!(plain.files >= 3 && !entry(&catalog, "mine").verified);

    let vector = catalog.load(&name("mine")).unwrap().encode_texts(&["red car"], Role::Passage).unwrap();
    let starts = vector[0].vector.as_slice()[..4].to_vec();
    let card = |starts: &[f32]| {
        format!(
            "name = \"sampled\"\ntitle = \"S\"\nmodality = \"text\"\narchitecture = \"bert\"\ndim = 32\n\
             pooling = \"mean\"\n[[parity]]\ntext = \"red car\"\nstarts = {starts:?}\n"
        )
    };
    fs::write(mine.join("card.toml"), card(&starts)).unwrap();
    catalog.add(&mine, &name("sampled"), true).unwrap();
    assert!(!entry(&catalog, "sampled").verified);
    assert!(catalog.verify(&name("sampled")).unwrap().verified && entry(&catalog, "sampled").verified);
    // Other weights under the same name are not verified any more.
    fs::copy(fixture("bert").join("model.safetensors"), mine.join("model.safetensors")).unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    fs::File::options()
        .write(true)
        .open(mine.join("model.safetensors"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert!(!entry(&catalog, "sampled").verified);
    fs::write(mine.join("card.toml"), card(&[9.0])).unwrap();
    assert_eq!(catalog.verify(&name("sampled")).err().unwrap().code(), "encoder.parity");

    let used = catalog.remove(&name("mine"), vec!["faq".to_owned()], false).err().unwrap();
    assert_eq!(used.code(), "encoder.in_use");
    catalog.remove(&name("mine"), vec!["faq".to_owned()], true).unwrap();
    catalog.remove(&name("sampled"), Vec::new(), false).unwrap();
    assert!(mine.join("model.safetensors").is_file(), "of a linked folder only the link goes");
    copy(&fixture("bert"), &home.root().join("yours"));
    assert_eq!(
        catalog.remove(&name("yours"), Vec::new(), true).err().unwrap().code(),
        "encoder.not_removable"
    );
    assert_eq!(catalog.remove(&name("nothing"), Vec::new(), true).err().unwrap().code(), "encoder.unknown");
}

#[test]
fn a_photo_encoder_is_verified_where_its_samples_ran() {
    let mut home = Home::new();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/resnet50-starter");
    home.places.own = vec![shipped.parent().unwrap().to_owned()];
    let starter = name("resnet50-starter");
    assert!(!entry(&home.catalog(), starter.as_str()).verified, "nobody ran its samples yet");
    let found = home.catalog().verify(&starter).unwrap();
    assert!(found.verified && found.samples == 4, "{found:?}");
    println!("off by {:?}", found.error);
    assert!(entry(&home.catalog(), starter.as_str()).verified);

    // The same weights behind another preprocessing make other vectors, and samples that are not there prove nothing.
    home.places.own = vec![home.dir.path().join("own")];
    let copied = home.places.own[0].join(starter.as_str());
    copy(&shipped, &copied);
    let card = fs::read_to_string(copied.join("card.toml")).unwrap();
    for (from, to, code) in [
        ("filter = \"bilinear\"", "filter = \"bicubic\"", "encoder.parity"),
        ("input = 96", "input = 112", "encoder.parity"),
        ("cats/black-cat.jpg", "cats/white-cat.jpg", "model.config"),
        ("folded = [", "folded = [9.0, ", "encoder.parity"),
    ] {
        assert!(card.contains(from));
        fs::write(copied.join("card.toml"), card.replace(from, to)).unwrap();
        assert_eq!(home.catalog().verify(&starter).err().map(|e| e.code()), Some(code), "{to}");
    }
    let empty = card.split("[[parity]]").next().unwrap().to_owned()
        + "[[parity]]\nphoto = \"cats/black-cat.jpg\"\nfolded = []\n";
    fs::write(copied.join("card.toml"), empty).unwrap();
    assert_eq!(home.catalog().verify(&starter).err().unwrap().code(), "encoder.parity");
    assert!(!entry(&home.catalog(), starter.as_str()).verified);
}
