//! Level 3: the reference central account: ledger, store, interface, administration.
