//! What works in the configuration, and is most likely not meant: judges that judge themselves, or one judge twice.

use super::Finding;
use super::files::configuration;
use crate::base::config::kinds::{Answers, kind_of};
use crate::base::config::{BackendConfig, Choice};
use crate::base::yaml::Document;
use crate::host::Session;
use crate::work::World;

/// The roles.
pub fn check(session: &Session) -> Vec<Finding> {
    let world = &session.world;
    let Some(document) = configuration(world) else { return Vec::new() };
    let judges = world.config.choices("judges").unwrap_or_default();
    let own =
        judges.iter().enumerate().filter_map(|(index, judge)| judges_itself(world, &document, index, judge));
    let twice = (0..judges.len()).filter_map(|index| twice(world, &document, &judges, index));
    own.chain(twice).collect()
}

/// Where the judge of that number stands: a list, or a single one.
fn place(document: &Document, index: usize) -> String {
    let is_list = document
        .value()
        .get("roles")
        .and_then(|roles| roles.get("judges"))
        .is_some_and(serde_yaml::Value::is_sequence);
    if is_list { format!("roles.judges[{index}]") } else { "roles.judges".into() }
}

fn model<'a>(world: &'a World, choice: &Choice) -> Option<&'a BackendConfig> {
    world.config.backends.get(&choice.backend)
}

fn judges_itself(world: &World, document: &Document, index: usize, judge: &Choice) -> Option<Finding> {
    let config = model(world, judge)?;
    let is_script = kind_of(&config.kind)?.answers == Answers::Script;
    let assistants = world.config.choices("assistant").unwrap_or_default();
    let same = |assistant: &Choice| {
        model(world, assistant).is_some_and(|other| other.model == config.model && other.kind == config.kind)
    };
    if is_script || config.model.is_none() || !assistants.iter().any(same) {
        return None;
    }
    let name = config.model.as_deref().unwrap_or_default();
    let error =
        document.fault(&place(document, index), format!("this judge is the assistant's own model, {name}"));
    Some(Finding::of(
        "judge-is-assistant",
        error.hint("a model is lenient with itself: let one of another family judge"),
    ))
}

/// A judge that stands in the list before.
fn twice(world: &World, document: &Document, judges: &[Choice], index: usize) -> Option<Finding> {
    let judge = &judges[index];
    let alike = |other: &Choice| {
        let (one, two) = (model(world, other), model(world, judge));
        let same_model = one.zip(two).is_some_and(|(one, two)| {
            (&one.kind, &one.model, &one.base_url, &one.file)
                == (&two.kind, &two.model, &two.base_url, &two.file)
        });
        other.params == judge.params && (other.backend == judge.backend || same_model)
    };
    let first = judges[..index].iter().find(|other| alike(other))?;
    let message = match first.backend == judge.backend {
        true => format!("`{}` judges twice", judge.backend),
        false => {
            format!("`{}` and `{}` are the same model with the same parameters", first.backend, judge.backend)
        }
    };
    let error = document.fault(&place(document, index), message);
    Some(Finding::of(
        "same-judge",
        error.hint("it costs twice and tells nothing new: name another model, or remove one"),
    ))
}
