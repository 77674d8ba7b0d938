//! Compiles the window's markup and bundles its translations; without the feature `gui` there is nothing to do.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "gui")]
    if let Err(error) = window() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
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
