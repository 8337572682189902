//! Turns the switches of the twin on: `cfg(weaken)` is set for this package and for no other.

fn main() {
    println!("cargo::rustc-cfg=weaken");
    println!("cargo::rerun-if-changed=build.rs");
}
