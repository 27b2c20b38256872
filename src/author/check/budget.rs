//! What a cap in dollars needs to know of the backends that scripts use: found before the first call.

use super::Finding;
use super::files::configuration;
use crate::base::Error;
use crate::base::config::Choice;
use crate::base::config::kinds::{Answers, kind_of};
use crate::base::yaml::Document;
use crate::host::Session;
use crate::work::World;

/// The backends that these scripts name and that have no price, or no limit to their replies.
pub fn check(session: &Session, entries: &[&str]) -> Vec<Finding> {
    let world = &session.world;
    let Some(document) = configuration(world) else { return Vec::new() };
    let names = session.backend_names(entries);
    let choices = names.iter().filter_map(|name| world.config.choices(name).ok()).flatten();
    choices.filter_map(|choice| fault(world, &document, &choice)).collect()
}

fn fault(world: &World, document: &Document, choice: &Choice) -> Option<Finding> {
    let name = &choice.backend;
    let config = world.config.backends.get(name)?;
    if kind_of(&config.kind)?.answers == Answers::Script {
        return None;
    }
    let price = world.budget.check_price(name, config.price);
    let error: Error = price.and_then(|()| world.budget.check_reply(name, choice.params.max_tokens)).err()?;
    Some(Finding::of("budget", error.at(document.place(&format!("backends.{name}")))))
}
