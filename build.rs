//! Compiles the window's markup and bundles its translations; without the feature `gui` there is nothing to do.

use std::process::ExitCode;

fn main() -> ExitCode {
    small_programs();
    #[cfg(feature = "gui")]
    if let Err(error) = window() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// What the linker can do for the size of an installed program. Its table of symbols goes: the profile's `strip` asks for
/// that, but cargo leaves it out for a package with an optimisation level of its own. Where the toolchain links with lld by
/// itself, relocations are packed into a tenth of their room, which glibc reads from 2.36 on (Debian 12), and equal functions
/// are kept once.
fn small_programs() {
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    if is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        println!("cargo:rustc-link-arg-bins=-Wl,--icf=safe");
    }
}

#[cfg(feature = "gui")]
fn window() -> Result<(), slint_build::CompileError> {
    // Tests find elements by label, which needs the debug information; a shipped binary has no use for it.
    let debug = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let configuration = slint_build::CompilerConfiguration::new()
        .with_bundled_translations("ui/lang")
        .with_default_translation_context(slint_build::DefaultTranslationContext::None)
        .with_debug_info(debug);
    slint_build::compile_with_config("ui/app-window.slint", configuration)
}
