//! Which values of personas do not go together: `{if: {experience: expert}, never: {situation: [first_machine]}}`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::base::suggest;

/// The values that each dimension has.
pub type Known<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

/// Values of a dimension.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The dimension.
    pub dimension: String,
    /// Its values, each with its path in the constraint: `never.situation[0]`.
    pub values: Vec<(String, String)>,
}

/// One constraint: where all of `when` holds, none of `never` does, and only what stands in `only`.
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    /// The condition: a value of each of these.
    pub when: Vec<Values>,
    /// What is then never drawn.
    pub never: Vec<Values>,
    /// The dimensions of which nothing else is drawn then.
    pub only: Vec<Values>,
}

/// What is wrong with a constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Where in it: `if.experience`; empty for all of it.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// How one is written.
const SHAPE: &str =
    "write {if: {experience: expert}, never: {situation: [first_machine]}}, or `only:` in place of `never:`";

impl Constraint {
    /// Reads one.
    pub fn parse(value: &Value) -> Result<Constraint, Fault> {
        let Some(map) = value.as_object() else { return Err(fault("", "a constraint is a map", SHAPE)) };
        if let Some(key) = map.keys().find(|key| !["if", "never", "only"].contains(&key.as_str())) {
            let hint = format!("a constraint has `if`, and `never` or `only`; {SHAPE}");
            return Err(fault(key, format!("a constraint has no `{key}`"), &hint));
        }
        let part = |key: &str| map.get(key).map_or(Ok(Vec::new()), |part| values(key, part));
        let constraint = Constraint { when: part("if")?, never: part("never")?, only: part("only")? };
        if constraint.when.is_empty() {
            return Err(fault("", "the constraint has no `if`", SHAPE));
        }
        if constraint.never.is_empty() && constraint.only.is_empty() {
            return Err(fault("", "the constraint has neither `never` nor `only`", SHAPE));
        }
        Ok(constraint)
    }

    /// Dimensions and values that there are not, and what leaves nothing to draw.
    pub fn faults(&self, known: &Known) -> Vec<Fault> {
        let parts = [("if", &self.when), ("never", &self.never), ("only", &self.only)];
        let all = parts.iter().flat_map(|(part, all)| all.iter().map(move |values| (*part, values)));
        let unknown: Vec<Fault> = all.flat_map(|(part, values)| unknown(part, values, known)).collect();
        if !unknown.is_empty() {
            return unknown;
        }
        let excluded =
            self.never.iter().filter(|values| leaves_nothing(values, known)).map(|values| ("never", values));
        let empty = self.only.iter().filter(|values| values.values.is_empty()).map(|values| ("only", values));
        excluded
            .chain(empty)
            .map(|(part, Values { dimension, .. })| {
                let message = format!("the constraint leaves nothing of `{dimension}` to draw");
                fault(
                    &format!("{part}.{dimension}"),
                    message,
                    "leave one value at least; what should never be drawn at all has the weight 0",
                )
            })
            .collect()
    }
}

fn fault(path: &str, message: impl Into<String>, hint: &str) -> Fault {
    Fault { path: path.into(), message: message.into(), hint: hint.into() }
}

fn values(part: &str, value: &Value) -> Result<Vec<Values>, Fault> {
    let Some(map) = value.as_object() else {
        return Err(fault(part, format!("`{part}` is a map of dimensions to values"), SHAPE));
    };
    let of_dimension = |(dimension, value): (&String, &Value)| {
        let path = format!("{part}.{dimension}");
        let listed = match value {
            Value::Array(items) => {
                let one = |(index, item)| Ok((format!("{path}[{index}]"), text(&path, item)?));
                items.iter().enumerate().map(one).collect::<Result<_, Fault>>()?
            }
            one => vec![(path.clone(), text(&path, one)?)],
        };
        Ok(Values { dimension: dimension.clone(), values: listed })
    };
    map.iter().map(of_dimension).collect()
}

fn text(path: &str, value: &Value) -> Result<String, Fault> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(truth) => Ok(truth.to_string()),
        other => Err(fault(
            path,
            format!("`{other}` is no value of a dimension"),
            "write the `id` of an entry, or a list of them",
        )),
    }
}

fn unknown(part: &str, values: &Values, known: &Known) -> Vec<Fault> {
    let Some(there) = known.get(values.dimension.as_str()) else {
        let message = format!("there is no dimension `{}`", values.dimension);
        let hint = suggest::hint(&values.dimension, known.keys().copied());
        return vec![fault(&format!("{part}.{}", values.dimension), message, &hint)];
    };
    let absent = values.values.iter().filter(|(_, value)| !there.contains(value.as_str()));
    let of_value = |(path, value): &(String, String)| {
        let message = format!("`{}` has no value `{value}`", values.dimension);
        fault(path, message, &suggest::hint(value, there.iter().copied()))
    };
    absent.map(of_value).collect()
}

fn leaves_nothing(values: &Values, known: &Known) -> bool {
    let there = known.get(values.dimension.as_str()).into_iter().flatten();
    there.clone().count() > 0
        && there.clone().all(|value| values.values.iter().any(|(_, named)| named == value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn known() -> Known<'static> {
        [("experience", ["expert", "beginner"].into()), ("style", ["terse", "formal"].into())].into()
    }

    fn faults(value: Value) -> Vec<(String, String)> {
        let all =
            Constraint::parse(&value).map_or_else(|fault| vec![fault], |parsed| parsed.faults(&known()));
        all.into_iter().map(|fault| (fault.path, format!("{}; {}", fault.message, fault.hint))).collect()
    }

    #[test]
    fn sound_constraints_have_no_faults() {
        for sound in [
            json!({"if": {"experience": "expert"}, "never": {"style": ["formal"]}}),
            json!({"if": {"experience": ["expert"], "style": "terse"}, "only": {"style": "terse"}}),
        ] {
            assert_eq!(faults(sound), []);
        }
    }

    #[test]
    fn what_is_not_known_is_told_with_its_path() {
        let found = faults(json!({"if": {"experiense": "x"}, "never": {"style": ["terse", "formel"]}}));
        assert_eq!(found[0].0, "if.experiense");
        assert!(found[0].1.contains("no dimension `experiense`; did you mean `experience`?"), "{found:?}");
        assert_eq!(found[1].0, "never.style[1]");
        assert!(found[1].1.contains("did you mean `formal`?"), "{found:?}");
    }

    #[test]
    fn what_leaves_nothing_is_a_fault() {
        let all = faults(json!({"if": {"experience": "expert"}, "never": {"style": ["terse", "formal"]}}));
        assert_eq!(all[0].0, "never.style");
        let none = faults(json!({"if": {"experience": "expert"}, "only": {"style": []}}));
        assert!(none[0].1.contains("leaves nothing of `style`"), "{none:?}");
    }

    #[test]
    fn what_is_no_constraint_is_told() {
        for (wrong, says) in [
            (json!("expert"), "is a map"),
            (json!({"when": {}, "never": {}}), "no `when`"),
            (json!({"never": {"style": "terse"}}), "no `if`"),
            (json!({"if": {"style": "terse"}}), "neither"),
            (json!({"if": "expert", "never": {"style": "terse"}}), "map of dimensions"),
            (json!({"if": {"style": [["a"]]}, "never": {"style": "terse"}}), "is no value"),
        ] {
            assert!(faults(wrong.clone())[0].1.contains(says), "{wrong}: {:?}", faults(wrong.clone()));
        }
    }
}
