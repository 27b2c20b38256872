//! Prompts as chat messages: `chat_messages`.

use std::borrow::Cow;

use rhai::plugin::*;
use rhai::{Array, Dynamic, ImmutableString, Module};

use super::tokens::pairs;
use crate::base::{Error, Kind, Result};
use crate::llm;
use crate::script::ScriptResult;
use crate::script::values::{self, MessageValue, map_of};

/// The namespace.
pub fn module() -> Module {
    let mut module = rhai::exported_module!(functions);
    module.set_custom_type::<MessageValue>("Message");
    module
}

#[export_module]
#[allow(missing_docs, clippy::unwrap_used)] // code of the macro
mod functions {
    /// The exchanges so far as chat messages, for a model that speaks the assistant's side; with `message`, a
    /// message of the user's after them, to be answered.
    ///
    /// Gives an array to which `#{role, content}` may be added: each message has a `.role` and a `.content`.
    ///
    /// ```rhai
    /// chat_messages([["Hi", "Hello"]], "Why?").map(|message| message.role)   // -> ["user", "assistant", "user"]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn chat_messages(exchanges: &mut Array) -> ScriptResult<Array> {
        Ok(super::chat(exchanges, None)?)
    }

    #[rhai_fn(name = "chat_messages", return_raw, pure)]
    pub fn chat_messages_and(exchanges: &mut Array, message: ImmutableString) -> ScriptResult<Array> {
        Ok(super::chat(exchanges, Some(message))?)
    }

    /// Who speaks: `user` or `assistant`.
    #[rhai_fn(get = "role", pure)]
    pub fn message_role(message: &mut MessageValue) -> ImmutableString {
        message.role.clone()
    }

    /// What is said.
    #[rhai_fn(get = "content", pure)]
    pub fn message_content(message: &mut MessageValue) -> ImmutableString {
        message.content.clone()
    }

    #[rhai_fn(set = "role")]
    pub fn set_message_role(message: &mut MessageValue, role: ImmutableString) {
        message.role = role;
    }

    #[rhai_fn(set = "content")]
    pub fn set_message_content(message: &mut MessageValue, content: ImmutableString) {
        message.content = content;
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn message_to_string(message: &mut MessageValue) -> String {
        Dynamic::from_map(map_of(message)).to_string()
    }
}

fn chat(exchanges: &Array, last: Option<ImmutableString>) -> Result<Array> {
    let [user, assistant] = ["user", "assistant"].map(ImmutableString::from);
    let message =
        |role: &ImmutableString, content| Dynamic::from(MessageValue { role: role.clone(), content });
    let mut messages = Array::with_capacity(2 * exchanges.len() + 1);
    for (said, reply) in pairs(exchanges)? {
        messages.push(message(&user, said));
        messages.push(message(&assistant, reply));
    }
    messages.extend(last.map(|text| message(&user, text)));
    Ok(messages)
}

/// What a prompt stands for: a string, or an array of `#{role, content}`.
pub fn of_prompt(prompt: Dynamic) -> Result<Vec<llm::Message>> {
    if prompt.is_string() {
        // Most prompts are held by nobody else, and are not copied.
        return Ok(prompt.into_string().map(llm::Message::user).into_iter().collect());
    }
    let shape = "a prompt is a string, or an array of #{role: \"user\", content: \"...\"}";
    let wrong = |what: String| Error::new(Kind::Argument, what).hint(shape);
    let Ok(items) = prompt.as_array_ref() else {
        return Err(wrong(format!("the prompt is {}, which cannot be sent", values::type_name(&prompt))));
    };
    if items.is_empty() {
        return Err(wrong("the prompt is an empty array".into()));
    }
    let message = |(i, item): (usize, &Dynamic)| {
        message(item).ok_or_else(|| wrong(format!("message number {} is not #{{role, content}}", i + 1)))
    };
    items.iter().enumerate().map(message).collect()
}

/// One of `chat_messages`, or `#{role, content}` and nothing else.
fn message(item: &Dynamic) -> Option<llm::Message> {
    if let Some(message) = item.read_lock::<MessageValue>() {
        return Some(of(&message.role, &message.content));
    }
    let map = item.as_map_ref().ok().filter(|map| map.len() == 2)?;
    let text = |name| map.get(name)?.as_immutable_string_ref().ok();
    Some(of(&text("role")?, &text("content")?))
}

fn of(role: &str, content: &str) -> llm::Message {
    let role = match role {
        "user" => Cow::Borrowed("user"),
        "assistant" => Cow::Borrowed("assistant"),
        other => Cow::Owned(other.to_string()),
    };
    llm::Message { role, content: content.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(text: &str) -> Dynamic {
        let module = std::sync::Arc::new(module());
        let mut engine = rhai::Engine::new();
        engine.register_global_module(module);
        engine.eval(text).unwrap()
    }

    #[test]
    fn messages_are_sent_and_written_as_maps_are() {
        let made = array(r#"chat_messages([["Hi", "Hel\"lo"]], "Why?")"#);
        let maps = array(
            r##"[#{role: "user", content: "Hi"}, #{role: "assistant", content: "Hel\"lo"}, #{role: "user", content: "Why?"}]"##,
        );
        assert_eq!(values::to_json(&made).unwrap(), values::to_json(&maps).unwrap());
        assert_eq!(of_prompt(made).unwrap(), of_prompt(maps).unwrap());
        let mixed = array(
            r##"let m = chat_messages([["Hi", "Hello"]]); m.push(#{role: "system", content: "Be kind"}); m"##,
        );
        let mixed = of_prompt(mixed).unwrap();
        assert_eq!((mixed.len(), &*mixed[2].role, &*mixed[2].content.plain()), (3, "system", "Be kind"));
    }

    #[test]
    fn a_message_is_shown_with_its_text() {
        let shown = array(r#"`${chat_messages([["Hi", "Hello"]])[1]}`"#).to_string();
        assert_eq!(shown, r##"#{"content": "Hello", "role": "assistant"}"##);
    }

    #[test]
    fn a_message_is_changed_in_its_place() {
        let made = array(
            r#"let m = chat_messages([["Hi", "Hello"]]); m[1].content += "!"; m[0].role = "system"; m"#,
        );
        let sent = of_prompt(made).unwrap();
        assert_eq!((&*sent[0].role, &*sent[1].content.plain()), ("system", "Hello!"));
    }

    #[test]
    fn what_is_no_message_is_refused_by_its_number() {
        let wrong = array(r##"[#{role: "user", content: "Hi"}, #{role: "user", text: "Why?"}]"##);
        assert!(of_prompt(wrong).unwrap_err().message().contains("message number 2"));
        assert!(of_prompt(array("[]")).unwrap_err().message().contains("empty"));
        assert!(of_prompt(array("7")).unwrap_err().message().contains("int"));
    }
}
