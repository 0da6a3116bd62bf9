//! The build script of every adapter (`build = "../build.rs"`): a stack of 64 KiB instead of the usual 1 MiB.
//!
//! A fresh instance is made for each call, and what it costs grows with the memory it starts with. The argument is
//! given here and not in `.cargo/config.toml`, because flags there are replaced as a whole by an environment variable
//! and are not read at all when Cargo is started in another folder; a build script's always arrive.

fn main() {
    // The paths are the packages' own, which have no `build.rs` in them; the script itself is watched anyway.
    println!("cargo::rerun-if-changed=Cargo.toml");
    if std::env::var("CARGO_CFG_TARGET_ARCH").is_ok_and(|arch| arch == "wasm32") {
        println!("cargo::rustc-link-arg=-zstack-size=65536");
    }
}
