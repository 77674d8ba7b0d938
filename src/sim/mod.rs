//! Level 3: the world in a box: virtual cards, readers, clocks.
