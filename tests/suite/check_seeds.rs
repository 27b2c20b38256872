//! Mistakes that people make, each put into the shipped project: found, under its code, at its line.

use fthost::host::embedded;

use crate::check::{findings, rendered};

/// A mistake: the file that has it, what is replaced in the shipped one (nothing: the whole file, or a new one), the text,
/// the code, the line.
type Seed = (&'static str, &'static str, &'static str, &'static str, usize);

const MAIN: &str = "scripts/main.rhai";
const GENERATE: &str = "scripts/generate.rhai";
const PROMPTS: &str = "scripts/prompts.rhai";
const CRITERIA: &str = "scripts/criteria.rhai";
const PERSONAS: &str = "scripts/personas.rhai";
const USER_SIM: &str = "config/prompts/user_sim.md";
const ASSISTANT: &str = "config/prompts/assistant.md";
const CONFIG: &str = "config/fthost.yaml";
const RUBRIC: &str = "config/rubric.yaml";
const TAXONOMY: &str = "config/taxonomy.yaml";
const TEMPLATE: &str = "config/persona-template.yaml";

#[rustfmt::skip]
const SEEDS: &[Seed] = &[
    // What others were seen to get wrong.
    (MAIN, "", "const NAMES = [\"a\"];\nNAMES.push(\"b\");\nprint(NAMES);", "constant-assigned", 2),
    (MAIN, "", "const LIMITS = #{turns: 3};\nLIMITS.turns = 4;\nprint(LIMITS);", "constant-assigned", 2),
    (MAIN, "", "fn is_number(x) { type_of(x) == \"int\" }\nprint(is_number(1));", "never-equal", 1),
    (MAIN, "", "let names = [\"a\", \"b\"];\nrng(\"x\").shuffle(names);\nprint(names);", "unused-result", 2),
    (MAIN, "", "print(1);\n/* never closed", "syntax", 2),
    (TAXONOMY, "share: 0.15", "share: 15%", "probability", 51),
    (TEMPLATE, "names: [Amara", "names: Amara, Ben\nothers: [Amara", "taxonomy", 31),
    (CRITERIA, "[\"C5\"]", "[\"C4\", \"C5\"]", "computed-criteria", 22),
    (CRITERIA, "[\"C5\"]", "[\"C9\"]", "computed-criteria", 22),
    (CRITERIA, "[\"C5\"]", "\"C5\"", "computed-criteria", 22),
    (CRITERIA, "#{C5: in_prop", "#{C50: in_prop", "computed-criteria", 22),
    (CRITERIA, "    #{C5: in_proportion(transcript.exchanges)}", "    in_proportion(transcript.exchanges).answer == \"YES\"", "computed-criteria", 27),
    // In the shipped scripts.
    (GENERATE, "prompts::build_user_prompt(persona, exchanges, turn)", "prompts::build_user_prompt(persona, turn)", "wrong-argument-count", 23),
    (GENERATE, "prompts::load_system_prompt()", "prompts::load_sytem_prompt()", "unknown-function", 11),
    (GENERATE, "checkpoint: \"data/raw/", "chekpoint: \"data/raw/", "unknown-option", 17),
    (GENERATE, "checkpoint: \"data/raw/", "checkpoint: \"raw/", "path-outside", 17),
    (GENERATE, "setting(\"concurrency\", 64)", "\"64\"", "wrong-option", 18),
    (GENERATE, "get_backend(\"assistant\")", "get_backend(\"asistant\")", "unknown-backend", 10),
    (GENERATE, ".content;\n        let reply", ".text;\n        let reply", "unknown-property", 23),
    (GENERATE, "exchanges.push(", "exchanges.append_item(", "unknown-method", 25),
    (GENERATE, "    #{id: persona.id, turns: exchanges.len()}\n", "    let record = #{id: persona.id};\n    log_info(record.id);\n", "no-record", 29),
    (GENERATE, "|persona| {", "|persona, index| {", "closure-parameters", 20),
    (GENERATE, "import \"std/summary\" as summary;", "import \"std/sumary\" as summary;", "missing-import", 7),
    (GENERATE, "    let exchanges = [];\n", "", "unknown-variable", 22),
    (GENERATE, "summary::generation(run)", "summary::generation(run, 1)", "wrong-argument-count", 31),
    (PROMPTS, "fn build_user_prompt(persona, exchanges, turn) {", "fn build_user_prompt(persona, turn) {\n    let exchanges = [];", "point-parameters", 16),
    (PROMPTS, "        history:", "        histroy:", "template-unused", 24),
    (PROMPTS, "        history: format_history(exchanges, conversation::history_options()),\n", "", "template-variable", 39),
    (PROMPTS, "render(\"config/prompts/user_sim.md\"", "render(\"config/prompts/usersim.md\"", "missing-file", 17),
    (PROMPTS, "exchanges.extract(-4)", "exchanges.extract(\"-4\")", "wrong-type", 36),
    (PROMPTS, "    text::stripped(read_text(\"config/prompts/system.md\"))", "    let text = read_text(\"config/prompts/system.md\");\n    text.trim();", "point-result", 13),
    (PROMPTS, "import \"std/text\" as text;\n", "", "unknown-module", 11),
    (CRITERIA, "global::LONG_REPLY &&", "global::LONG_REPLAY &&", "unknown-constant", 34),
    (CRITERIA, "const LONG_REPLY = 90;", "let LONG_REPLY = 90;", "unknown-constant", 34),
    (CRITERIA, "load_rubric(\"config/rubric.yaml\")", "load_rubric(\"rubric.yaml\")", "missing-file", 17),
    (CRITERIA, "load_rubric(\"config/rubric.yaml\")", "load_yaml(\"config/rubric.yaml\");\n    let n = 1;\n    print(n);\n    n += 1;", "point-result", 20),
    (PERSONAS, "fn load_personas()", "fn load_persona()", "missing-point", 13),
    (PERSONAS, "load_yaml(\"config/taxonomy.yaml\")", "load_yaml(\"config/taxanomy.yaml\")", "missing-file", 10),
    ("scripts/slice.rhai", "setting(\"validation\", 0.1)", "1.5", "wrong-option", 12),
    ("scripts/slice.rhai", "import \"prompts\" as prompts;", "import \"prompts\" as prompts;\nimport \"std/text\" as text;", "unused-import", 5),
    ("scripts/assess.rhai", "judge.name}, |judge| {", "judge.name}, |judge, i| {", "closure-parameters", 37),
    // In templates.
    (USER_SIM, "{{ guidance }}", "{{ guidence }}", "template-variable", 25),
    (USER_SIM, "| join(\", \")", "| joined(\", \")", "template-filter", 26),
    (USER_SIM, "{%- if persona.edge_behaviour %}", "{%- if persona.edge_behaviour is filled %}", "template-test", 18),
    (USER_SIM, "{{ persona.name }}", "{{ persona.name.upper() }}", "template-method", 4),
    (USER_SIM, "{{ persona.name }}", "{{ persona.name ", "template", 5),
    (ASSISTANT, "Reply to this", "{% include \"config/prompts/stlye.md\" %}\nReply to this", "template-include", 5),
    (ASSISTANT, "{% if words < 25 %}", "{% if word < 25 %}", "template-variable", 7),
    // In the configuration.
    (CONFIG, "offline-strict: {kind: offline, model: strict}", "offline-strict: {kind: offlin, model: strict}", "config", 11),
    (CONFIG, "judges: [offline-strict, offline-lenient]", "judges: [offline-strict, offline-lenent]", "config", 77),
    (CONFIG, "judges: [offline-strict, offline-lenient]", "judges: [offline-strict, offline-strict]", "same-judge", 77),
    (CONFIG, "temperature: 0.8", "temprature: 0.8", "config", 74),
    (CONFIG, "operations: 50000000", "operations: many", "config", 81),
    (RUBRIC, "weight: 0.25", "weight: 0.2", "rubric", 20),
    (RUBRIC, "gates: [C1, C8]", "gates: [C1, C88]", "rubric", 18),
    (RUBRIC, "criteria: [C3, C4]", "criteria: [C3, C2]", "rubric", 22),
    (TAXONOMY, "weight: 0.24", "weight: 0.42", "weights-sum", 13),
    (TAXONOMY, "share: 0.15", "share: 15", "probability", 51),
    (TAXONOMY, "weight: 0.28, product: machine, problem: \"Water", "weight: -0.28, product: machine, problem: \"Water", "negative-weight", 17),
    (TEMPLATE, "weight: 0.22", "weight: 0.32", "weights-sum", 7),
    (TEMPLATE, "weight: 0.24, probability: 0.6", "weight: 0.24, probability: 1.6", "probability", 24),
    (TEMPLATE, "{\"1\": 0.55, \"2\": 0.45}", "{\"1\": 0.55, \"2\": 0.55}", "weights-sum", 22),
    (TAXONOMY, "topics:", "topic:", "taxonomy", 13),
    (TAXONOMY, "product: machine, problem: \"Water", "product: machin, problem: \"Water", "taxonomy", 17),
    (TAXONOMY, "experience: expert", "experience: exprt", "constraint", 62),
    (TAXONOMY, "situation: [first_machine]", "sitaution: [first_machine]", "constraint", 62),
    (TEMPLATE, "flaws: [all_caps, no_punctuation]", "style: [terse, plain, chatty, formal, frustrated]", "constraint", 40),
    (TEMPLATE, "names:", "nmaes:", "taxonomy", 31),
    ("scripts/generate.rhai", "#{system: system}", "system", "wrong-type", 24),
    ("scripts/assess.rhai", "rubric.hash", "rubric.hahs", "unknown-property", 27),
    ("scripts/slice.rhai", "max_tokens: setting", "max_token: setting", "unknown-option", 8),
    (PROMPTS, "    texts\n}", "}", "no-value", 19),
    // In scripts of one's own.
    (MAIN, "", "process([#{name: \"a\"}], #{checkpoint: \"data/x.jsonl\"}, |i| i);", "wrong-items", 1),
    (MAIN, "", "process([#{id: \"a\"}, #{id: \"a\"}], #{checkpoint: \"data/x.jsonl\"}, |i| i);", "wrong-items", 1),
    (MAIN, "", "let n = 2;\nprint(\"turn ${n}\");", "plain-quotes", 2),
    (MAIN, "", "let n = 1;\nn =+ 2;\nprint(n);", "no-effect", 2),
    (MAIN, "", "let i = 0;\nwhile i < 3 {\n    print(i);\n}", "endless-loop", 2),
    (MAIN, "", "let b = get_backend(\"assistant\");\nif b.complete(\"Hi\") == \"yes\" { print(1); }", "never-equal", 2),
    (MAIN, "", "let limit = setting(\"limit\", \"12\");\nif limit > 5 { print(limit); }", "wrong-operands", 2),
    (MAIN, "", "print(\"5\".to_int());", "wrong-type", 1),
    (MAIN, "", "for t in read_transcripts() { print(slice_transcript(t, \"x\", #{min_context: 2})); }", "missing-option", 1),
    (MAIN, "", "print(count_tokens(5));", "wrong-type", 1),
    (MAIN, "", "let n = 3;\nprint(get_slice_points(\"12\", `t${n}`));", "wrong-type", 2),
    (MAIN, "", "print(sin(1));", "wrong-type", 1),
    (MAIN, "", "let names = [];\nif names { print(1); }", "wrong-condition", 2),
    (MAIN, "", "let names = [\"a\"];\nwhile names.len() { names.pop(); }", "wrong-condition", 2),
    (MAIN, "", "let kind = \"a\";\nif kind == \"a\" || \"b\" { print(kind); }", "syntax", 2),
    (MAIN, "", "for i in 5 { print(i); }", "syntax", 1),
    (MAIN, "", "let m = #{a: 1};\nfor key in m { print(key); }", "not-iterable", 2),
    (MAIN, "", "print(\"turn %s\" % 3);", "wrong-operands", 1),
    (MAIN, "", "print(\"=\" * 20);", "wrong-operands", 1),
    (MAIN, "", "let list = [1];\nlet longer = list + 2;\nprint(longer);", "wrong-operands", 2),
    (MAIN, "", "let list = [3];\nprint(list[\"a\"]);", "wrong-index", 2),
    (MAIN, "", "let name = \"Ada\";\nprint(name.length);", "unknown-property", 2),
    (MAIN, "", "let names = [\"a\"];\nprint(names.count);", "unknown-property", 2),
    (MAIN, "", "let name = \"ada\";\nname = name.to_upper().trim();\nprint(name);", "no-value", 2),
    (MAIN, "", "let names = [2, 1];\nlet sorted = names.sort();\nprint(sorted);", "no-value", 2),
    (MAIN, "", "let names = [];\nnames = names.push(\"a\");\nprint(names);", "no-value", 2),
    (MAIN, "", "let names = [1];\nnames.map(|n| n + 1);\nprint(names);", "unused-result", 2),
    (MAIN, "", "\"\"\n;\nlet x = 1;\nx == 5;\nprint(x);", "no-effect", 4),
    (MAIN, "", "fn f(x) {\n    \"Doubles x.\";\n    x * 2\n}\nprint(f(1));", "no-effect", 2),
    (MAIN, "", "let x = 1;\nprint(2);", "unused-variable", 1),
    (MAIN, "", "for i in [1, 2] {\n    let total = 0;\n    total += i;\n}", "unused-variable", 2),
    (MAIN, "", "fn f(a, b) { a }\nprint(f(1, 2));", "unused-parameter", 1),
    (MAIN, "", "private fn helper() { 1 }\nprint(2);", "unused-function", 1),
    (MAIN, "", "let done = 0;\nparallel_map([1], |n| {\n    done += n;\n    n\n});\nprint(done);", "lost-change", 3),
    (MAIN, "", "let all = [];\nprocess([#{id: \"a\"}], #{checkpoint: \"data/x.jsonl\"}, |item| {\n    all.push(item.id);\n    item\n});\nprint(all);", "lost-change", 3),
    (MAIN, "", "let dice = rng(\"x\");\nprint(parallel_map([1], |n| {\n    n + dice.randint(1, 6)\n}));", "captured-rng", 3),
    (MAIN, "", "let turn = 3;\nlet turns = 12;\nif turn / turns > 0.5 { print(turn); }", "integer-division", 3),
    (MAIN, "", "fn share(done, all) { done.len() / all.len() * 100.0 }\nprint(share([1], [1, 2]));", "integer-division", 1),
    (MAIN, "", "let answer = \"1\";\nif answer == 1 { print(answer); }", "never-equal", 2),
    (MAIN, "", "let answer = \"YES\";\nif answer == 'YES' { print(answer); }", "syntax", 2),
    (MAIN, "", "fn f() {\n    return 1;\n    print(2);\n}\nf();", "unreachable", 3),
    (MAIN, "", "for i in 0..3 {\n    continue;\n    print(i);\n}", "unreachable", 3),
    (MAIN, "", "let n = 0;\nwhile true { n += 1; print(n); }", "endless-loop", 2),
    (MAIN, "", "for i in 5..1 { print(i); }", "empty-range", 1),
    (MAIN, "", "const LIMIT = 3;\nLIMIT += 1;", "constant-assigned", 2),
    (MAIN, "", "print(#{a: 1, b: 2, a: 3});", "duplicate-key", 1),
    (MAIN, "", "let n = 1;\nif n = 2 { print(n); }", "syntax", 2),
    (MAIN, "", "let limit = 3;\nfn f(n) {\n    n > limit\n}\nprint(f(1));", "unknown-variable", 3),
    (MAIN, "", "let default = 1;\nprint(default);", "reserved-word", 1),
    (MAIN, "", "let p = #{id: \"a\"};\nprint(p.match);", "reserved-word", 2),
    (MAIN, "", "import \"std/conversation\" as conversation;\nprint(conversation::HISTRY);", "unknown-constant", 2),
    (MAIN, "", "write_json(\"results.json\", #{a: 1});", "path-outside", 1),
    (MAIN, "", "print(read_text(\".env\"));", "path-outside", 1),
    (MAIN, "", "print(read_text(\"../notes.md\"));", "path-outside", 1),
    (MAIN, "", "append_checkpoint(\"data/a.jsonl\", #{id: \"a\"});\nwrite_text(\"data/a.jsonl\", \"\");", "write-to-checkpoint", 2),
    (MAIN, "", "print(rng(\"x\").weighted_choice(#{a: 0.5, b: 0.6}));", "weights-sum", 1),
    (MAIN, "", "print(rng(\"x\").chance(30));", "probability", 1),
    (MAIN, "", "print(render_text(\"{{ a }} {{ b }}\", #{a: 1}));", "template-variable", 1),
    (MAIN, "", "let vars = #{name: \"a\", trun: 1};\nprint(render_text(\"{{ name }} {{ turn }}\", vars));", "template-unused", 1),
    (MAIN, "", "print([3, 1].map(|a, b, c| a + b + c));", "closure-parameters", 1),
    (MAIN, "", "print([3, 1].reduce(|sum| sum));", "closure-parameters", 1),
    (MAIN, "", "print(count_tokens(\"a\", \"gpt-4\"));", "unknown-encoding", 1),
    (MAIN, "", "let b = get_backend(\"assistant\", #{temperature: \"0.8\"});\nprint(b.name);", "wrong-option", 1),
    (MAIN, "", "let b = get_backend(\"assistant\");\nprint(b.complete(\"Hi\", #{max_tokens: 0}).content);", "wrong-option", 2),
    (MAIN, "", "let b = get_backend(\"assistant\");\nprint(b.complet(\"Hi\"));", "unknown-method", 2),
    (MAIN, "", "let xs = [1, 2];\nprint(xs[2]);", "wrong-index", 2),
    (MAIN, "", "for id in load_checkpoint(\"data/x.jsonl\") { print(id); }", "not-iterable", 1),
    (MAIN, "", "let persona = #{name: \"a\"};\nprint(persona.nmae);", "unknown-key", 2),
    (MAIN, "", "let f = |x| x + 1;\nprint(f.call(1, 2));", "closure-parameters", 2),
    (MAIN, "", "let xs = [1, 2];\nprint(xs.map(|x| x + xs.len()));", "captures-itself", 2),
    (MAIN, "", "print(render_text(\"{% if a %}x\", #{a: 1}));", "template", 1),
    (MAIN, "", "let x = 10 / 0;\nprint(x);", "division-by-zero", 1),
];

/// The shipped project with one mistake.
fn with_seed((path, old, new, ..): &Seed) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> =
        embedded::PROJECT.iter().map(|(path, text)| ((*path).to_string(), (*text).to_string())).collect();
    match files.iter_mut().find(|(known, _)| known == path) {
        Some((_, text)) => {
            assert!(text.contains(old), "{path} has no {old:?}");
            *text = text.replacen(old, new, 1);
        }
        None => files.push(((*path).to_string(), (*new).to_string())),
    }
    files
}

#[test]
fn every_mistake_is_found_at_its_line() {
    let mut missed = Vec::new();
    for seed in SEEDS {
        let files = with_seed(seed);
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let found = findings(&files);
        let (.., code, line) = seed;
        let hit = |finding: &&fthost::author::check::Finding| {
            finding.code == *code && finding.error.place().is_some_and(|place| place.line == *line)
        };
        if !found.iter().any(|finding| hit(&finding)) {
            missed.push(format!("{seed:?}\n{}", rendered(&found)));
        }
        let unhelpful = found.iter().filter(hit).any(|finding| finding.error.get_hint().is_none());
        if unhelpful && !["syntax", "config"].contains(code) {
            missed.push(format!("no advice: {seed:?}"));
        }
    }
    assert!(missed.is_empty(), "{} of {} missed\n{}", missed.len(), SEEDS.len(), missed.join("\n"));
    assert!(SEEDS.len() >= 60);
}
