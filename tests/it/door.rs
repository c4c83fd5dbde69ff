//! The door: who is let in where a token is wanted, as programs, as people, and as commands of the same user.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::json;
use simile::types::Secret;
use simile::web::Door;

use crate::handover::Server;
use crate::home::{FAQ, Home, TEXT_ENCODER};
use crate::web::{Reply, TestApp};

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

pub fn locked() -> TestApp {
    TestApp::behind(Door { token: Some(Secret::new(TOKEN)), ..Door::default() })
}

fn log_in(app: &TestApp, token: &str, more: &[(&str, &str)]) -> Reply {
    let body = format!("token={token}&next=%2Fjobs");
    app.send("POST", "/login", &[&[FORM, ("accept", "text/html")], more].concat(), body.as_bytes())
}

#[test]
fn without_the_token_nothing_is_told_and_nothing_changes() {
    let app = locked();
    let bearer = format!("Bearer {TOKEN}");
    let known = ("authorization", bearer.as_str());
    for path in
        ["/api/v1/collections", "/readyz", "/", "/c/photos/thumb/a.jpg", "/jobs/events", "/strip", "/nowhere"]
    {
        let refused = app.get(path);
        assert_eq!((refused.problem().0, refused.header("www-authenticate")), (401, "Bearer"), "{path}");
    }
    let new = json!({"name": "faq", "kind": "faq", "encoder": TEXT_ENCODER}).to_string();
    let make =
        |headers: &[(&str, &str)]| app.send("POST", "/api/v1/collections", headers, new.as_bytes()).status;
    assert_eq!(make(&[]), 401);
    assert_eq!(make(&[("authorization", "Bearer 0123456789abcdef")]), 401);
    assert_eq!(app.send("GET", "/api/v1/collections", &[known], b"").json(), json!([]));
    assert_eq!(make(&[known]), 201);
    assert_eq!(app.get("/healthz").status, 200, "that it lives is no secret");
    // A body is not even waited for.
    let mut stream = TcpStream::connect(app.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /api/v1/collections HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000000\r\n\r\n",
        app.address
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut first = [0; 12];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 401");
}

#[test]
fn a_person_logs_in_looks_and_logs_out() {
    let app = locked();
    let html = ("accept", "text/html");
    let sent = app.send("GET", "/?c=photos&q=a", &[html], b"");
    assert_eq!((sent.status, sent.header("location")), (303, "/login?next=%2F%3Fc%3Dphotos%26q%3Da"));
    // The language that was asked for is the login page's, too.
    let sent = app.send("GET", "/?lang=zh", &[html, ("accept-language", "en")], b"");
    assert_eq!(sent.header("location"), "/login?next=%2F%3Flang%3Dzh&lang=zh");
    let page = app.send("GET", sent.header("location"), &[html, ("accept-language", "en")], b"");
    assert!(page.text().contains("lang=\"zh"), "{}", page.text());
    let script = [html, ("sec-fetch-mode", "cors"), ("sec-fetch-site", "same-origin")];
    assert_eq!(app.send("GET", "/?c=photos&q=a", &script, b"").status, 401, "a script is told");
    for (lang, word) in [("en", "Token"), ("zh", "令牌")] {
        let page = app.send("GET", &format!("/login?next=//evil.example&lang={lang}"), &[html], b"");
        let text = page.text();
        assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
        assert!(text.contains(word) && text.contains("type=\"password\""), "{text}");
        assert!(!text.contains("<script") && text.contains("name=\"form-token\" content=\"\""), "{text}");
        assert!(text.contains("name=\"next\" value=\"/\""), "leads to no other host: {text}");
    }
    let wrong = log_in(&app, "0123456789abcdeX", &[]);
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, ""));
    assert!(wrong.text().contains("This is not the token"));
    assert_eq!(log_in(&app, TOKEN, &[("origin", "http://evil.example")]).status, 403);

    let origin = format!("http://{}", app.address);
    let entered = log_in(&app, TOKEN, &[("origin", &origin)]);
    assert_eq!((entered.status, entered.header("location")), (303, "/jobs"));
    let cookie = entered.header("set-cookie").to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let kept = ("cookie", cookie.split(';').next().unwrap());
    let page = app.send("GET", "/jobs", &[html, kept], b"").text();
    assert!(page.contains("Log out"), "{page}");
    assert_eq!(app.send("GET", "/api/v1/collections", &[kept], b"").status, 200);
    assert_eq!(app.send("GET", "/login?next=/about", &[html, kept], b"").header("location"), "/about");
    // Logged in, a page elsewhere still changes nothing.
    let elsewhere = [kept, ("origin", "http://evil.example")];
    assert_eq!(app.send("POST", "/api/v1/collections", &elsewhere, b"{}").status, 403);

    let left = app.send("POST", "/logout", &[kept, ("origin", &origin)], b"");
    assert_eq!((left.status, left.header("location")), (303, "/login"));
    assert!(left.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(app.send("GET", "/api/v1/collections", &[kept], b"").status, 401);
    assert!(!TestApp::start().get("/").text().contains("Log out"), "where nobody is asked nobody leaves");
}

#[test]
fn behind_tls_the_cookie_stays_there() {
    let door = Door {
        token: Some(Secret::new(TOKEN)),
        hosts: vec!["Photos.example.org".to_owned()],
        ..Door::default()
    };
    let app = TestApp::behind(door);
    let proxied =
        [("host", "photos.example.org"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "9.9.9.9")];
    let entered = log_in(&app, TOKEN, &[&proxied[..], &[("origin", "https://photos.example.org")]].concat());
    let cookie = entered.header("set-cookie").to_owned();
    assert!(cookie.starts_with("__Host-simile=") && cookie.contains("; Secure"), "{cookie}");
    let kept = ("cookie", cookie.split(';').next().unwrap());
    assert_eq!(app.send("GET", "/jobs", &[&proxied[..], &[kept]].concat(), b"").status, 200);
    let other = app.send("GET", "/jobs", &[("host", "evil.example"), kept], b"");
    assert_eq!(other.problem().0, 421);
}

#[test]
fn guessing_ends_soon() {
    let app = locked();
    let mut tried = 0;
    while log_in(&app, "a-wrong-token-of-mine", &[]).status == 401 {
        tried += 1;
        assert!(tried < 50);
    }
    assert_eq!(log_in(&app, TOKEN, &[]).status, 429);
    let bearer = format!("Bearer {TOKEN}");
    let blocked = app.send("GET", "/api/v1/jobs", &[("authorization", &bearer)], b"").problem();
    assert_eq!((blocked.0, blocked.1.as_str()), (429, "access.attempts"));
}

#[test]
fn commands_of_the_same_user_get_in_and_bad_token_files_do_not_serve() {
    let home = Home::new();
    home.put("faq.csv", FAQ.as_bytes());
    let token = home.put("token", TOKEN.as_bytes());
    let serve = |more: &[&str]| {
        let ran = home.run([&["serve", "--port", "0", "--json"], more].concat());
        (ran.code, ran.json()["error"]["code"].as_str().unwrap().to_owned())
    };
    let file = ["--token-file", "token"];
    fs::set_permissions(&token, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(serve(&file), (2, "token.shared".to_owned()));
    fs::set_permissions(&token, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(serve(&["--listen", "0.0.0.0"]), (2, "serve.token_wanted".to_owned()));
    assert_eq!(serve(&["--token-file", "nowhere"]), (2, "token.unreadable".to_owned()));
    home.put("short", b"abc");
    fs::set_permissions(home.path("short"), Permissions::from_mode(0o600)).unwrap();
    assert_eq!(serve(&["--token-file", "short"]), (2, "token.short".to_owned()));

    let server = Server::start(&home, &["--listen", "0.0.0.0", file[0], file[1]]);
    let key = home.data().join("local.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let table = ["index", "faq.csv", "--collection", "faq", "--encoder", TEXT_ENCODER, "--json"];
    assert_eq!(home.run(table).ok().json()["indexed"], 3);
    // Another user of this machine cannot read the key, and is refused like everybody.
    let theirs = fs::read(&key).unwrap();
    fs::write(&key, "not it").unwrap();
    let refused = home.run(table);
    assert_eq!((refused.code, refused.json()["error"]["code"].as_str()), (2, Some("access.token")));
    fs::write(&key, theirs).unwrap();
    server.stop();
    assert!(!key.exists());
}
