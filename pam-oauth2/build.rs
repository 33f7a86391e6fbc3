//! Linker arguments of the PAM module.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // libpam unloads a module at `pam_end`. Rust's standard library registers
    // thread-exit destructors that would then point into nothing, so the object stays
    // mapped for the life of the process (dlclose(3), RTLD_NODELETE).
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
