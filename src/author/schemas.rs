//! The JSON Schemas of the YAML files that the program itself reads, for editors that complete and check by them.
//! They stand in `config/schemas/`, and the first line of each YAML file names its own.

use serde_json::Value;

use crate::base::config::Config;
use crate::pipeline::rubric::Rubric;

/// The YAML file, the file of its schema, and what makes that.
type Shape = (&'static str, &'static str, fn() -> Value);

/// All of them.
const SCHEMAS: [Shape; 2] = [
    ("config/fthost.yaml", "config/schemas/fthost.schema.json", Config::schema),
    ("config/rubric.yaml", "config/schemas/rubric.schema.json", Rubric::file_schema),
];

/// The files of schemas by their paths, with the YAML files that they are for.
pub fn files() -> impl Iterator<Item = (&'static str, &'static str, String)> {
    SCHEMAS.into_iter().map(|(yaml, path, schema)| (yaml, path, format!("{:#}\n", plain(schema()))))
}

/// What is only about Rust's numbers goes out; links to Rust's items become their names.
fn plain(mut schema: Value) -> Value {
    walk(&mut schema);
    schema
}

fn walk(value: &mut Value) {
    match value {
        Value::Object(map) => {
            // `uint32` and its like: editors warn of formats that they do not know.
            map.shift_remove("format");
            if let Some(Value::String(text)) = map.get_mut("description") {
                *text = without_links(text);
            }
            map.values_mut().for_each(walk);
        }
        Value::Array(values) => values.iter_mut().for_each(walk),
        _ => {}
    }
}

fn without_links(text: &str) -> String {
    text.replace("[`", "`").replace("`]", "`")
}
