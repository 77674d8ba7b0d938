//! Level 5: the other face: every picture as a JSON line, commands as JSON lines.
