//! Templates in Jinja's syntax, as minijinja implements it, for prompts: undefined variables are errors,
//! nothing is escaped, one newline at the end of a template is dropped, and `tojson` writes a value as
//! JSON.

use std::collections::{BTreeSet, HashMap};
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::value::{Serde, Value as Jinja};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use crate::base::{Error, Kind, Place, Result, suggest};

/// Renders a template. `name` is its file's in errors; `vars` is a map of what it may use; `load` gives
/// the text of a template that it includes, imports or extends, by the name it uses (`None`: there is
/// none).
pub fn render(
    name: &str,
    text: &str,
    vars: &Value,
    load: &dyn Fn(&str) -> Result<Option<String>>,
) -> Result<String> {
    let mut texts: HashMap<String, Option<String>> = HashMap::new();
    // Rendering has no effects, so what it turns out to include is loaded in between and it starts
    // again: a loader within minijinja would have to outlive this call.
    loop {
        let wanted = Arc::new(Mutex::new(BTreeSet::new()));
        let rendered = render_with(name, text, vars, texts.clone(), Arc::clone(&wanted));
        let wanted = std::mem::take(&mut *wanted.lock().unwrap_or_else(PoisonError::into_inner));
        if wanted.is_empty() {
            return rendered;
        }
        for part in wanted {
            let part_text = load(&part)?;
            texts.insert(part, part_text);
        }
    }
}

/// Renders with the included texts known so far; the names of others are noted as wanted.
fn render_with(
    name: &str,
    text: &str,
    vars: &Value,
    texts: HashMap<String, Option<String>>,
    wanted: Arc<Mutex<BTreeSet<String>>>,
) -> Result<String> {
    let mut env = environment();
    env.set_loader(move |part: &str| {
        let known = texts.get(part).cloned();
        if known.is_none() {
            wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_string());
        }
        Ok(known.flatten())
    });
    env.template_from_named_str(name, text)
        .and_then(|template| template.render(Serde(vars)))
        .map_err(|e| explain(name, text, &e, Some(vars)))
}

/// The variables that a template uses and does not set itself, without what Jinja provides (`range`)
/// and without what the templates that it includes use.
pub fn undeclared(name: &str, text: &str) -> Result<BTreeSet<String>> {
    let env = environment();
    let template = env.template_from_named_str(name, text).map_err(|e| explain(name, text, &e, None))?;
    let provided: BTreeSet<&str> = env.globals().map(|(name, _)| name).collect();
    let used = template.undeclared_variables(false).into_iter();
    Ok(used.filter(|variable| !provided.contains(variable.as_str())).collect())
}

/// Whether a template can be read at all.
pub fn syntax(name: &str, text: &str) -> Result<()> {
    environment().template_from_named_str(name, text).map_err(|e| explain(name, text, &e, None))?;
    Ok(())
}

fn environment<'a>() -> Environment<'a> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::None);
    // Errors then know the column and the expression.
    env.set_debug(true);
    env.add_filter("tojson", to_json);
    env
}

/// A value as compact JSON.
fn to_json(value: Jinja) -> std::result::Result<String, minijinja::Error> {
    serde_json::to_string(&value)
        .map_err(|e| minijinja::Error::new(ErrorKind::BadSerialization, e.to_string()))
}

/// An error of minijinja for a person: the innermost one, at its line, with advice.
fn explain(name: &str, text: &str, error: &minijinja::Error, vars: Option<&Value>) -> Error {
    let mut inner = error;
    while let Some(cause) = inner.source().and_then(|cause| cause.downcast_ref::<minijinja::Error>()) {
        inner = cause;
    }
    let detail = inner.detail();
    let message = match inner.kind() {
        ErrorKind::UndefinedError | ErrorKind::TemplateNotFound if detail.is_some() => {
            detail.unwrap_or_default().to_string()
        }
        kind => detail.map_or(kind.to_string(), |detail| format!("{kind}: {detail}")),
    };
    let file = inner.name().unwrap_or(name);
    let source = inner.template_source().unwrap_or(if file == name { text } else { "" });
    let (line, column) = position(source, inner);
    Error::new(Kind::Config, &*message)
        .hint(advice(inner.kind(), &message, vars))
        .at(Place::new(file, source, line, column))
}

/// Line and column (in characters), both 1-based; column 0 when only the line is known.
fn position(source: &str, error: &minijinja::Error) -> (usize, usize) {
    let before = error.range().and_then(|range| source.get(..range.start));
    match before {
        Some(before) => {
            let line_start = before.rfind('\n').map_or(0, |end| end + 1);
            (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
        }
        None => (error.line().unwrap_or(1), 0),
    }
}

fn advice(kind: ErrorKind, message: &str, vars: Option<&Value>) -> String {
    match (kind, vars) {
        (ErrorKind::SyntaxError, _) => {
            "the syntax is Jinja's: {{ value }}, {% if x %} ... {% endif %}, {# comment #}".into()
        }
        (ErrorKind::TemplateNotFound, _) => "is the name that is included right?".into(),
        (ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction, _) => {
            "the filters, tests and functions are those of minijinja, and `tojson`".into()
        }
        (_, Some(vars)) if message.contains("is undefined") => undefined_advice(message, vars),
        _ => "look at what this line does with the values that it is given".into(),
    }
}

/// Advice on "`persona.nmae` is undefined": the nearest name beside it, else those that are there.
fn undefined_advice(message: &str, vars: &Value) -> String {
    const GUARD: &str = "pass it, or allow for its absence: {{ x | default(\"\") }}, {% if x is defined %}";
    let path = message.split('`').nth(1).unwrap_or_default();
    let mut here = vars;
    for step in path.split('.') {
        match here.get(step) {
            Some(inner) => here = inner,
            None => {
                let known = here.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str));
                let simple = step.chars().all(|c| c.is_alphanumeric() || c == '_');
                return match known.clone().next() {
                    Some(_) if simple => suggest::hint(step, known),
                    _ => GUARD.into(),
                };
            }
        }
    }
    GUARD.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn none(_: &str) -> Result<Option<String>> {
        Ok(None)
    }

    fn fault(text: &str, vars: Value) -> Error {
        render("p.md", text, &vars, &none).unwrap_err()
    }

    fn place(error: &Error) -> String {
        error.place().unwrap().to_string()
    }

    #[test]
    fn nothing_is_escaped_and_one_newline_dropped() {
        let vars = json!({"x": "<a & \"b\">", "list": [1, {"k": "é"}]});
        for name in ["p.md", "p.html", "p.json"] {
            assert_eq!(render(name, "{{ x }}\n\n", &vars, &none).unwrap(), "<a & \"b\">\n");
        }
        assert_eq!(render("p.md", "{{ list | tojson }}", &vars, &none).unwrap(), r#"[1,{"k":"é"}]"#);
    }

    #[test]
    fn an_undefined_variable_is_named_with_its_neighbour() {
        let vars = json!({"persona": {"name": "Ann", "style": "terse"}, "turn": 1});
        let error = fault("Hällo\nÄ {{ persona.nmae }}", vars.clone());
        assert_eq!(error.message(), "`persona.nmae` is undefined");
        assert_eq!(error.get_hint(), Some("did you mean `name`?"));
        assert_eq!((place(&error).as_str(), error.kind()), ("p.md:2:6", Kind::Config));
        assert_eq!(fault("{{ personna }}", vars.clone()).get_hint(), Some("did you mean `persona`?"));
        assert_eq!(fault("{{ colour }}", vars.clone()).get_hint(), Some("known: persona, turn"));
        assert_eq!(fault("{% if colour %}{% endif %}", vars.clone()).message(), "`colour` is undefined");
        let error = fault("{% for x in persona.things %}{% endfor %}", vars.clone());
        assert!(error.message().contains("`persona.things` is undefined"), "{error}");
        assert_eq!(render("p", "{{ colour | default('red') }}", &vars, &none).unwrap(), "red");
        assert_eq!(render("p", "{% if colour is defined %}x{% endif %}", &vars, &none).unwrap(), "");
    }

    #[test]
    fn broken_syntax_has_a_place() {
        let error = syntax("p.md", "one\n{% if x %}\n").unwrap_err();
        assert_eq!(place(&error), "p.md:2:9");
        assert!(error.message().starts_with("syntax error: "), "{error}");
        assert!(syntax("p.md", "{{ x }}").is_ok());
        assert!(undeclared("p.md", "{{ x").is_err());
        assert_eq!(place(&fault("a\n {{ 1 | shout }}", json!({}))), "p.md:2:9");
    }

    #[test]
    fn included_templates_are_loaded_and_blamed() {
        let load = |name: &str| -> Result<Option<String>> {
            match name {
                "head.md" => Ok(Some("Dear {{ who }},\n{% include 'sub.md' %}".into())),
                "sub.md" => Ok(Some("sub".into())),
                "denied.md" => Err(Error::new(Kind::Denied, "no")),
                _ => Ok(None),
            }
        };
        let vars = json!({"who": "Ann"});
        let text = "{% include 'head.md' %}!{% include 'gone.md' ignore missing %}";
        assert_eq!(render("p.md", text, &vars, &load).unwrap(), "Dear Ann,\nsub!");
        let error = render("p.md", text, &json!({"whom": "Ann"}), &load).unwrap_err();
        assert_eq!((place(&error).as_str(), error.get_hint()), ("head.md:1:9", Some("did you mean `whom`?")));
        let error = render("p.md", "\n{% include 'gone.md' %}", &vars, &load).unwrap_err();
        assert_eq!(error.place().unwrap().line, 2);
        assert!(error.message().contains("gone.md"), "{error}");
        assert_eq!(
            render("p.md", "{% include 'denied.md' %}", &vars, &load).unwrap_err().kind(),
            Kind::Denied
        );
    }

    #[test]
    fn what_is_not_set_is_listed() {
        let text =
            "{% set a = b %}{{ a }}{% for c in d.e %}{{ loop.index }}{{ c }}{{ range(3) }}{% endfor %}";
        let found: Vec<String> = undeclared("p.md", text).unwrap().into_iter().collect();
        assert_eq!(found, ["b", "d"]);
    }
}
