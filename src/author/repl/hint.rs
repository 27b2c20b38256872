//! What a function still wants, while it is being called.

use super::Repl;
use super::context::{Called, called};
use super::scan::{Sort, tokens};

impl Repl {
    /// The parameters that come next, behind `text`; nothing where none is being typed.
    pub fn hint(&self, text: &str) -> Option<String> {
        if text.trim_start().starts_with(':') {
            return None;
        }
        let all = tokens(text);
        let last = all.last()?;
        if last.open || last.sort == Sort::Comment {
            return None;
        }
        let call = called(text, &all)?;
        let begins = matches!(last.of(text), "(" | ",");
        let lists = self.parameters(text, &call);
        let next = call.argument + usize::from(!begins);
        // Of several overloads the shortest one that still wants something.
        let wanted = lists.iter().filter(|list| list.len() > next).min_by_key(|list| list.len())?;
        let rest = wanted[next..].join(", ");
        let space = if text.ends_with(',') { " " } else { "" };
        Some(if begins { format!("{space}{rest})") } else { format!(", {rest})") })
    }

    /// The parameters of each overload, without a method's object.
    fn parameters(&self, text: &str, call: &Called) -> Vec<Vec<String>> {
        if let Some(module) = call.module {
            let functions = self.module_functions(text, module);
            return functions.into_iter().filter(|f| f.name == call.name).map(|f| f.params).collect();
        }
        let own: Vec<_> = self.own_functions().into_iter().filter(|f| f.name == call.name).collect();
        if !own.is_empty() {
            return own.into_iter().map(|f| f.params).collect();
        }
        let engine = &self.session.engine;
        let signatures = engine.library().signatures(engine.engine());
        let of = |signature: &crate::script::signatures::Signature| {
            let (head, rest) = signature.text.split_once('(')?;
            let inner = rest.rsplit_once(')')?.0;
            let inner = inner.split(") -> ").next().unwrap_or(inner);
            let mut params: Vec<String> =
                inner.split(", ").filter(|p| !p.is_empty() && *p != "..").map(str::to_string).collect();
            // A plain function that is called on a value has that as its first.
            if call.is_method && !head.contains('.') && !params.is_empty() {
                params.remove(0);
            }
            Some(params)
        };
        signatures.overloads(call.name).iter().filter_map(of).collect()
    }
}
