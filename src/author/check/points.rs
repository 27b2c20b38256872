//! The functions that a project is made by: `load_personas` and the others that the entry scripts call.

use rhai::FnCallExpr;

use super::Finding;
use super::closures::{gives_nothing, last_expr};
use super::look::Look;
use super::tree::Body;
use super::types::{a, position_of};
use crate::base::{Error, Kind, suggest};
use crate::script::library::Unit;

/// A customization point.
pub struct Point {
    /// Its name.
    pub name: &'static str,
    /// Its parameters.
    pub params: &'static [&'static str],
    /// The shipped script that has it.
    file: &'static str,
    /// What it gives, in words.
    gives: &'static str,
    /// The types that it may give, as far as they can be known.
    types: &'static [&'static str],
}

/// All of them.
const POINTS: &[Point] = &[
    Point {
        name: "load_personas",
        params: &[],
        file: "scripts/personas.rhai",
        gives: "an array of maps, each with a unique string `id` and the number of `turns`",
        types: &["array", "range", "LazyItems"],
    },
    Point {
        name: "load_transcripts",
        params: &[],
        file: "scripts/assess.rhai",
        gives: "transcripts: `read_transcripts()`, or an array of maps #{id, persona, exchanges}",
        types: &["array", "LazyItems"],
    },
    Point {
        name: "load_system_prompt",
        params: &[],
        file: "scripts/prompts.rhai",
        gives: "a string: the assistant's instructions",
        types: &["string"],
    },
    Point {
        name: "build_user_prompt",
        params: &["persona", "exchanges", "turn"],
        file: "scripts/prompts.rhai",
        gives: "a string, or an array of #{role, content}: what the user simulator is asked",
        types: &["string", "array"],
    },
    Point {
        name: "build_assistant_prompt",
        params: &["exchanges", "user_message"],
        file: "scripts/prompts.rhai",
        gives: "a string, or an array of #{role, content}: what the assistant is asked",
        types: &["string", "array"],
    },
    Point {
        name: "build_assessment_prompt",
        params: &["transcript", "length_stats", "criteria"],
        file: "scripts/criteria.rhai",
        gives: "a string, or an array of #{role, content}: what a judge is asked",
        types: &["string", "array"],
    },
    Point {
        name: "load_criteria",
        params: &[],
        file: "scripts/criteria.rhai",
        gives: "a rubric: `load_rubric(path)` or `rubric(map)`",
        types: &["Rubric"],
    },
];

/// The point of that name.
pub fn find(name: &str) -> Option<&'static Point> {
    POINTS.iter().find(|point| point.name == name)
}

/// The type that a call of a point gives, if that can be one only.
pub fn type_of(call: &FnCallExpr) -> Option<&'static str> {
    let point = find(&call.name).filter(|point| point.params.len() == call.args.len())?;
    match point.types {
        [only] => Some(only),
        _ => None,
    }
}

impl Point {
    /// `load_personas()`
    fn shown(&self) -> String {
        format!("fn {}({})", self.name, self.params.join(", "))
    }

    /// What is wrong when a script calls it, and it is not there.
    pub fn missing(&self, unit: &Unit, functions: &[&str]) -> Error {
        let error =
            Error::new(Kind::Script, format!("{} has no `{}`", unit.path, self.name)).code("missing-point");
        let near = suggest::nearest(self.name, functions.iter().copied());
        let near = near.map(|near| format!("is it the function `{near}` there? ")).unwrap_or_default();
        error.hint(format!("{near}It is `{} {{ ... }}`, and gives {}", self.shown(), self.gives))
    }

    /// Whether this script defines it with other parameters, which is told where it is defined.
    pub fn is_told_in(&self, unit: &Unit) -> bool {
        unit.path == self.file
    }
}

/// Points with other parameters than they are called with, and points that give nothing, or something else.
pub fn check(look: &Look) -> Vec<Finding> {
    let functions = look.tree.bodies.iter().filter(|body| body.is_function());
    functions.flat_map(|body| of_function(look, body)).collect()
}

fn of_function(look: &Look, body: &Body) -> Option<Finding> {
    let def = body.def?;
    let point = find(&def.name)?;
    let fits = def.params.len() == point.params.len();
    let others =
        || look.names.functions.iter().any(|f| f.name == point.name && f.params.len() == point.params.len());
    let position = body.position;
    if !fits && point.is_told_in(look.tree.unit) && !others() {
        let error =
            Error::new(Kind::Script, format!("`{}` is called with {}", point.name, parameters(point)))
                .hint(format!("it is `{} {{ ... }}`, and gives {}", point.shown(), point.gives));
        return Some(look.finding("point-parameters", position, error));
    }
    if !fits {
        return None;
    }
    let wrong = |what: String| {
        Error::new(Kind::Script, format!("`{}` gives {what}", point.name))
            .hint(format!("it must give {}", point.gives))
    };
    if let Some(end) = gives_nothing(look, body) {
        let end = if end.is_none() { position } else { end };
        let error = wrong("nothing".into());
        let hint =
            format!("end the function with the value, or write `return`: {}", error.get_hint().unwrap_or(""));
        let error = Error::new(Kind::Script, error.message()).hint(hint);
        return Some(look.finding("point-result", end, error));
    }
    let last = last_expr(body)?;
    let kind = look.type_of(last).filter(|kind| !point.types.contains(kind))?;
    Some(look.finding("point-result", position_of(last), wrong(a(kind))))
}

fn parameters(point: &Point) -> String {
    match point.params {
        [] => "no arguments".into(),
        [one] => format!("one argument: {one}"),
        many => format!("{} arguments: {}", many.len(), many.join(", ")),
    }
}
