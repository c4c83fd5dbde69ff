//! Compiles `src/search.cpp` against the headers of the Faiss that faiss-sys built, with the same flags.

#![allow(clippy::disallowed_methods)] // cargo speaks to build scripts through the environment

fn main() {
    println!("cargo::rerun-if-changed=src/search.cpp");
    // faiss-sys `links = "faiss_c"` and cmake prints `cargo:root`: cargo hands it on under this name.
    let root = std::env::var("DEP_FAISS_C_ROOT")
        .expect("faiss-sys with its feature `static` tells where it built Faiss");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .include(format!("{root}/include"))
        .file("src/search.cpp")
        .compile("simile_faiss_search");
    // faiss-sys links libblas, which may be the slow reference one: name OpenBLAS, so that linking fails without it.
    println!("cargo::rustc-link-lib=openblas");
}
