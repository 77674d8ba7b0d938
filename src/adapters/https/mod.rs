//! The central account over TLS: the port `CentralAccount`, and enrolment.

mod exchange;
mod tls;
