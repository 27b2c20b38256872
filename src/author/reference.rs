//! The reference of the host API, made from the registered functions themselves.
