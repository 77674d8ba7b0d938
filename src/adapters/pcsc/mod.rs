//! Readers through PC/SC: the port `CardReader`.
