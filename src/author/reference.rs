//! The reference of the host API, made from the registered functions themselves.

/// One function, method or property of the reference.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its name.
    pub name: String,
}

/// All entries, in the order of the namespaces.
pub fn entries() -> Vec<Entry> {
    Vec::new()
}

/// The reference as Markdown.
pub fn markdown() -> String {
    String::new()
}

/// The reference as JSON.
pub fn json() -> String {
    String::new()
}
