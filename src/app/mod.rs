//! Level 4: threads, channels, order.
