//! What `make install` puts into place, and the settings file that the program prints.

use std::path::Path;
use std::process::Command;

use super::home::Home;

#[test]
fn the_printed_settings_are_taken_back_and_a_wrong_one_is_told() {
    let home = Home::new();
    let printed = home.run(["config"]).ok().out;
    let file = home.put("simile.toml", printed.as_bytes());
    let collections = |home: &Home| home.run(["--config", file.to_str().unwrap(), "collections", "--json"]);
    assert_eq!(collections(&home).ok().out.trim(), "[]");
    home.put("simile.toml", printed.replace("[limits]\n", "[limits]\nphoto_mbb = 3\n").as_bytes());
    let refused = collections(&home);
    let line = printed.lines().position(|line| line == "[limits]").unwrap() + 2;
    let told = format!("simile.toml:{line}: limits.photo_mbb: ");
    assert!(refused.code == 2 && refused.err.contains(&told), "{told} {refused:?}");
    // It helps to repair the file, so it does without it.
    let output = home.command().arg("config").env("SIMILE_CONFIG", &file).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), printed);
    // From the file to the program: the port is taken from it.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    home.put("simile.toml", format!("[serve]\nport = {port}\n").as_bytes());
    let vars = [("SIMILE_CONFIG", file.to_str().unwrap())];
    let server = super::operator::Served::start_with(&home, &["serve", "--json"], &vars);
    assert_eq!(server.address, format!("127.0.0.1:{port}"));
}

#[test]
fn doctor_says_which_kernels_ran() {
    let home = Home::new();
    for (isa, says) in [("scalar", "scalar ran"), ("", " ran")] {
        let output = home.command().args(["doctor"]).env("SIMILE_ISA", isa).output().unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let line = out.lines().find(|line| line.contains("kernels: ")).unwrap_or_else(|| panic!("{out}"));
        assert!(line.starts_with("ok") && line.contains(says), "{line}");
    }
}

#[test]
fn an_installed_program_has_its_manual_completions_and_unit() {
    let home = Home::new();
    let root = home.path("root");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/install");
    let mut install = Command::new(script);
    let status =
        install.args([env!("CARGO_BIN_EXE_simile"), "/usr"]).arg(&root).env("HOME", home.path("")).output();
    assert!(status.as_ref().is_ok_and(|output| output.status.success()), "{status:?}");
    let read =
        |name: &str| std::fs::read_to_string(root.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    assert!(read("usr/share/man/man1/simile.1").contains("simile"));
    assert!(read("usr/share/man/man1/simile-serve.1").contains("port"));
    assert!(read("usr/share/bash-completion/completions/simile").contains("collections"));
    assert!(read("usr/share/zsh/site-functions/_simile").starts_with("#compdef simile"));
    assert!(read("usr/share/fish/vendor_completions.d/simile.fish").contains("complete -c simile"));
    assert!(read("usr/share/doc/simile/config.toml").contains("[limits]"));
    assert!(read("usr/lib/systemd/system/simile.service").contains("ExecStart=/usr/bin/simile "));
    assert!(read("usr/share/simile/models/ngram-hash.toml").contains("ngram"));
    let version = Command::new(root.join("usr/bin/simile")).arg("--version").output().unwrap();
    assert!(version.status.success());
}

#[test]
fn what_is_built_does_not_hear_where_it_is_put() {
    // Faiss' cmake would install into DESTDIR, where cargo does not look.
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "--eval=told: ; @env", "told", "PREFIX=/usr", "DESTDIR=/out"]);
    let told = make.current_dir(env!("CARGO_MANIFEST_DIR")).env("DESTDIR", "/out").output().unwrap();
    assert!(told.status.success(), "{told:?}");
    let env = String::from_utf8(told.stdout).unwrap();
    assert!(env.lines().any(|line| line.starts_with("OMP_NUM_THREADS=")), "{env}");
    assert!(!env.lines().any(|line| line.starts_with("DESTDIR=") || line.starts_with("PREFIX=")), "{env}");
}
