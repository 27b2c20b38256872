//! Every code of a finding: what it means, how bad it is, a wrong example and a right one. `--explain` and
//! docs/check.md are made of this table, and a test holds each example to its word.

use super::Severity;
use Severity::{Error, Warning};

/// A code of findings.
pub struct Code {
    /// Its name.
    pub name: &'static str,
    /// How bad it is as a rule.
    pub severity: Severity,
    /// What it means, and why it matters.
    pub about: &'static str,
    /// The file of the examples.
    pub file: &'static str,
    /// What yields it; empty when no file alone can.
    pub wrong: &'static str,
    /// The same without the mistake.
    pub right: &'static str,
}

/// The code of that name.
pub fn find(name: &str) -> Option<&'static Code> {
    CODES.iter().find(|code| code.name == name)
}

/// Whether a script with such a mistake does not load, so that no comment can allow it.
pub fn is_fatal(name: &str) -> bool {
    LOAD.contains(&name)
}

/// The codes of scripts that do not load.
const LOAD: &[&str] = &[
    "load",
    "syntax",
    "reserved-word",
    "unknown-variable",
    "unknown-module",
    "missing-import",
    "import-cycle",
    "host-name",
    "constant-assigned",
    "duplicate-key",
    "duplicate-function",
];

impl Code {
    /// What it means, and its examples, for a terminal.
    pub fn explained(&self) -> String {
        let mut text = format!("{} ({})\n\n{}\n", self.name, self.severity.name(), self.about);
        for (title, example) in [("wrong", self.wrong), ("right", self.right)] {
            if !example.is_empty() {
                text += &format!("\n{title}, in {}:\n", self.file);
                example.lines().for_each(|line| text += &format!("    {line}\n"));
            }
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text = format!("\n### {}\n\n{}: {}\n", self.name, self.severity.name(), self.about);
        let language = if self.file.ends_with(".rhai") { "rhai" } else { "" };
        for (title, example) in [("Wrong", self.wrong), ("Right", self.right)] {
            if !example.is_empty() {
                text += &format!(
                    "\n{title}, in `{}`:\n\n```{language}\n{}\n```\n",
                    self.file,
                    example.trim_end()
                );
            }
        }
        text
    }
}

/// All codes, a line each.
pub fn list() -> String {
    let line = |code: &Code| {
        let first = code.about.split(". ").next().unwrap_or_default().trim_end_matches('.');
        format!("{:<22} {:<8} {first}", code.name, code.severity.name())
    };
    CODES.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// docs/check.md.
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    CODES.iter().for_each(|code| text += &code.markdown());
    text
}

const INTRODUCTION: &str = "# What `fthost check` finds

Made from the code; do not edit. `fthost check` reads all scripts, the configuration, the rubric and the templates, and says what
cannot work (errors) and what is most likely not meant (warnings). Nothing is sent and nothing is run. `fthost run` does the same
for its scripts before the first call: it stops at errors, and counts warnings.

`fthost check --explain CODE` shows what stands here. `--json` writes one finding a line,
`{\"event\": \"finding\", \"severity\", \"code\", \"kind\", \"message\", \"file\", \"line\", \"column\", \"end_column\", \"hint\"}`, and at last
`{\"event\": \"checked\", \"errors\", \"warnings\"}`. Lines and columns begin at 1; columns are counted in characters.

A finding that is meant is allowed by a comment on its line or on the line before, with the reason:
`// allow(unused-variable): kept for the docs`. In YAML it is `# allow(weights-sum): ...`, in a template `{# allow(template-variable): ... #}`.
What keeps a script from loading cannot be allowed. Names that begin with `_` may be left unused.

## Codes
";

const fn script(
    name: &'static str,
    severity: Severity,
    about: &'static str,
    wrong: &'static str,
    right: &'static str,
) -> Code {
    Code { name, severity, about, file: "scripts/main.rhai", wrong, right }
}

const fn file(
    file: &'static str,
    name: &'static str,
    severity: Severity,
    about: &'static str,
    (wrong, right): (&'static str, &'static str),
) -> Code {
    Code { name, severity, about, file, wrong, right }
}

const TAXONOMY: &str = "config/taxonomy.yaml";
const CONFIG: &str = "config/fthost.yaml";
const NOTE: &str = "config/prompts/note.md";

/// All codes: what does not load, what cannot work, what looks wrong, then other files, then comments.
#[rustfmt::skip]
pub const CODES: &[Code] = &[
    script("syntax", Error, "The script cannot be read: a bracket, a `;` or a quote is missing, or something is written as in another language.",
        "let a = 1\nlet b = 2;\nprint(a + b);", "let a = 1;\nlet b = 2;\nprint(a + b);"),
    script("reserved-word", Error, "A word that the language keeps for itself is used as a name. As a map's key it stands in quotes.",
        "let persona = #{id: \"a\"};\nprint(persona.case);", "let persona = #{id: \"a\"};\nprint(persona[\"case\"]);"),
    script("unknown-variable", Error, "A variable is read that is not there: misspelled, declared later, in another block, or at the top level while a function reads it. Functions see only their parameters, and constants as `global::NAME`.",
        "let limit = 3;\nfn is_long(n) { n > limit }\nprint(is_long(4));", "const LIMIT = 3;\nfn is_long(n) { n > global::LIMIT }\nprint(is_long(4));"),
    script("unknown-module", Error, "A module is used that the script does not import.",
        "print(text::percent(1, 2));", "import \"std/text\" as text;\nprint(text::percent(1, 2));"),
    script("missing-import", Error, "What is imported is not there, or may not be imported.",
        "import \"std/txt\" as text;\nprint(text::percent(1, 2));", "import \"std/text\" as text;\nprint(text::percent(1, 2));"),
    script("import-cycle", Error, "Scripts import each other in a circle.",
        "import \"main\" as me;\nfn x() { 1 }\nprint(me::x());", "fn x() { 1 }\nprint(x());"),
    script("host-name", Error, "A function has the name of a host function, and would silently replace it.",
        "fn flatten(lists) { lists[0] }\nprint(flatten([[1]]));", "fn first(lists) { lists[0] }\nprint(first([[1]]));"),
    script("constant-assigned", Error, "A constant is given another value.",
        "const LIMIT = 3;\nLIMIT = 4;", "let limit = 3;\nlimit = 4;\nprint(limit);"),
    script("duplicate-key", Error, "A key stands in a map twice.",
        "print(#{id: \"a\", id: \"b\"});", "print(#{id: \"a\", name: \"b\"});"),
    script("duplicate-function", Error, "Two functions have the same name and number of parameters.",
        "fn double(n) { n * 2 }\nfn double(x) { x + x }\nprint(double(2));", "fn double(n) { n * 2 }\nprint(double(2));"),
    script("load", Error, "The script cannot be loaded for another reason: it cannot be read, or an import does not name its file in plain quotes.",
        "let name = \"std/text\";\nimport name as text;\nprint(text::percent(1, 2));", "import \"std/text\" as text;\nprint(text::percent(1, 2));"),

    script("unknown-function", Error, "A function is called that neither the scripts nor the host has.",
        "print(count_token(\"a\"));", "print(count_tokens(\"a\"));"),
    script("unknown-method", Error, "A method is called that neither the scripts nor the host has.",
        "let names = [];\nnames.psh(\"a\");\nprint(names);", "let names = [];\nnames.push(\"a\");\nprint(names);"),
    script("wrong-argument-count", Error, "A function is called with more or fewer arguments than any of its forms takes. Of a method that a map may hold as a closure it is only a warning.",
        "print(count_tokens());", "print(count_tokens(\"a\"));"),
    script("wrong-type", Error, "An argument, or the object of a method, has a type that no form of the function takes. Only types that are certain count.",
        "print(count_tokens(5));", "print(count_tokens(\"5\"));"),
    script("wrong-items", Error, "An item of `process` is no map, has no string `id`, or has that of another.",
        "process([#{name: \"Ada\"}], #{checkpoint: \"data/x.jsonl\"}, |item| item);", "process([#{id: \"ada\", name: \"Ada\"}], #{checkpoint: \"data/x.jsonl\"}, |item| item);"),
    script("unknown-property", Error, "A property is taken of a value that has none of that name. Only maps have properties of any name.",
        "let backend = get_backend(\"assistant\");\nprint(backend.complete(\"Hi\").text);", "let backend = get_backend(\"assistant\");\nprint(backend.complete(\"Hi\").content);"),
    script("wrong-index", Error, "An element is asked for by what cannot name one: an array's places are whole numbers, a map's keys are texts.",
        "let names = [\"a\"];\nprint(names[\"0\"]);", "let names = [\"a\"];\nprint(names[0]);"),
    script("wrong-operands", Error, "An operator does not work on values of these types.",
        "print(\"-\" * 20);", "let line = \"\";\nline.pad(20, '-');\nprint(line);"),
    script("division-by-zero", Error, "A number is divided by zero.",
        "print(7 % 0);", "print(7 % 2);"),
    script("wrong-condition", Error, "A condition, or a side of `&&`, `||` and `!`, is no truth. Nothing but `true` and `false` is true or false: an empty array or text is neither.",
        "let names = [];\nif names { print(\"some\"); }", "let names = [];\nif !names.is_empty() { print(\"some\"); }"),
    script("not-iterable", Error, "A loop goes through what has no elements.",
        "let names = [\"a\"];\nfor i in names.len() { print(i); }", "let names = [\"a\"];\nfor i in 0..names.len() { print(i); }"),
    script("unknown-option", Error, "An option that the function does not know.",
        "parallel_map([1], #{concurency: 4}, |n| n + 1);", "parallel_map([1], #{concurrency: 4}, |n| n + 1);"),
    script("missing-option", Error, "An option without which the function does not work.",
        "for t in read_transcripts() { print(slice_transcript(t, \"Be kind.\", #{min_context: 3})); }", "for t in read_transcripts() { print(slice_transcript(t, \"Be kind.\", #{max_tokens: 16000})); }"),
    script("wrong-option", Error, "An option's value has a wrong type, is out of its range, or is none of those that there are.",
        "parallel_map([1], #{concurrency: 0}, |n| n + 1);", "parallel_map([1], #{concurrency: 1}, |n| n + 1);"),
    script("unknown-encoding", Error, "There is no token encoding of that name.",
        "print(count_tokens(\"a\", \"cl100k\"));", "print(count_tokens(\"a\", \"cl100k_base\"));"),
    script("setting-key", Error, "The key of a setting is no plain text, so that nobody could tell a misspelled `-s` before the run.",
        "let key = \"turns\";\nprint(setting(key, 12));", "print(setting(\"turns\", 12));"),
    script("unknown-backend", Error, "A role or backend that config/fthost.yaml does not have.",
        "get_backend(\"asistant\");", "get_backend(\"assistant\");"),
    script("unknown-constant", Error, "A constant is read that its module does not export, or that this script does not have at its top.",
        "const LIMIT = 3;\nfn is_long(n) { n > global::LIMTI }\nprint(is_long(4) || LIMIT > 2);", "const LIMIT = 3;\nfn is_long(n) { n > global::LIMIT }\nprint(is_long(4));"),
    script("missing-file", Error, "A file that the script names is not there. What lies in data/ may be made by the run.",
        "print(read_text(\"config/taxonomi.yaml\"));", "print(read_text(\"config/taxonomy.yaml\"));"),
    script("path-outside", Error, "A path that scripts may not read or write: they write below data/ only, and read no secrets and nothing outside of the project.",
        "write_text(\"out/report.txt\", \"done\");", "write_text(\"data/report.txt\", \"done\");"),
    script("write-to-checkpoint", Error, "A file is written over a checkpoint, which holds what was paid for.",
        "let done = load_checkpoint_results(\"data/x.jsonl\");\nappend_checkpoint(\"data/x.jsonl\", #{id: \"a\"});\nwrite_jsonl(\"data/x.jsonl\", done.values());", "let done = load_checkpoint_results(\"data/x.jsonl\");\nappend_checkpoint(\"data/x.jsonl\", #{id: \"a\"});\nwrite_jsonl(\"data/copy.jsonl\", done.values());"),
    script("closure-parameters", Error, "A closure has another number of parameters than it is called with.",
        "process([#{id: \"a\"}], #{checkpoint: \"data/x.jsonl\"}, |item, index| #{id: item.id, index: index});", "process([#{id: \"a\"}], #{checkpoint: \"data/x.jsonl\"}, |item| #{id: item.id});"),
    script("captures-itself", Error, "A closure uses the value whose method calls it. The method holds the value meanwhile, so this ends in a data race.",
        "let names = [\"a\"];\nprint(names.map(|name| `${name} of ${names.len()}`));", "let names = [\"a\"];\nlet all = names;\nprint(names.map(|name| `${name} of ${all.len()}`));"),
    script("no-record", Error, "The closure of `process` gives no map with the id of its item: no item would get its record.",
        "process([#{id: \"a\"}], #{checkpoint: \"data/x.jsonl\"}, |item| {\n    let record = #{id: item.id, turns: 1};\n    print(record);\n    let last = record;\n    print(last);\n    for n in 0..3 { print(n); }\n});", "process([#{id: \"a\"}], #{checkpoint: \"data/x.jsonl\"}, |item| {\n    #{id: item.id, turns: 1}\n});"),
    script("captured-rng", Error, "A random generator is used by all calls of a closure of `process` or `parallel_map`: every one would draw the same numbers.",
        "let dice = rng(\"seed\");\nprint(parallel_map([\"a\"], |name| name + dice.randint(1, 6)));", "print(parallel_map([\"a\"], |name| name + rng(name).randint(1, 6)));"),
    file("scripts/personas.rhai", "missing-point", Error, "A script lacks a function that the project is made by, and that another script calls.",
        ("fn load_persona() { [] }\nprint(load_personas());", "fn load_personas() { [] }\nprint(load_personas());")),
    file("scripts/prompts.rhai", "point-parameters", Error, "A function that the project is made by has other parameters than it is called with.",
        ("fn build_user_prompt(persona, turn) { `${persona.name} ${turn}` }", "fn build_user_prompt(persona, exchanges, turn) { `${persona.name} ${exchanges.len()} ${turn}` }")),
    file("scripts/prompts.rhai", "point-result", Error, "A function that the project is made by gives nothing, or something of another type.",
        ("fn load_system_prompt() {\n    let text = read_text(\"config/prompts/system.md\");\n    text.trim();\n}", "fn load_system_prompt() {\n    let text = read_text(\"config/prompts/system.md\");\n    text.trim();\n    text\n}")),
    script("template-variable", Error, "A template uses a variable that the call does not pass. In a branch that may not be rendered it is only a warning.",
        "print(render_text(\"{{ name }}, turn {{ turn }}\", #{name: \"Ada\"}));", "print(render_text(\"{{ name }}, turn {{ turn }}\", #{name: \"Ada\", turn: 1}));"),
    file(NOTE, "template-filter", Error, "A template uses a filter that there is not.", ("{{ 5 | uper }}\n", "{{ 5 | upper }}\n")),
    file(NOTE, "template-test", Error, "A template uses a test that there is not.", ("{% if 5 is evn %}x{% endif %}\n", "{% if 5 is even %}x{% endif %}\n")),
    file(NOTE, "template-method", Error, "A template calls a method on a value: values have none here, filters do that work.", ("{{ \"a\".upper() }}\n", "{{ \"a\" | upper }}\n")),
    file(NOTE, "template-include", Error, "A template includes one that is not there.", ("{% include \"prompts/system.md\" %}\n", "{% include \"config/prompts/system.md\" %}\n")),
    file(NOTE, "template", Error, "A template cannot be read.", ("{% if x %}\n", "{% if 1 %}x{% endif %}\n")),

    script("unused-variable", Warning, "A variable or constant that nothing reads. A name that begins with `_` says that this is meant.",
        "let count = 0;\nfor name in [\"a\"] { print(name); count += 1; }", "let count = 0;\nfor name in [\"a\"] { print(name); count += 1; }\nprint(count);"),
    script("unused-parameter", Warning, "A parameter that its function does not read. Those of the functions that a project is made by may be left unread.",
        "fn greeting(name, style) { `Hello ${name}` }\nprint(greeting(\"Ada\", 1));", "fn greeting(name, _style) { `Hello ${name}` }\nprint(greeting(\"Ada\", 1));"),
    script("unused-import", Warning, "A module that is imported and not used.",
        "import \"std/text\" as text;\nprint(1);", "import \"std/text\" as text;\nprint(text::percent(1, 2));"),
    script("unused-function", Warning, "A private function that nothing calls.",
        "private fn double(n) { n * 2 }\nprint(1);", "private fn double(n) { n * 2 }\nprint(double(1));"),
    script("unused-result", Warning, "A function only gives a value, and nobody takes it.",
        "let names = [\"b\", \"a\"];\nnames.filter(|name| name != \"a\");\nprint(names);", "let names = [\"b\", \"a\"];\nnames = names.filter(|name| name != \"a\");\nprint(names);"),
    script("no-effect", Warning, "A statement does nothing.",
        "let x = 1;\nx == 5;\nprint(x);", "let x = 1;\nx = 5;\nprint(x);"),
    script("no-value", Warning, "The result of a function is used that gives nothing: many methods change what they are called on.",
        "let name = \" Ada \";\nlet short = name.trim();\nprint(short);", "let name = \" Ada \";\nname.trim();\nprint(name);"),
    script("unknown-key", Warning, "A key is read of a map that is written out, never changes and does not have it: the value is ().",
        "let persona = #{name: \"Ada\"};\nprint(persona.nmae);", "let persona = #{name: \"Ada\"};\nprint(persona.name);"),
    script("plain-quotes", Warning, "A text with `${...}` stands between double quotes, where nothing is filled in.",
        "let turn = 1;\nprint(\"turn ${turn}\");\nprint(turn);", "let turn = 1;\nprint(`turn ${turn}`);"),
    script("lost-change", Warning, "A closure of `process` or `parallel_map` changes a variable outside of it. Each call has its own copy, so the change is lost.",
        "let total = 0;\nparallel_map([1, 2], |n| { total += n; n });\nprint(total);", "let total = parallel_map([1, 2], |n| n).reduce(|sum, n| sum + n, 0);\nprint(total);"),
    script("never-equal", Warning, "Values of different types are compared: the result is always the same.",
        "if setting_text() == 1 { print(\"one\"); }\nfn setting_text() { \"1\" }\nlet text = \"1\";\nprint(text == 1);", "let text = \"1\";\nprint(parse_int(text) == 1);"),
    script("integer-division", Warning, "Whole numbers are divided, which cuts off what is behind the point, and the result is used as a number with a point.",
        "for turn in 1..=25 { if turn / 25 < 0.25 { print(turn); } }", "for turn in 1..=25 { if turn / 25.0 < 0.25 { print(turn); } }"),
    script("empty-range", Warning, "A range whose end is before its beginning: the loop never runs.",
        "for i in 3..0 { print(i); }", "for i in range(3, 0, -1) { print(i); }"),
    script("unreachable", Warning, "Statements behind a `return`, `throw`, `break` or `continue` never run.",
        "fn double(n) {\n    return n * 2;\n    print(n);\n}\nprint(double(1));", "fn double(n) {\n    print(n);\n    return n * 2;\n}\nprint(double(1));"),
    script("endless-loop", Warning, "A loop whose condition is always true and that nothing leaves.",
        "let n = 0;\nloop { n += 1; print(n); }", "let n = 0;\nloop { n += 1; print(n); if n > 3 { break; } }"),
    script("template-unused", Warning, "A variable is passed to a template that does not use it.",
        "print(render_text(\"Hello {{ name }}!\", #{name: \"Ada\", turn: 1}));", "print(render_text(\"Hello {{ name }}!\", #{name: \"Ada\"}));"),

    file(CONFIG, "config", Error, "A YAML file cannot be read, or the configuration holds what cannot be.",
        ("backends: {a: {kind: offlin}}\n", "backends: {a: {kind: offline}}\nroles: {user_sim: a, assistant: a, judges: a}\n")),
    file("config/rubric.yaml", "rubric", Error, "The rubric cannot be read, or its weights, gates and criteria do not go together.",
        ("threshold: 0.8\ngates: []\ncategories: [{name: tone, weight: 0.5, criteria: [C1]}]\ncriteria: [{id: C1, question: \"Kind?\", examples: [{type: PASS, context: a, response: b, reasoning: c}]}]\n",
         "threshold: 0.8\ngates: []\ncategories: [{name: tone, weight: 1.0, criteria: [C1]}]\ncriteria: [{id: C1, question: \"Kind?\", examples: [{type: PASS, context: a, response: b, reasoning: c}]}]\n")),
    file(CONFIG, "backend", Error, "A backend cannot be opened: its script lacks a function, or its program is not there.",
        ("backends: {a: {kind: script, file: std/text}}\nroles: {user_sim: a, assistant: a}\n", "backends: {a: {kind: script, file: std/offline}}\nroles: {user_sim: a, assistant: a}\n")),
    file(CONFIG, "budget", Error, "A cap in dollars needs a price and a limit of tokens for each backend that is asked.", ("", "")),
    file(TAXONOMY, "negative-weight", Error, "A weight is below 0.",
        ("topics: [{id: a, weight: 2}, {id: b, weight: -1}]\n", "topics: [{id: a, weight: 2}, {id: b, weight: 1}]\n")),
    file(TAXONOMY, "probability", Error, "A probability or a share is not from 0 to 1.", ("edge_cases: {share: 15}\n", "edge_cases: {share: 0.15}\n")),
    file(TAXONOMY, "weights", Error, "An entry of a weighted list has no weight, or one that is no number.",
        ("topics: [{id: a, weight: 1}, {id: b}]\n", "topics: [{id: a, weight: 1}, {id: b, weight: 2}]\n")),
    file(TAXONOMY, "constraint", Error, "A constraint between the dimensions of personas is about a dimension or a value that there is not, leaves nothing to draw, or is no constraint.",
        ("topics: [{id: repair, weight: 1}, {id: advice, weight: 1}]\nmoods: [{id: calm, weight: 1}, {id: cross, weight: 1}]\nconstraints:\n  - {if: {topic: advise}, never: {mood: [cross]}}\n",
         "topics: [{id: repair, weight: 1}, {id: advice, weight: 1}]\nmoods: [{id: calm, weight: 1}, {id: cross, weight: 1}]\nconstraints:\n  - {if: {topic: advice}, never: {mood: [cross]}}\n")),
    script("taxonomy", Error, "config/taxonomy.yaml or config/persona-template.yaml lacks what `std/personas` and `std/taxonomy` draw from, or has it under another name.", "", ""),
    file("scripts/criteria.rhai", "computed-criteria", Error, "The criteria that `computed_ids` names, those of the rubric and those that `compute_criteria` answers do not fit each other: every verdict would stay incomplete.",
        ("fn computed_ids() { [\"C5\"] }\nfn compute_criteria(_transcript) { #{C50: #{reasoning: \"counted\", answer: \"YES\"}} }\n", "fn computed_ids() { [\"C5\"] }\nfn compute_criteria(_transcript) { #{C5: #{reasoning: \"counted\", answer: \"YES\"}} }\n")),
    script("files", Error, "The project's files cannot be listed.", "", ""),
    script("test-only", Error, "A script that is run imports `std/testing`, which works in tests only.", "", ""),
    file(TAXONOMY, "weights-sum", Warning, "The weights of a list do not sum to 1. Whole numbers are taken for proportions, such as 3 to 1.",
        ("topics: [{id: a, weight: 0.5}, {id: b, weight: 0.4}]\n", "topics: [{id: a, weight: 0.5}, {id: b, weight: 0.5}]\n")),
    file("config/rubric.yaml", "no-examples", Warning, "A criterion shows the judges no examples of what is meant.",
        ("threshold: 0.8\ngates: []\ncategories: [{name: tone, weight: 1.0, criteria: [C1]}]\ncriteria: [{id: C1, question: \"Kind?\"}]\n",
         "threshold: 0.8\ngates: []\ncategories: [{name: tone, weight: 1.0, criteria: [C1]}]\ncriteria: [{id: C1, question: \"Kind?\", examples: [{type: PASS, context: a, response: b, reasoning: c}]}]\n")),
    file(CONFIG, "judge-is-assistant", Warning, "A judge is the model that plays the assistant: a model is lenient with itself.",
        ("backends:\n  a: {kind: openai-chat, model: m, base_url: \"http://127.0.0.1:1/v1\", api_key_env: null}\nroles: {assistant: a, judges: [a]}\n",
         "backends:\n  a: {kind: openai-chat, model: m, base_url: \"http://127.0.0.1:1/v1\", api_key_env: null}\n  b: {kind: openai-chat, model: n, base_url: \"http://127.0.0.1:1/v1\", api_key_env: null}\nroles: {assistant: a, judges: [b]}\n")),
    file(CONFIG, "same-judge", Warning, "A judge is there twice: it costs twice, and the second verdict tells nothing new.",
        ("backends: {a: {kind: offline, model: strict}, b: {kind: offline}}\nroles: {user_sim: b, assistant: b, judges: [a, a]}\n",
         "backends: {a: {kind: offline, model: strict}, b: {kind: offline}}\nroles: {user_sim: b, assistant: b, judges: [a, b]}\n")),
    file(CONFIG, "missing-key", Warning, "A backend needs a key that is neither in the environment nor in `.env`. For a run it is an error.",
        ("backends: {a: {kind: openai, model: m}}\nroles: {assistant: a}\n", "backends: {a: {kind: offline}}\nroles: {assistant: a}\n")),
    file(CONFIG, "plain-http", Warning, "A key would cross a network without encryption.", ("", "")),

    script("allow-unknown", Error, "A comment allows a finding that there is not.",
        "let x = 1; // allow(unused-varable): kept for the docs\nprint(x);", "let x = 1; // allow(unused-variable): kept for the docs"),
    script("allow-reason", Warning, "A comment allows a finding without saying why.",
        "let x = 1; // allow(unused-variable)", "let x = 1; // allow(unused-variable): kept for the docs"),
    script("allow-unused", Warning, "A comment allows a finding that is not on its line or the next.",
        "// allow(unused-variable): kept for the docs\nlet x = 1;\nprint(x);", "// allow(unused-variable): kept for the docs\nlet x = 1;"),
];
