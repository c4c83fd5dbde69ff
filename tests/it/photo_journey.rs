//! Photos with captions in a real browser: the table goes up with them or by itself, and a photo and words search together.
//! The captions are Chinese: no encoder of theirs can be had without a hub, so they get the one that needs no file.

use fantoccini::Locator;
use image::ImageFormat;
use serde_json::json;

use crate::home::{PHOTO_ENCODER, photo};
use crate::journey::{Driver, Person};
use crate::web::{Part, TestApp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captions_go_up_and_a_photo_and_words_search_together() {
    let app = TestApp::start();
    let trip = app.folder.path().join("trip");
    std::fs::create_dir_all(trip.join("day")).unwrap();
    for seed in 0..5 {
        std::fs::write(trip.join(format!("day/{seed}.jpg")), photo(seed, ImageFormat::Jpeg)).unwrap();
    }
    let table = "photo,caption,tags,date\nday/0.jpg,红色的消防车停在站前,红,2023\n\
                 day/1.jpg,池塘里有两只鸭子 & <b>芦苇</b>,水,2024-05\n9.jpg,没有人拍过这一张,,\n";
    std::fs::write(trip.join("told.csv"), table).unwrap();
    let late = app.folder.path().join("late.csv");
    std::fs::write(&late, "photo,caption\nday/2.jpg,黄昏的灯塔\n").unwrap();

    let driver = Driver::start();
    let client = driver.browser(&app.folder.path().join("profile")).await;
    let person = Person(client.clone());
    let home = format!("http://{}", app.address);

    // The folder with the table in it: the photos have their words when it is done, and what fits no photo is told.
    client.goto(&format!("{home}/c/photos?kind=photos")).await.unwrap();
    person.sees("#folder").await.send_keys(trip.to_str().unwrap()).await.unwrap();
    person.reads(".uploading .plan", "6 files").await;
    person.sees(".begin").await.click().await.unwrap();
    person.reads(".uploading .state", "Done: 5 new").await;
    let open = "document.querySelector('.uploading .rejects').open = true";
    client.execute(open, vec![]).await.unwrap();
    person.reads(".uploading .rejects", "told.csv:4").await;
    client.goto(&format!("{home}/c/photos")).await.unwrap();
    person.reads(".facts", "2, ngram-hash").await;

    // Another table by itself, for photos that are there already.
    person.sees("#files").await.send_keys(late.to_str().unwrap()).await.unwrap();
    person.reads(".uploading .plan", "1 file").await;
    person.sees(".begin").await.click().await.unwrap();
    person.reads(".uploading .state", "Done").await;
    client.goto(&format!("{home}/jobs")).await.unwrap();
    person.reads(".job", "1 captions").await;
    client.goto(&format!("{home}/c/photos")).await.unwrap();
    person.reads(".facts", "3, ngram-hash").await;

    // Words alone find by the caption, which is shown as it was written.
    client.goto(&format!("{home}/?c=photos")).await.unwrap();
    person.sees("#q").await.send_keys("池塘里的鸭子").await.unwrap();
    person.is_at("q=%E6%B1%A0").await;
    person.reads("#grid .hit", "池塘里有两只鸭子 & <b>芦苇</b>").await;
    assert_eq!(person.names().await[0], "day/1.jpg");
    person.reads("#grid .hit", "by its caption").await;

    // A photo beside the words: both count, and each hit says by what it was found.
    person.sees("#file").await.send_keys(trip.join("day/3.jpg").to_str().unwrap()).await.unwrap();
    person.is_at("photo=").await;
    person.is_at("q=%E6%B1%A0").await;
    person.reads("#results", "photo and words").await;
    let names = person.names().await;
    // Whoever has a place in both rankings comes before the photo that looks most alike and has no words.
    let of_day_3 = names.iter().position(|name| name == "day/3.jpg");
    assert_eq!((names[0].as_str(), of_day_3), ("day/1.jpg", Some(3)), "{names:?}");
    person.reads("#grid", "by its picture and its caption").await;

    // Other words with the same photo, typed on; then the photo is taken away, and the words stay.
    let box_ = person.sees("#q").await;
    box_.clear().await.unwrap();
    box_.send_keys("黄昏的灯塔").await.unwrap();
    person.is_at("q=%E9%BB%84").await;
    person.is_at("photo=").await;
    assert!(person.names().await[..3].contains(&"day/2.jpg".to_owned()));
    person.sees(".chip a").await.click().await.unwrap();
    person.reads("#grid .hit", "黄昏的灯塔").await;
    let url = client.current_url().await.unwrap();
    assert!(!url.as_str().contains("photo=") && url.as_str().contains("q=%E9%BB%84"), "{url}");
    assert!(client.find_all(Locator::Css(".chip")).await.unwrap().is_empty());
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_captions_get_another_encoder_on_the_collections_page() {
    let app = TestApp::start();
    app.photos();
    for (seed, caption) in [(0, "红色的消防车"), (1, "池塘里的两只鸭子"), (2, "")] {
        let bytes = photo(seed, ImageFormat::Jpeg);
        let parts = [Part::Field("caption", caption), Part::File("photo", "p.jpg", &bytes)];
        let put = app.put_form(&format!("/api/v1/collections/photos/items/{seed}.jpg"), &parts);
        assert_eq!(put.status, 201, "{}", put.text());
    }
    let info = app.get("/api/v1/collections/photos").json();
    assert_eq!((&info["caption_encoder"], &info["captions"]), (&json!("ngram-hash"), &json!(2)));
    assert_eq!(info["encoder"], PHOTO_ENCODER);

    let driver = Driver::start();
    let client = driver.browser(&app.folder.path().join("profile")).await;
    let person = Person(client.clone());
    let home = format!("http://{}", app.address);
    client.goto(&format!("{home}/c/photos")).await.unwrap();
    person.reads("#caption-encoder h2", "Encoder of the captions").await;
    person.sees("#caption-encoder summary").await.click().await.unwrap();
    person.sees("#caption-encoder select").await.select_by_label("bert").await.unwrap();
    person.sees("#caption-encoder details button").await.click().await.unwrap();
    person.is_at("/jobs#job-").await;
    person.reads(".job", "Switching the captions' encoder: photos").await;
    person.reads(".job", "bert took over, 2 encoded").await;
    client.goto(&format!("{home}/c/photos")).await.unwrap();
    person.reads(".facts", "2, bert").await;
    client.goto(&format!("{home}/?c=photos&q=%E9%B8%AD%E5%AD%90")).await.unwrap();
    person.reads("#grid .hit", "池塘里的两只鸭子").await;
    client.close().await.unwrap();
}
