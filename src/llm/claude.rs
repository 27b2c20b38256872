//! The Claude Code CLI as a backend: one process a call, the prompt on its standard input. It uses the
//! CLI's own login, unless the configuration names a key.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use super::anthropic::usage;
use super::child::{Program, Said};
use super::claude_says;
use super::failure::Failure;
use super::provider::{Attempt, Boxed, Provider};
use super::wire::system_text;
use super::{Message, Outcome, Reply, Request, Secret};
use crate::base::config::kinds::key_variable;
use crate::base::config::{BackendConfig, Structured, Timeouts};
use crate::base::json::Json;
use crate::base::{Error, Kind, Result};

/// The program, when the configuration does not name one.
const COMMAND: &str = "claude";

/// The variables that the program gets, where they are set: what it needs to find its login, its
/// certificates and the way to its server.
const ENVIRONMENT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "CLAUDE_CONFIG_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
];

/// The variable under which the program looks for a key, and those under which it looks for other sorts of them.
const KEY: &str = "ANTHROPIC_API_KEY";
const TOKENS: &[&str] = &["ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];

/// The variable by which the program limits a reply.
const MAX_TOKENS: &str = "CLAUDE_CODE_MAX_OUTPUT_TOKENS";

/// The longest schema that is handed over as an argument: the system takes none of 128 KiB.
const LONGEST_SCHEMA: usize = 100_000;

/// Turns that a reply may take: one; a structured one is handed over in a second, and corrected in a third.
const TURNS: (&str, &str) = ("1", "3");

/// The provider.
pub(super) struct Claude {
    program: PathBuf,
    model: Option<String>,
    environment: Vec<(String, String)>,
    key: Option<Secret>,
    structured: Structured,
    deadline: Duration,
}

impl Claude {
    /// Finds the program. `variable` looks up the environment.
    pub fn open(
        config: &BackendConfig,
        key: Option<Secret>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Claude> {
        let set = |name: &&str| Some((name.to_string(), variable(name)?));
        let mut environment: Vec<_> = ENVIRONMENT.iter().filter_map(set).collect();
        let named = key_variable(config).filter(|name| TOKENS.contains(name)).unwrap_or(KEY);
        environment.extend(key.iter().map(|key| (named.to_string(), key.expose().to_string())));
        Ok(Claude {
            program: find(config.command.as_deref().unwrap_or(COMMAND), variable("PATH"))?,
            model: config.model.clone(),
            environment,
            key,
            structured: config.structured,
            deadline: Timeouts::duration(config.timeouts.total),
        })
    }

    async fn ask(&self, request: &Request) -> Result<Reply, Failure> {
        let room = Room::new(request, self.structured(request))?;
        let program = Program {
            path: self.program.clone(),
            arguments: self.arguments(request, &room),
            environment: self.environment_of(request),
            input: conversation(&request.messages)?,
        };
        let said = program.run(room.directory.path(), self.deadline).await?;
        self.reply(&said, request)?.finished()
    }

    /// How this request's schema is told.
    fn structured(&self, request: &Request) -> Option<Structured> {
        let schema = request.schema.as_ref()?;
        let long = schema.bytes() > LONGEST_SCHEMA && self.structured == Structured::JsonSchema;
        Some(if long { Structured::Prompt } else { self.structured })
    }

    /// Nothing of the prompt stands here, where every user of the machine can read it.
    fn arguments(&self, request: &Request, room: &Room) -> Vec<String> {
        let turns = if request.schema.is_some() { TURNS.1 } else { TURNS.0 };
        let mut all: Vec<String> = ["-p", "--output-format", "json", "--tools", "", "--setting-sources="]
            .into_iter()
            .chain(["--strict-mcp-config", "--max-turns", turns])
            .map(str::to_string)
            .collect();
        let mut add = |name: &str, value: String| all.extend([name.to_string(), value]);
        if let Some(model) = &self.model {
            add("--model", model.clone());
        }
        let told = self.structured(request) == Some(Structured::JsonSchema);
        if let Some(schema) = request.schema.as_ref().filter(|_| told) {
            add("--json-schema", schema.value().to_string());
        }
        if let Some(system) = &room.system {
            add("--system-prompt-file", system.path().to_string_lossy().into_owned());
        }
        all
    }

    fn environment_of(&self, request: &Request) -> Vec<(String, String)> {
        let limit = request.params.max_tokens.map(|n| (MAX_TOKENS.to_string(), n.to_string()));
        self.environment.iter().cloned().chain(limit).collect()
    }

    fn reply(&self, said: &Said, request: &Request) -> Result<Reply, Failure> {
        let complaint = || claude_says::failure(&format!("{}\n{}", said.output, said.complaint), said.code);
        let Some(result) = result_of(&said.output) else { return Err(complaint()) };
        let text = result["result"].as_str().unwrap_or_default();
        let outcome = match (result["subtype"].as_str().unwrap_or_default(), result["stop_reason"].as_str()) {
            (_, Some("refusal")) => Outcome::Refusal,
            (_, Some("max_tokens" | "model_context_window_exceeded")) => Outcome::Truncated,
            // An error is one whatever its subtype says.
            _ if result["is_error"] == true => return Err(claude_says::failure(text, said.code)),
            ("success", _) => Outcome::Ok,
            (subtype, _) => return Err(claude_says::gave_up(subtype)),
        };
        let answer =
            Some(&result["structured_output"]).filter(|value| request.schema.is_some() && !value.is_null());
        Ok(Reply {
            outcome,
            content: answer.map_or_else(|| text.to_string(), Value::to_string),
            reasoning: None,
            model: self.model_of(&result),
            usage: usage(&Json::from(&result["usage"])),
            finish_reason: result["stop_reason"]
                .as_str()
                .or(result["subtype"].as_str())
                .unwrap_or_default()
                .into(),
            cost: result["total_cost_usd"].as_f64(),
            attempts: 1,
        })
    }

    /// As the program names it: by the models that it used, when that is one.
    fn model_of(&self, result: &Value) -> String {
        let used = result["modelUsage"].as_object().filter(|used| used.len() == 1);
        let used = used.and_then(|used| used.keys().next().cloned());
        used.or_else(|| self.model.clone()).unwrap_or_default()
    }
}

impl Provider for Claude {
    fn send<'a>(&'a self, request: &'a Request) -> Boxed<'a, Attempt> {
        Box::pin(async move { Secret::redact_result(self.key.as_ref(), self.ask(request).await).into() })
    }
}

/// Where a call works: an empty directory, and beside it the system prompt, for this user's eyes only.
/// Both go when it does.
struct Room {
    directory: TempDir,
    system: Option<NamedTempFile>,
}

impl Room {
    fn new(request: &Request, mode: Option<Structured>) -> Result<Room> {
        let failed = |e: std::io::Error| Error::io(Kind::Disk, "write", "a temporary file", &e);
        let told = request.messages.iter().filter(|message| message.role == "system");
        let texts: Vec<_> = system_text(request, mode)
            .into_iter()
            .chain(told.map(|message| message.content.plain()))
            .collect();
        let mut system = None;
        if !texts.is_empty() {
            let mut file = NamedTempFile::new().map_err(failed)?;
            file.write_all(texts.join("\n\n").as_bytes()).map_err(failed)?;
            system = Some(file);
        }
        Ok(Room { directory: TempDir::new().map_err(failed)?, system })
    }
}

/// What the program reads: the message, if it is one; else the conversation with its speakers, and what
/// is wanted. So is a message that the program would take for a command of its own.
fn conversation(messages: &[Message]) -> Result<String> {
    let turns: Vec<&Message> = messages.iter().filter(|message| message.role != "system").collect();
    if turns.iter().all(|message| message.content.plain().trim().is_empty()) {
        return Err(Error::new(Kind::Argument, "the prompt is empty")
            .hint("this provider answers a user: give what is asked the role `user`"));
    }
    match turns.as_slice() {
        [message] if !message.content.plain().trim_start().starts_with('/') => {
            return Ok(message.content.plain().into_owned());
        }
        _ => {}
    }
    let turn = |message: &&Message| format!("[{}]\n{}\n\n", message.role, message.content.plain());
    let all: String = turns.iter().map(turn).collect();
    Ok(format!("{all}Write the next message of [assistant], without its name and with nothing else.\n"))
}

/// The result among what was printed, whatever stands before it.
fn result_of(output: &str) -> Option<Value> {
    result_in(output).or_else(|| output.lines().rev().find_map(result_in))
}

/// The object itself, or the last of a list of events.
fn result_in(output: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(output.trim()).ok()?;
    let is_result = |value: &&Value| value["type"] == "result" || value.get("result").is_some();
    match &value {
        Value::Array(events) => events.iter().rfind(is_result).cloned(),
        Value::Object(_) => Some(value).filter(|value| value.get("subtype").is_some() || is_result(&value)),
        _ => None,
    }
}

/// The program's file: a path as it is, a name by the search path.
fn find(command: &str, path: Option<String>) -> Result<PathBuf> {
    let named = PathBuf::from(command);
    let places: Vec<PathBuf> = match command.contains('/') {
        true => vec![std::path::absolute(&named).unwrap_or(named)],
        false => path.unwrap_or_default().split(':').filter_map(|dir| in_directory(dir, command)).collect(),
    };
    places.into_iter().find(|place| is_program(place)).ok_or_else(|| {
        Error::new(Kind::Config, format!("there is no program `{command}`"))
            .hint("install Claude Code, or name its file as `command` of the backend in config/fthost.yaml")
    })
}

/// The program works elsewhere: only whole paths lead to it from there.
fn in_directory(dir: &str, command: &str) -> Option<PathBuf> {
    std::path::absolute(PathBuf::from(dir).join(command)).ok()
}

fn is_program(path: &Path) -> bool {
    let mode = |meta: std::fs::Metadata| meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    path.metadata().is_ok_and(mode)
}
