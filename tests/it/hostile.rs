//! Names, texts and cells that would like to be more than text: in pages, attributes, headers and the terminal.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use fantoccini::Locator;
use image::ImageFormat;
use serde_json::{Value, json};

use crate::home::{Home, PHOTO_ENCODER, Ran, TEXT_ENCODER, photo};
use crate::journey::Driver;
use crate::web::{Part, Reply, TestApp, encoded};

const TEXTS: [&str; 8] = [
    "<script>window.pwned=1</script>",
    "\"><img src=x onerror=window.pwned=1>",
    "' autofocus onfocus=window.pwned=1 x='",
    "</title></textarea></script><svg onload=window.pwned=1>",
    "javascript:window.pwned=1",
    "{{ 7 * 7 }}${7*7}<!--",
    "a\r\nSet-Cookie: pwned=1\r\n\r\n<script>window.pwned=1</script>",
    "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}gpj.",
];

/// A file's name and key: without the characters that no key has.
fn name(text: &str) -> String {
    format!("{}.jpg", text.replace(['/', '\0'], "|"))
}

/// A server that holds all of them, as keys, tags, questions, answers, roots and rejects.
fn filled() -> TestApp {
    let app = TestApp::start();
    app.photos().faq();
    for (seed, text) in TEXTS.into_iter().enumerate() {
        let jpeg = photo(seed as u32, ImageFormat::Jpeg);
        let put = format!("/api/v1/collections/photos/items/{}", encoded(&name(text)));
        let parts = [Part::Field("tags", text), Part::File("photo", "x.jpg", &jpeg)];
        let body = crate::web::multipart(&parts);
        let form = [("content-type", "multipart/form-data; boundary=XxX")];
        assert_eq!(app.send("PUT", &put, &form, &body).status, 201, "{text}");
        let entry =
            json!({"question": text, "answer": text, "wordings": [format!("w {text}")], "tags": [text]});
        let put = format!("/api/v1/collections/faq/items/{}", encoded(&name(text)));
        assert_eq!(app.send("PUT", &put, &[], entry.to_string().as_bytes()).status, 201, "{text}");
        let cell = text.replace('"', "\"\"");
        let table = format!(
            "id,question,answer,tags,wordings,language\n\"{cell}\",\"q {cell}\",\"{cell}\",\"{cell}\",\"{cell}\",\"{cell}\"\nshort\n"
        );
        let path =
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        let parts = [
            Part::Field("root", text),
            Part::Field("path", &format!("{path}.csv")),
            Part::File("files", "t.csv", table.as_bytes()),
        ];
        app.form("/api/v1/collections/faq/uploads", &parts);
        let parts = [
            Part::Field("root", text),
            Part::Field("prefix", &format!("p{seed}")),
            Part::Field("path", &format!("{path}.jpg")),
            Part::File("files", "b.jpg", b"no picture"),
        ];
        app.form("/api/v1/collections/photos/uploads", &parts);
    }
    app
}

/// Every page, with every text in every place that takes one.
fn pages() -> Vec<String> {
    let fixed = [
        "/",
        "/collections",
        "/c/photos",
        "/c/faq",
        "/c/new?kind=faq",
        "/jobs",
        "/about",
        "/login",
        "/?c=faq",
    ];
    let mut all: Vec<String> = fixed.map(str::to_owned).into();
    for text in TEXTS {
        let (t, key) = (encoded(text), encoded(&name(text)));
        all.extend([
            format!("/?c=photos&q={t}"),
            format!("/?c=faq&q={t}"),
            format!("/?c=photos&item={key}"),
            format!("/?c=photos&item={key}&tag={t}&folder={t}&path_prefix={t}"),
            format!("/?c={t}&q={t}&photo={t}&item={t}&page={t}"),
            format!("/c/photos/item/{key}"),
            format!("/c/faq/item/{key}"),
            format!("/c/photos?after={key}&tag={t}&path_prefix={t}&q={t}"),
            format!("/c/{t}?kind={t}"),
            format!("/{t}?lang={t}&theme={t}"),
            format!("/jobs?x={t}"),
        ]);
    }
    all
}

/// What no page of ours has, whatever it shows.
fn assert_tame(page: &str, reply: &Reply) {
    for (name, value) in &reply.headers {
        assert!(!name.contains("pwned") && !value.contains('\u{1b}'), "{page}: {name}: {value}");
        let cookie = name == "set-cookie" && !value.starts_with("lang=") && !value.starts_with("theme=");
        assert!(!cookie, "{page}: {value}");
    }
    if !reply.header("content-type").starts_with("text/html") {
        return;
    }
    let html = reply.text();
    for tag in html.split('<').skip(1) {
        let lower = tag.to_ascii_lowercase();
        let head = lower.split('>').next().unwrap();
        let ours = !lower.starts_with("script") || head.starts_with("script type=\"module\" src=\"/static/");
        let bare = !head.contains("onerror=") && !head.contains("onload=") && !head.contains("onfocus=");
        // An attribute's value may hold the words, quoted; the browser has the last word below.
        assert!(ours && (bare || head.contains("&#") || head.contains("&quot;")), "{page}: <{head}>");
    }
    assert!(!html.contains("href=\"javascript:") && !html.contains("49${"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_in_a_page_executes() {
    let app = filled();
    let accept = [("accept", "text/html")];
    for page in pages() {
        assert_tame(&page, &app.send("GET", &page, &accept, b""));
    }
    // Forms that come back with what was typed.
    for text in TEXTS {
        let form = [accept[0], ("content-type", "application/x-www-form-urlencoded")];
        let t = encoded(text);
        for (path, body) in [
            ("/collections", format!("name={t}&kind=photos&encoder={t}&recipe={t}")),
            ("/c/photos/index", format!("path={t}&prefix={t}")),
            ("/login", format!("token={t}&next={t}")),
        ] {
            assert_tame(path, &app.send("POST", path, &form, body.as_bytes()));
        }
        let asked = app.form("/", &[Part::Field("c", "photos"), Part::Field("q", text)]);
        assert_tame("POST /", &asked);
        assert!(asked.header("location").starts_with("/?"), "{}", asked.header("location"));
    }

    let driver = Driver::start();
    let client = driver.browser(&app.folder.path().join("profile")).await;
    let odd = "[onerror],[onload],[onfocus],script:not([src]),iframe,object,embed,base,meta[http-equiv],a[href^=javascript]";
    let judge = format!("return [window.pwned === undefined, document.querySelectorAll({odd:?}).length]");
    for page in pages() {
        client.goto(&format!("http://{}{page}", app.address)).await.unwrap();
        client.wait().for_element(Locator::Css("body")).await.unwrap();
        // Once more after the scripts of the page have drawn what comes by itself.
        let verdict = client.execute(&judge, vec![]).await.unwrap();
        assert_eq!(verdict, json!([true, 0]), "{page}");
    }
    client.goto(&format!("http://{}/jobs", app.address)).await.unwrap();
    client.wait().for_element(Locator::Css(".job")).await.unwrap();
    // Jobs are drawn anew by the stream of events; then the search by its script.
    client.execute("document.querySelectorAll('.job').forEach((job) => job.remove())", vec![]).await.unwrap();
    client.goto(&format!("http://{}/?c=faq", app.address)).await.unwrap();
    let q = client.wait().for_element(Locator::Css("#q")).await.unwrap();
    q.send_keys(TEXTS[1]).await.unwrap();
    client.wait().for_element(Locator::Css(".answer")).await.unwrap();
    assert_eq!(client.execute(&judge, vec![]).await.unwrap(), json!([true, 0]));
    client.close().await.unwrap();
}

/// No character reached the output that a terminal acts on.
fn assert_plain(what: &str, ran: &Ran) {
    for (where_, text) in [("out", &ran.out), ("err", &ran.err)] {
        let odd = text.chars().find(|c| {
            c.is_control() && !matches!(c, '\n' | '\t')
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        });
        assert_eq!(odd, None, "{what}, {where_}: {text:?}");
    }
}

#[test]
fn nothing_in_a_terminal_acts() {
    const ESC: &str = "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r\u{8}";
    let home = Home::new();
    home.put(format!("pics/{ESC}.jpg"), &photo(1, ImageFormat::Jpeg));
    home.put(format!("pics/bad{ESC}.jpg"), b"no picture");
    home.put(OsStr::from_bytes(b"pics/\xff\x1b[2J.jpg"), b"no picture");
    let table = format!("id,question,answer,tags,wordings\n{ESC}1,q {ESC},a {ESC},{ESC},w {ESC}\nbad{ESC}\n");
    home.put(format!("{ESC}.csv"), table.replace(['\r', '\u{8}'], "").as_bytes());
    home.put("pairs.csv", format!("text1,text2,label\n{ESC},b,x{ESC}\n").as_bytes());
    let csv = format!("{ESC}.csv");
    let photo = format!("pics/{ESC}.jpg");
    let (p, f) = (["--collection", "photos"], ["--collection", "faq"]);
    let commands: Vec<Vec<&str>> = vec![
        vec!["index", "pics", p[0], p[1], "--encoder", PHOTO_ENCODER],
        vec!["index", &csv, f[0], f[1], "--encoder", TEXT_ENCODER],
        vec!["index", ESC, p[0], p[1]],
        vec!["index", "pics", "--collection", ESC],
        vec!["index", "pics", p[0], p[1], "--prefix", ESC],
        vec!["index", "pics", p[0], p[1], "--recipe", ESC],
        vec!["index", "pics", p[0], p[1], "--encoder", ESC],
        vec!["search", &photo, p[0], p[1]],
        vec!["search", "pics", p[0], p[1]],
        vec!["search", ESC, p[0], p[1]],
        vec!["search", ESC, f[0], f[1]],
        vec!["search", ESC, "--text", p[0], p[1], "--path-prefix", ESC, "--tag", ESC],
        vec!["ask", ESC, f[0], f[1]],
        vec!["embed", ESC, "--encoder", TEXT_ENCODER],
        vec!["embed", &photo, "--photo", "--encoder", PHOTO_ENCODER],
        vec!["augment", "pics", "--out", ESC],
        vec!["eval", "pairs", "pairs.csv", "--encoder", TEXT_ENCODER],
        vec!["models", "list", "--models", ESC],
        vec!["models", "pull", ESC],
        vec!["collections"],
        vec!["doctor", "--data", ESC],
        vec!["doctor"],
        vec!["serve", "--token-file", ESC],
        vec!["serve", "--listen", ESC],
        vec![ESC],
        vec!["index", &photo, &csv, "--nonsense"],
    ];
    for command in commands {
        for json in [false, true] {
            let mut args = command.clone();
            if json {
                args.push("--json");
            }
            let output = home.command().env("SIMILE_LOG", "debug").args(&args).output().unwrap();
            let ran = Ran {
                code: output.status.code().unwrap_or(-1),
                out: String::from_utf8(output.stdout).expect("output is UTF-8"),
                err: String::from_utf8_lossy(&output.stderr).into_owned(),
            };
            assert_plain(&format!("{args:?}"), &ran);
            if json && let Some(line) = ran.out.lines().last() {
                serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{args:?}: {e}: {line}"));
            }
        }
    }
    // It was not for nothing: the names are there, escaped.
    let found = home.run(["search", photo.as_str(), p[0], p[1]]).ok();
    assert!(found.out.contains("\\u{1b}]0;pwned\\u{7}"), "{found:?}");
}
