//! Level 1: the contract between terminal and account as types; both sides use it.
