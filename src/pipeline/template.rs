//! Templates in Jinja's syntax, as minijinja implements it, for prompts: undefined variables are errors,
//! nothing is escaped, one newline at the end of a template is dropped, and `tojson` writes a value as
//! JSON.

use std::collections::{BTreeSet, HashMap};
use std::error::Error as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A value that a template may use.
pub use minijinja::Value as Var;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

use crate::base::{Error, Kind, Place, Result, suggest};

/// The texts of templates by the names that include them; none: there is no such template.
type Texts = HashMap<String, Option<String>>;

/// Anything that serialises, as a value for templates.
pub fn var(value: &impl Serialize) -> Var {
    Serde(value).into()
}

/// Templates that were rendered: each is compiled once, as long as its text and those that it includes stay as
/// they are.
#[derive(Default)]
pub struct Templates(Mutex<HashMap<String, Arc<Compiled>>>);

/// Templates that are kept compiled.
const MOST: usize = 100;

impl Templates {
    /// Renders a template like [`render`].
    pub fn render(
        &self,
        name: &str,
        text: &str,
        vars: &Var,
        load: &dyn Fn(&str) -> Result<Option<String>>,
    ) -> Result<String> {
        let known = self.lock().get(name).cloned();
        if let Some(compiled) = known
            && compiled.is_of(text, load)?
            && let Some(rendered) = compiled.render(vars)
        {
            return Ok(rendered);
        }
        let (rendered, compiled) = render_anew(name, text, vars, load)?;
        let mut all = self.lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(name.into(), Arc::new(compiled));
        Ok(rendered)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Compiled>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renders a template. `name` is its file's in errors; `vars` is a map of what it may use; `load` gives
/// the text of a template that it includes, imports or extends, by the name it uses (`None`: there is
/// none).
pub fn render(
    name: &str,
    text: &str,
    vars: &Var,
    load: &dyn Fn(&str) -> Result<Option<String>>,
) -> Result<String> {
    Ok(render_anew(name, text, vars, load)?.0)
}

/// Rendering has no effects, so what it turns out to include is loaded in between and it starts again: a loader
/// within minijinja would have to outlive this call.
fn render_anew(
    name: &str,
    text: &str,
    vars: &Var,
    load: &dyn Fn(&str) -> Result<Option<String>>,
) -> Result<(String, Compiled)> {
    let mut parts = Texts::new();
    loop {
        let compiled = Compiled::of(name, text, parts.clone())?;
        let rendered = compiled.try_render(vars);
        let wanted = std::mem::take(&mut *compiled.wanted());
        if wanted.is_empty() {
            let told = |e| explain(name, text, &e, serde_json::to_value(vars).ok().as_ref());
            return Ok((rendered.map_err(told)?, compiled));
        }
        for part in wanted {
            let part_text = load(&part)?;
            parts.insert(part, part_text);
        }
    }
}

/// A template with what it includes.
struct Compiled {
    name: String,
    text: String,
    parts: Texts,
    env: Environment<'static>,
    /// The names that it asked for beyond its parts.
    wanted: Arc<Mutex<BTreeSet<String>>>,
}

impl Compiled {
    fn of(name: &str, text: &str, parts: Texts) -> Result<Compiled> {
        let (mut env, wanted) = (environment(), Arc::new(Mutex::new(BTreeSet::new())));
        let (known, asked) = (parts.clone(), Arc::clone(&wanted));
        env.set_loader(move |part: &str| {
            let text = known.get(part).cloned();
            if text.is_none() {
                asked.lock().unwrap_or_else(PoisonError::into_inner).insert(part.to_string());
            }
            Ok(text.flatten())
        });
        env.add_template_owned(name.to_string(), text.to_string())
            .map_err(|e| explain(name, text, &e, None))?;
        Ok(Compiled { name: name.into(), text: text.into(), parts, env, wanted })
    }

    /// Whether it was made of these texts.
    fn is_of(&self, text: &str, load: &dyn Fn(&str) -> Result<Option<String>>) -> Result<bool> {
        if self.text != text {
            return Ok(false);
        }
        for (part, known) in &self.parts {
            if load(part)? != *known {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The text; none when it cannot be rendered without more than is known, or at all.
    fn render(&self, vars: &Var) -> Option<String> {
        let rendered = self.try_render(vars).ok();
        // It is asked once for each name: after that, nobody knows whether it was there.
        rendered.filter(|_| self.wanted().is_empty())
    }

    fn try_render(&self, vars: &Var) -> std::result::Result<String, minijinja::Error> {
        self.env.get_template(&self.name)?.render(vars.clone())
    }

    fn wanted(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The names that Jinja itself provides: `range` and others.
pub fn provided() -> BTreeSet<String> {
    environment().globals().map(|(name, _)| name.to_string()).collect()
}

/// Whether there is a filter of that name.
pub fn is_filter(name: &str) -> bool {
    let text = format!("{{{{ 1 | {name} }}}}");
    environment().render_str(&text, ()).err().is_none_or(|error| error.kind() != ErrorKind::UnknownFilter)
}

/// Whether there is a test of that name: `x is name`.
pub fn is_test(name: &str) -> bool {
    let text = format!("{{{{ 1 is {name} }}}}");
    environment().render_str(&text, ()).err().is_none_or(|error| error.kind() != ErrorKind::UnknownTest)
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
fn to_json(value: Var) -> std::result::Result<String, minijinja::Error> {
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

    fn render(
        name: &str,
        text: &str,
        vars: &Value,
        load: &dyn Fn(&str) -> Result<Option<String>>,
    ) -> Result<String> {
        super::render(name, text, &var(vars), load)
    }

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
    fn what_is_compiled_follows_its_texts() {
        let templates = Templates::default();
        let part = Mutex::new("one".to_string());
        let load = |name: &str| Ok((name == "part.md").then(|| part.lock().unwrap().clone()));
        let say = |text: &str, vars: Value| templates.render("p.md", text, &var(&vars), &load).unwrap();
        let text = "{{ x }} {% if more %}{% include 'part.md' %}{% endif %}";
        assert_eq!(say(text, json!({"x": 1, "more": false})), "1 ");
        assert_eq!(say(text, json!({"x": 2, "more": true})), "2 one");
        assert_eq!(say(text, json!({"x": 3, "more": true})), "3 one");
        *part.lock().unwrap() = "two".into();
        assert_eq!(say(text, json!({"x": 4, "more": true})), "4 two");
        assert_eq!(say("{{ x }}!", json!({"x": 5})), "5!");
        let optional = "{% include 'gone.md' ignore missing %}{{ x }}";
        assert_eq!(
            (say(optional, json!({"x": 6})), say(optional, json!({"x": 7}))),
            ("6".into(), "7".into())
        );
        let error = templates.render("p.md", optional, &var(&json!({})), &load).unwrap_err();
        assert_eq!(error.message(), "`x` is undefined");
    }

    #[test]
    fn what_jinja_has_is_known() {
        assert!(is_filter("upper") && is_filter("tojson") && !is_filter("uper"));
        assert!(is_test("defined") && !is_test("definde"));
        assert!(provided().contains("range"));
    }
}
