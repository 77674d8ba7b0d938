//! Secrets at rest: one wrapping key from a secret store, everything else wrapped by it.
