//! Level 2: the meaning of `firmware-profiles/`: text in, values out.
