//! Level 0: deterministic CBOR (RFC 8949, 4.2.1): the one encoding that cards and sealed parts share.
