//! A person's first ten minutes, in a real browser: upload a folder, watch it, search by photo, ask, switch language.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use image::ImageFormat;
use serde_json::{Value, json};

use crate::home::photo;
use crate::web::TestApp;

const PATIENCE: Duration = Duration::from_secs(60);

/// A WebDriver on a free port, ended with the test.
pub struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    pub fn start() -> Self {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: make test installs it (Debian: chromium-driver)");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = lines.by_ref().map(Result::unwrap).find(|l| l.contains("started successfully on port"));
        let said = said.expect("chromedriver tells its port");
        let port = said.rsplit(' ').next().unwrap().trim_end_matches('.').parse().unwrap();
        // Whatever it says later must have somewhere to go.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port }
    }

    pub async fn browser(&self, profile: &Path) -> Client {
        self.browser_with(profile, &[]).await
    }

    pub async fn browser_with(&self, profile: &Path, more: &[&str]) -> Client {
        let profile = format!("--user-data-dir={}", profile.display());
        let mut args = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--window-size=1280,900",
            "--lang=en-US",
            &profile,
        ];
        args.extend(more);
        let wanted: Value =
            json!({"goog:chromeOptions": {"args": args, "prefs": {"intl.accept_languages": "en-US,en"}}});
        let Value::Object(wanted) = wanted else { unreachable!() };
        let address = format!("http://127.0.0.1:{}", self.port);
        let client = ClientBuilder::new(HttpConnector::new()).capabilities(wanted).connect(&address).await;
        client.expect("a headless Chromium starts")
    }
}

impl Drop for Driver {
    /// Killed at once, it would leave the browsers of a failed test behind.
    fn drop(&mut self) {
        if let Ok(mut line) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = line.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = line.write_all(b"GET /shutdown HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
            let _ = line.read_to_end(&mut Vec::new());
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A page in the browser, with waits that say what they waited for.
pub struct Person(pub Client);

impl Person {
    pub async fn sees(&self, css: &str) -> Element {
        let found = self.0.wait().at_most(PATIENCE).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(e) => panic!("{css} did not come ({e}); the page:\n{}", self.text().await),
        }
    }

    pub async fn text(&self) -> String {
        self.0.find(Locator::Css("body")).await.unwrap().text().await.unwrap()
    }

    /// Waits until an element's text holds one of `words`.
    pub async fn reads(&self, css: &str, words: &str) -> String {
        let begin = Instant::now();
        loop {
            if let Ok(element) = self.0.find(Locator::Css(css)).await
                && let Ok(text) = element.text().await
                && text.contains(words)
            {
                return text;
            }
            assert!(
                begin.elapsed() < PATIENCE,
                "{css} never read {words:?}; the page:\n{}",
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the address holds `part`: pages change in place.
    pub async fn is_at(&self, part: &str) {
        let begin = Instant::now();
        loop {
            let url = self.0.current_url().await.unwrap();
            if url.as_str().contains(part) {
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "at {url}, not at {part}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The names of the photos found, best first.
    pub async fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for name in self.0.find_all(Locator::Css("#results .hit .name")).await.unwrap() {
            names.push(name.attr("title").await.unwrap().unwrap());
        }
        names
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_first_visit_to_an_answer() {
    let app = TestApp::start();
    let trip = app.folder.path().join("trip");
    std::fs::create_dir_all(trip.join("day one")).unwrap();
    for seed in 0..7 {
        std::fs::write(trip.join(format!("day one/{seed}.jpg")), photo(seed, ImageFormat::Jpeg)).unwrap();
    }
    std::fs::write(trip.join("照片 & \"<b>.png"), photo(20, ImageFormat::Png)).unwrap();
    std::fs::write(trip.join("cut.jpg"), &photo(21, ImageFormat::Jpeg)[..300]).unwrap();
    std::fs::write(trip.join("notes.txt"), "no picture").unwrap();
    let table = app.folder.path().join("help.csv");
    std::fs::write(
        &table,
        "question,answer\nHow do I log in?,Use your e-mail.\nWhere is my invoice?,Under billing.\n",
    )
    .unwrap();

    let driver = Driver::start();
    let client = driver.browser(&app.folder.path().join("profile")).await;
    let person = Person(client.clone());
    let home = format!("http://{}", app.address);

    // First visit: nothing is there, and the page leads on.
    client.goto(&home).await.unwrap();
    person.reads("main", "Nothing to search yet").await;
    person.sees("a[href='/c/photos?kind=photos']").await.click().await.unwrap();

    // A folder is chosen; its count is told, then it goes up file by file.
    person.sees("#folder").await.send_keys(trip.to_str().unwrap()).await.unwrap();
    person.reads(".uploading .plan", "9 files").await;
    person.reads(".uploading .plan", "left out: 1").await;
    person.sees(".begin").await.click().await.unwrap();
    person.reads(".uploading .state", "Done: 8 new").await;
    person.reads(".rejects", "Rejected").await;
    client.goto(&format!("{home}/jobs")).await.unwrap();
    person.reads(".job", "8 new").await;
    person.reads(".job .badge", "done, with rejects").await;

    // Search by one of these photos: the same comes first.
    client.goto(&home).await.unwrap();
    person.sees("#file").await.send_keys(trip.join("day one/3.jpg").to_str().unwrap()).await.unwrap();
    person.is_at("photo=").await;
    person.reads("#summary", "8 photos").await;
    assert_eq!(person.names().await[0], "day one/3.jpg");
    assert_eq!(person.sees("#grid .hit .figure").await.text().await.unwrap(), "1.00");

    // More like the second: that one is left out; the keyboard does it too.
    let second = person.names().await[1].clone();
    client.execute("document.querySelectorAll('#grid .open')[0].focus()", vec![]).await.unwrap();
    client.active_element().await.unwrap().send_keys("\u{e014}").await.unwrap();
    client.active_element().await.unwrap().send_keys("m").await.unwrap();
    person.is_at("item=").await;
    person.reads("#summary", "7 photos").await;
    assert!(!person.names().await.contains(&second));
    client.back().await.unwrap();
    person.is_at("photo=").await;
    person.reads("#summary", "8 photos").await;

    // A table of questions, then one of them asked while typing.
    client.goto(&format!("{home}/c/faq?kind=faq")).await.unwrap();
    person.sees("#table").await.send_keys(table.to_str().unwrap()).await.unwrap();
    person.sees(".begin").await.click().await.unwrap();
    person.reads(".uploading .state", "Done: 2 new").await;
    client.goto(&format!("{home}/?c=faq")).await.unwrap();
    person.sees("#q").await.send_keys("Where is my invoice?").await.unwrap();
    person.reads(".answer .text", "Under billing.").await;
    person.is_at("q=Where").await;

    // A photo that is dropped there is searched among the photos.
    let dropping = "fetch('/c/photos/thumb/day%20one/3.jpg').then((r) => r.blob()).then((blob) => {
        const given = new DataTransfer();
        given.items.add(new File([blob], 'x.jpg', { type: 'image/jpeg' }));
        document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: given, bubbles: true, cancelable: true }));
    })";
    client.execute(dropping, vec![]).await.unwrap();
    person.is_at("c=photos").await;
    person.reads("#summary", "8 photos").await;
    client.back().await.unwrap();
    person.reads(".answer .text", "Under billing.").await;

    // The other language: the same answer, other words around it.
    person.sees("#lang").await.click().await.unwrap();
    person.reads("nav", "搜索").await;
    person.reads(".answer .text", "Under billing.").await;
    assert!(!client.current_url().await.unwrap().as_str().contains("lang="), "the address stays clean");
    client.goto(&format!("{home}/jobs")).await.unwrap();
    person.reads("h1", "任务").await;

    client.close().await.unwrap();
}

/// Puts an encoder where the running server looks for them: the seeded one, with a card that says it reads Chinese.
fn arrive(root: &Path) {
    let folder = root.join("seeded-zh");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/encoders/bert");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::copy(fixture.join(file), folder.join(file)).unwrap();
    }
    let card = "name = \"seeded-zh\"\ntitle = \"Seeded\"\nmodality = \"text\"\narchitecture = \"bert\"\n\
                dim = 32\nlanguages = [\"zh\"]\n";
    std::fs::write(folder.join("card.toml"), card).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chinese_question_before_and_after_a_switch_of_encoders() {
    let app = TestApp::start();
    let table = app.folder.path().join("帮助.csv");
    let rows = "问题,答案\n红色的卡车在哪里？,在车库。\n怎么退款？,在订单页申请。\n几点开门？,九点。\n";
    std::fs::write(&table, rows).unwrap();
    let driver = Driver::start();
    let client = driver.browser(&app.folder.path().join("profile")).await;
    let person = Person(client.clone());
    let home = format!("http://{}", app.address);

    // No published encoder reads Chinese here: the starter does, and the page says what it is.
    client.goto(&format!("{home}/c/faq?kind=faq")).await.unwrap();
    person.sees("#table").await.send_keys(table.to_str().unwrap()).await.unwrap();
    person.sees(".begin").await.click().await.unwrap();
    person.reads(".uploading .state", "Done: 3 new").await;
    client.goto(&format!("{home}/?c=faq")).await.unwrap();
    person.sees("#q").await.send_keys("红色的卡车在哪里").await.unwrap();
    person.reads(".answer .text", "在车库。").await;
    person.reads(".starter", "A starter encoder that came with simile").await;

    // A better one arrives; one action switches, with progress to its end.
    arrive(&app.folder.path().join("encoders"));
    person.sees(".starter a").await.click().await.unwrap();
    person.reads("#encoder .offer", "A better encoder is on this machine: seeded-zh.").await;
    person.sees("#encoder .offer button").await.click().await.unwrap();
    person.is_at("/jobs#job-").await;
    person.reads(".job", "Switching the encoder: faq").await;
    person.reads(".job .badge", "done").await;
    person.reads(".job", "seeded-zh took over, 3 encoded").await;

    // The same question, the new encoder, the same answer; and nothing to offer any more.
    client.goto(&format!("{home}/?c=faq")).await.unwrap();
    person.sees("#q").await.send_keys("红色的卡车在哪里").await.unwrap();
    person.reads(".answer .text", "在车库。").await;
    assert!(client.find_all(Locator::Css(".starter")).await.unwrap().is_empty());
    client.goto(&format!("{home}/c/faq")).await.unwrap();
    person.reads(".facts", "seeded-zh, 32-d").await;
    assert!(client.find_all(Locator::Css("#encoder .offer")).await.unwrap().is_empty());
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_tried_on_its_own_page() {
    let app = TestApp::start();
    let driver = Driver::start();
    let client = driver.browser(&app.folder.path().join("profile")).await;
    let person = Person(client.clone());
    client.goto(&format!("http://{}/about", app.address)).await.unwrap();
    person.sees("a[href='/api']").await.click().await.unwrap();
    person.reads("#api", "/api/v1/collections/{c}/search").await;
    person
        .sees("#operations-operation-operation-alive .opblock-summary-control")
        .await
        .click()
        .await
        .unwrap();
    person.sees(".try-out__btn").await.click().await.unwrap();
    person.sees("button.execute").await.click().await.unwrap();
    person.reads(".live-responses-table", "\"alive\": true").await;
    client.close().await.unwrap();
}
