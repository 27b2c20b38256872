//! What people bring along from other languages, Python above all, and how it is written here.

/// A word or sign of another language, and what to write.
type Habit = (&'static str, &'static str);

const WORDS: &[Habit] = &[
    ("None", NOTHING),
    ("null", NOTHING),
    ("nil", NOTHING),
    ("True", "write `true`"),
    ("False", "write `false`"),
    ("elif", ELSE_IF),
    ("elseif", ELSE_IF),
    ("def", FUNCTION),
    ("function", FUNCTION),
    ("from", IMPORT),
    ("lambda", "a closure is `|x| x + 1`"),
    ("raise", "write `throw \"what is wrong\";`"),
    ("except", TRY),
    ("finally", TRY),
    ("and", "write `&&`"),
    ("or", "write `||`"),
    ("not", "write `!`, as in `!(a == b)`"),
    ("is", "write `==`"),
    ("class", "there are no classes: write a map, `#{name: \"Ada\"}`, and functions"),
    ("pass", "an empty block is `{ }`"),
    ("del", "write `map.remove(\"key\")`"),
    ("var", "write `let`"),
    ("match", "write `switch x { 1 => \"one\", _ => \"many\" }`"),
    ("case", "a case is written `1 => \"one\",`"),
    ("with", "files are read by `read_text(path)` and written by `write_text(path, text)`"),
];

const NOTHING: &str = "nothing is written `()`";
const ELSE_IF: &str = "write `else if`";
const FUNCTION: &str = "a function is `fn name(a, b) { ... }`";
const IMPORT: &str = "write `import \"module\" as module;`, then `module::function()`";
const TRY: &str = "write `try { ... } catch (e) { ... }`";
const MAP: &str = "a map is `#{a: 1}`";

/// Functions that scripts do not have, or that take something else.
const CALLS: &[Habit] = &[
    ("any", "write `array.some(|x| x > 2)`"),
    ("append", "`array.push(item)` adds one item, `array.append(other_array)` many"),
    ("assert", "write `if !(a == b) { throw \"what is wrong\"; }`; tests have `testing::assert(...)`"),
    ("dict", MAP),
    ("enumerate", "write `for (item, index) in array { ... }`"),
    ("extend", "`array.append(other_array)` adds many items"),
    ("float", "write `parse_float(text)`, or `number.to_float()`"),
    ("format", "values stand in a text between backticks: `turn ${n}`"),
    ("get", "a map's value with a default is `map.key ?? default`"),
    ("int", "write `parse_int(text)`, or `number.to_int()`"),
    ("isinstance", "write `type_of(x) == \"string\"`"),
    ("items", "write `for key in map.keys() { ... map[key] ... }`"),
    ("join", "write `import \"std/text\" as text;`, then `text::join(array, \", \")`"),
    ("list", "an array is `[1, 2]`"),
    ("now", "write `now_utc()`"),
    ("open", "files are read by `read_text(path)` and written by `write_text(path, text)`"),
    ("print", "print one text, with the values in it: print(`${a} ${b}`)"),
    ("range", "write `for i in 0..3 { ... }`"),
    ("sorted", "`array.sort()` sorts in place"),
    ("sum", "write `array.reduce(|sum, x| sum + x, 0)`"),
];

/// Advice on a function that is unknown, or does not take what it was given.
pub fn of_call(name: &str) -> Option<&'static str> {
    find(CALLS, name)
}

/// Advice on a syntax error: the text of its line before it, and from there on.
pub fn of_syntax(before: &str, rest: &str) -> Option<String> {
    let word: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let after = rest[word.len()..].trim_start();
    if word.is_empty() { of_sign(before, rest) } else { of_word(before.trim_end(), &word, after) }
}

/// Advice on a reserved word: as a key it stands in quotes.
pub fn of_reserved(before: &str, rest: &str, word: &str) -> Option<String> {
    let is_key = rest.strip_prefix(word).is_some_and(|after| after.trim_start().starts_with(':'));
    if let Some(object) = before.trim_end().strip_suffix(['.']) {
        let object = object.trim_end_matches('?');
        let names = |c: char| c.is_alphanumeric() || c == '_';
        let start = object.trim_end_matches(names).len();
        let name = Some(&object[start..]).filter(|name| !name.is_empty()).unwrap_or("x");
        return Some(format!("it is a reserved word: write `{name}[\"{word}\"]`"));
    }
    if is_key && before.trim_end().ends_with(['{', ',']) {
        return Some(format!("it is a reserved word: write `\"{word}\": ...`"));
    }
    of_syntax(before, rest)
}

fn of_word(before: &str, word: &str, after: &str) -> Option<String> {
    let assigned = after.starts_with('=') && !after.starts_with("==") && !after.starts_with("=>");
    if word == "_" && !after.starts_with("=>") {
        return Some("`_` alone is no name: write `_i`".into());
    }
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if after.starts_with('"') && ["f", "r", "b"].contains(&word) {
        return Some("a text with values stands between backticks: `turn ${n}`".into());
    }
    if before.ends_with("import") {
        return Some(format!("write `import \"{word}\" as {word};`"));
    }
    if after.starts_with(':') && !after.starts_with("::") && before.ends_with('{') {
        return Some(MAP.into());
    }
    if assigned && before.trim_start().trim_start_matches("private ").starts_with("fn ") {
        return Some("a parameter has no default: write a second function with fewer parameters".into());
    }
    if assigned && before.ends_with([',', '(']) {
        return Some(format!("options are a map: `#{{{word}: ...}}`"));
    }
    if assigned && (before.is_empty() || before.ends_with([';', '{'])) {
        return Some(format!("a new variable is declared: `let {word} = ...;`"));
    }
    if before.ends_with('[') && after.contains(" for ") {
        return Some("write `array.map(|x| x * 2)`, or `array.filter(|x| x > 2)`".into());
    }
    if ["let", "const", "fn"].iter().any(|keyword| before.ends_with(keyword)) {
        // It is a name, if one that cannot be had.
        return None;
    }
    find(WORDS, word).map(str::to_string)
}

fn of_sign(before: &str, rest: &str) -> Option<String> {
    let first = before.split_whitespace().next().unwrap_or_default();
    let block = ["for", "if", "else", "while", "try", "fn", "}"].contains(&first);
    let hint = match rest.chars().next()? {
        '#' if !rest.starts_with("#{") => "a comment begins with `//`",
        '\'' => "a text stands between double quotes, \"...\"; '...' is one character",
        ':' if block => "a block stands in braces: `{ ... }`",
        ':' if before.contains('{') => MAP,
        ':' if before.contains('[') => "a part of an array is `array.extract(1..3)`",
        '+' if rest.starts_with("++") => "write `x += 1`",
        '-' if rest.starts_with("--") => "write `x -= 1`",
        '?' => "write `if condition { a } else { b }`",
        '=' if first == "fn" || before.contains(" fn ") => {
            "a parameter has no default: write a second function with fewer parameters"
        }
        ',' if first == "for" => "write `for (item, index) in array`, or `for key in map.keys()`",
        _ => return None,
    };
    Some(hint.into())
}

fn find(habits: &[Habit], name: &str) -> Option<&'static str> {
    habits.iter().find(|(theirs, _)| *theirs == name).map(|(_, ours)| *ours)
}
