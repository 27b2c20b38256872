//! stub
#![allow(missing_docs)]
pub mod check {
    use crate::base::Error;
    use crate::host::Session;
    use crate::script::library::Unit;
    use std::sync::Arc;
    #[derive(PartialEq)]
    pub enum Severity {
        Error,
        Warning,
    }
    pub struct Finding {
        pub severity: Severity,
        pub error: Error,
        pub code: &'static str,
    }
    pub fn scripts(_: &Session, _: &[&str]) -> Vec<Finding> {
        vec![]
    }
    pub fn project(_: &Session) -> Vec<Finding> {
        vec![]
    }
    pub fn settings_read(_: &[Arc<Unit>]) -> Vec<String> {
        vec!["turns".into(), "personas".into()]
    }
}
pub mod reference {
    pub fn markdown() -> String {
        String::new()
    }
    pub fn json() -> String {
        String::new()
    }
}
