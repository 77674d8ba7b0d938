//! Level 5: the window.
