//! stub
use super::Error;
/// x
pub fn render(e: &Error, _c: bool) -> String {
    format!("error: {e}\n{:?}\n  {:?} trace {:?}\n", e.place(), e.get_hint(), e.get_trace())
}
/// x
pub fn warning(e: &Error, c: bool) -> String {
    render(e, c)
}
