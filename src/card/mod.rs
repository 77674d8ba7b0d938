//! Level 2: how to talk to a card, given a byte pipe.
