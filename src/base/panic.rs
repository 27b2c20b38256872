//! A panic is a mistake of ours: it may fail what it happened in, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Error, Kind, Result};

/// Runs `f`; a panic becomes an error that says where to take it.
pub fn catch_panic<T>(doing: &str, f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Error::new(Kind::Internal, format!("fthost made a mistake in {doing}: {text}"))
            .hint("please report it, with what you ran"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let error = catch_panic::<()>("a test", || panic!("number {}", 7)).unwrap_err();
        assert_eq!(error.message(), "fthost made a mistake in a test: number 7");
        assert_eq!(catch_panic("a test", || Ok(1)).unwrap(), 1);
    }
}
