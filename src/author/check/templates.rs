//! Templates: what they use and nobody gives them, what they are given and do not use, and filters, tests and
//! methods that there are not.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{Expr, Position};

use super::look::{Called, Look};
use super::{Finding, Severity};
use crate::base::{Error, Kind, suggest};
use crate::pipeline::template::{self, is_filter, is_test};
use crate::pipeline::uses::{self, Used, Uses};
use crate::script::library::place_in;
use crate::store::Project;

/// How Python's methods are written in a template here.
const METHODS: &[(&str, &str)] = &[
    ("append", "make the list in the script"),
    ("capitalize", "{{ x | capitalize }}"),
    ("count", "{{ x | length }}"),
    ("endswith", "{% if x is endingwith(\"...\") %}"),
    ("format", "{{ \"%s\" | format(x) }}"),
    ("get", "{{ x.key | default(\"\") }}"),
    ("items", "{% for key, value in x | items %}"),
    ("join", "{{ list | join(\", \") }}"),
    ("keys", "{% for key in x %}"),
    ("len", "{{ x | length }}"),
    ("lower", "{{ x | lower }}"),
    ("lstrip", "{{ x | trim }}"),
    ("replace", "{{ x | replace(\"a\", \"b\") }}"),
    ("rstrip", "{{ x | trim }}"),
    ("split", "{{ x | split(\",\") }}"),
    ("startswith", "{% if x is startingwith(\"...\") %}"),
    ("strip", "{{ x | trim }}"),
    ("title", "{{ x | title }}"),
    ("upper", "{{ x | upper }}"),
    ("values", "{% for key, value in x | items %}"),
];

/// The filters and tests that a slip is compared with.
const FILTERS: &[&str] = &[
    "abs",
    "batch",
    "capitalize",
    "default",
    "dictsort",
    "escape",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "pprint",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
    "zip",
];
const TESTS: &[&str] = &[
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "integer",
    "float",
    "mapping",
    "sequence",
    "iterable",
    "even",
    "odd",
    "divisibleby",
    "startingwith",
    "endingwith",
    "true",
    "false",
    "in",
    "safe",
    "boolean",
    "lower",
    "upper",
    "sameas",
];

/// The faults of a template by itself: none of a text that cannot be read, which is told elsewhere.
pub fn faults(path: &str, text: &str) -> Vec<Error> {
    let Some(uses) = uses::of(path, text) else { return Vec::new() };
    let filters = uses.filters.iter().filter(|(name, _)| !is_filter(name)).map(|(name, place)| {
        let error = Error::new(Kind::Config, format!("there is no filter `{name}`"));
        error.hint(suggest::hint(name, FILTERS.iter().copied())).at(place.clone()).code("template-filter")
    });
    let tests = uses.tests.iter().filter(|(name, _)| !is_test(name)).map(|(name, place)| {
        let error = Error::new(Kind::Config, format!("there is no test `{name}`"));
        error.hint(suggest::hint(name, TESTS.iter().copied())).at(place.clone()).code("template-test")
    });
    let methods = uses.methods.iter().filter_map(|(name, place)| {
        let (_, here) = METHODS.iter().find(|(method, _)| method == name)?;
        let error = Error::new(Kind::Config, format!("values in templates have no method `{name}`"));
        Some(error.hint(format!("write {here}")).at(place.clone()).code("template-method"))
    });
    filters.chain(tests).chain(methods).collect()
}

/// The templates that a project's template includes and that are not there.
pub fn includes(project: &Project, path: &str, text: &str) -> Vec<Error> {
    let Some(uses) = uses::of(path, text) else { return Vec::new() };
    let absent = uses
        .includes
        .into_iter()
        .filter(|(name, _, optional)| !optional && !project.exists(name).unwrap_or(false));
    let error = |(name, place, _)| {
        Error::new(Kind::Config, format!("there is no template `{name}`"))
            .hint("includes are named from the project's root: {% include \"config/prompts/part.md\" %}")
            .at(place)
            .code("template-include")
    };
    absent.map(error).collect()
}

/// The calls of `render` and `render_text`, held against the templates.
pub fn check(look: &Look) -> Vec<Finding> {
    let calls = look.tree.nodes.iter().filter_map(|node| look.called(node));
    let calls = calls.filter(|called| {
        ["render", "render_text"].contains(&called.name()) && !look.is_own(called.name(), false)
    });
    calls.flat_map(|called| of_call(look, &called)).collect()
}

/// What a call passes: each name with its value and its place.
type Passed<'a> = BTreeMap<&'a str, (&'a Expr, Position)>;

fn of_call(look: &Look, called: &Called) -> Vec<Finding> {
    let Some((text, position)) = called.text(0) else { return Vec::new() };
    let is_text = called.name() == "render_text";
    if is_text && let Err(error) = template::syntax("template", text) {
        let error = Error::new(Kind::Script, error.message()).or_hint(error.get_hint().map(str::to_string));
        return vec![look.finding("template", position, error)];
    }
    let all = if is_text { of_text(text) } else { with_parts(look, text) };
    let (Some(all), Some(passed)) = (all, called.argument(1).and_then(|vars| passed(look, vars))) else {
        return Vec::new();
    };
    let guarded: BTreeSet<&String> = all.iter().flat_map(|uses| &uses.guarded).collect();
    let used = all.iter().flat_map(|uses| &uses.variables);
    let mut findings = missing(
        look,
        called,
        &passed,
        used.clone().filter(|used| !guarded.contains(&used.name)),
        &guarded,
        is_text,
    );
    let names: BTreeSet<&str> = used.map(|used| used.name.as_str()).collect();
    if all.iter().any(|uses| uses.open) {
        return findings;
    }
    let what = if is_text { "the template" } else { text };
    for (name, (_, position)) in passed.iter().filter(|(name, _)| !names.contains(*name)) {
        let error = Error::new(Kind::Script, format!("{what} does not use `{name}`"));
        let near = suggest::nearest(name, names.iter().filter(|used| !passed.contains_key(*used)).copied());
        let hint = near.map_or("remove it, or use it: {{ name }}".into(), |near| {
            format!("the template uses `{near}`, which is not passed: one of the two is misspelt")
        });
        findings.push(look.finding("template-unused", *position, error.hint(hint)));
    }
    if is_text {
        findings.extend(faults("", text).into_iter().map(|error| {
            let code = error.get_code().unwrap_or("template");
            let error =
                Error::new(Kind::Script, error.message()).or_hint(error.get_hint().map(str::to_string));
            look.finding(code, position, error)
        }));
    }
    findings
}

fn of_text(text: &str) -> Option<Vec<Uses>> {
    let uses = uses::of("template", text)?;
    uses.includes.is_empty().then(|| vec![uses])
}

/// A template with all that it includes, each once; none when one of them cannot be read.
fn with_parts(look: &Look, path: &str) -> Option<Vec<Uses>> {
    let (mut all, mut waiting, mut known) = (Vec::new(), vec![path.to_string()], BTreeSet::new());
    while let Some(path) = waiting.pop() {
        if !known.insert(path.clone()) {
            continue;
        }
        let text = look.session.world.project.known_text(&path).ok()?;
        let uses = uses::of(&path, &text)?;
        waiting
            .extend(uses.includes.iter().filter(|(_, _, optional)| !optional).map(|(name, ..)| name.clone()));
        all.push(uses);
    }
    Some(all)
}

/// The keys of a map literal, also of one that a variable begins with and keeps.
fn passed<'a>(look: &Look<'a>, vars: &'a Expr) -> Option<Passed<'a>> {
    let map = match vars {
        Expr::Map(map, _) => map,
        Expr::Variable(..) => {
            let variable = look.tree.variable(vars)?;
            let stays =
                variable.writes.is_empty() && variable.changes.is_empty() && variable.reads.len() == 1;
            match variable.init.filter(|_| stays)? {
                Expr::Map(map, _) => map,
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(map.0.iter().map(|(key, value)| (key.name.as_str(), (value, key.pos))).collect())
}

fn missing<'u>(
    look: &Look,
    called: &Called,
    passed: &Passed,
    used: impl Iterator<Item = &'u Used>,
    guarded: &BTreeSet<&String>,
    is_text: bool,
) -> Vec<Finding> {
    let (mut findings, mut told) = (Vec::new(), BTreeSet::new());
    let at = place_in(look.tree.unit, called.position);
    let finding = |used: &Used, error: Error| {
        let error = match is_text {
            true => error.at(place_in(
                look.tree.unit,
                called.arguments[0].map_or(called.position, Expr::start_position),
            )),
            false => error.at(used.place.clone()),
        };
        let finding = Finding::of("template-variable", error);
        if used.conditional { finding.with_severity(Severity::Warning) } else { finding }
    };
    for used in used {
        let Some((value, _)) = passed.get(used.name.as_str()) else {
            if told.insert(used.name.clone()) {
                let error =
                    Error::new(Kind::Config, format!("`{}` is not passed by the call at {at}", used.name))
                        .hint(suggest::hint(&used.name, passed.keys().copied()));
                findings.push(finding(used, error));
            }
            continue;
        };
        let (Expr::Map(map, _), Some(attribute)) = (value, &used.attribute) else { continue };
        let path = format!("{}.{attribute}", used.name);
        let known: Vec<&str> = map.0.iter().map(|(key, _)| key.name.as_str()).collect();
        if !known.contains(&attribute.as_str()) && !guarded.contains(&path) && told.insert(path.clone()) {
            let error = Error::new(Kind::Config, format!("`{path}` is not passed by the call at {at}"))
                .hint(suggest::hint(attribute, known));
            findings.push(finding(used, error));
        }
    }
    findings
}
