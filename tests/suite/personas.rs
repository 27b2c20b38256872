//! The personas of the shipped project: that they keep the weights of its files, that more of them change nobody, what
//! the generation writes about them, and what is said when they cannot be drawn. The sampler's own laws are
//! tested where it is (src/pipeline/quota.rs, sampling.rs).

use serde_json::{Value, json};

use crate::support::{PIPELINE, TestProject};

const TEMPLATE: &str = "config/persona-template.yaml";
const TAXONOMY: &str = "config/taxonomy.yaml";

/// The shipped project's personas, and how they cover its weights.
fn drawn(settings: &str) -> (Vec<Value>, Value) {
    of(&TestProject::shipped(), settings)
}

fn of(project: &TestProject, settings: &str) -> (Vec<Value>, Value) {
    project.write(
        "scripts/main.rhai",
        "import \"personas\" as personas;\nlet people = personas::load_personas();\n\
         write_json(\"data/people.json\", people);\nwrite_json(\"data/coverage.json\", persona_coverage(people));",
    );
    project.main(settings).exits(0);
    (project.json("data/people.json").as_array().unwrap().clone(), project.json("data/coverage.json"))
}

fn count(people: &[Value], holds: impl Fn(&Value) -> bool) -> f64 {
    people.iter().filter(|persona| holds(persona)).count() as f64
}

#[test]
fn a_thousand_by_quota_hit_every_weight_of_the_shipped_files() {
    let (people, coverage) = drawn("-s personas=1000");
    assert_eq!((&coverage["personas"], &coverage["sampling"]), (&json!(1000), &json!("quota")));
    assert_eq!(coverage["missed"], json!([]));
    let dimensions = coverage["dimensions"].as_object().unwrap();
    let names: Vec<&str> = dimensions.keys().map(String::as_str).collect();
    let expected =
        ["edge_case", "experience", "flaws", "flaws_count", "name", "product", "situation", "style", "topic"];
    assert_eq!(names, expected);
    for (name, values) in dimensions.iter().filter(|(name, _)| !["flaws", "product"].contains(&name.as_str()))
    {
        for (value, found) in values.as_object().unwrap() {
            let off = found["drawn"].as_f64().unwrap() - found["asked"].as_f64().unwrap() * 1000.0;
            assert!(off.abs() <= 1.0, "{name} {value}: {found}");
        }
    }
    // What the files say, counted here.
    assert_eq!(count(&people, |p| p["style"] == "terse"), 220.0);
    assert_eq!(count(&people, |p| p["flaws"] == json!([])), 200.0);
    assert_eq!(count(&people, |p| p["flaws"].as_array().unwrap().len() == 2), 360.0);
    assert_eq!(count(&people, |p| p["edge_case"] != "none"), 150.0);
    assert_eq!(count(&people, |p| p["experience"] == "expert" && p["situation"] == "first_machine"), 0.0);
    let flaw = |p: &Value, id: &str| p["flaws"].as_array().unwrap().iter().any(|flaw| flaw["id"] == id);
    assert_eq!(count(&people, |p| p["style"] == "formal" && flaw(p, "all_caps")), 0.0);
    assert_eq!(count(&people, |p| p["style"] == "terse" && p["word_limit"] != 18), 0.0);
}

#[test]
fn the_first_five_of_two_thousand_are_the_five() {
    for sampling in ["quota", "independent"] {
        let five = drawn(&format!("-s personas=5 -s sampling={sampling}")).0;
        let many = drawn(&format!("-s personas=2000 -s sampling={sampling}")).0;
        assert_eq!((five.len(), many.len()), (5, 2000));
        assert_eq!(many[..5], five);
    }
    assert_ne!(drawn("-s personas=5 -s seed=2").0, drawn("-s personas=5").0);
}

/// Above this, chi-square is in one of a hundred fair draws, by degrees of freedom from 1 on: NIST/SEMATECH e-Handbook of
/// Statistical Methods, section 1.3.6.7.4, column 0.99.
const ONE_IN_A_HUNDRED: [f64; 6] = [6.635, 9.210, 11.345, 13.277, 15.086, 16.812];

#[test]
fn independent_personas_pass_a_chi_square_test() {
    let coverage = drawn("-s personas=2000 -s sampling=independent").1;
    assert_ne!(coverage["missed"], json!([]), "dice do not keep quotas");
    for dimension in ["style", "topic", "flaws_count", "edge_case"] {
        let values = coverage["dimensions"][dimension].as_object().unwrap();
        let term = |found: &Value| {
            let asked = found["asked"].as_f64().unwrap() * 2000.0;
            (found["drawn"].as_f64().unwrap() - asked).powi(2) / asked
        };
        let chi_square: f64 = values.values().map(term).sum();
        assert!(chi_square < ONE_IN_A_HUNDRED[values.len() - 2], "{dimension}: {chi_square}, {values:?}");
    }
}

#[test]
fn flaws_show_as_often_as_their_probability() {
    let script = "import \"std/conversation\" as conversation;\nlet shown = #{};\nlet dice = #{};\n\
        import \"personas\" as personas;\nfor persona in personas::load_personas() {\n    for turn in 1..=10 {\n        \
        for flaw in persona.flaws { dice[flaw.id] = (dice[flaw.id] ?? 0) + 1; }\n        \
        for flaw in conversation::message_flaws(persona, turn) { shown[flaw.id] = (shown[flaw.id] ?? 0) + 1; }\n    }\n}\n\
        write_json(\"data/shown.json\", #{shown: shown, dice: dice});";
    let project = TestProject::shipped();
    project.write("scripts/main.rhai", script);
    project.main("-s personas=300").exits(0);
    let found = project.json("data/shown.json");
    for (flaw, probability) in [("typos", 0.6), ("vague_pronouns", 0.35), ("all_caps", 0.3)] {
        let (shown, dice) = (found["shown"][flaw].as_f64().unwrap(), found["dice"][flaw].as_f64().unwrap());
        // One degree of freedom: shows or does not.
        let off = (shown - dice * probability).powi(2) / (dice * probability * (1.0 - probability));
        assert!(dice > 300.0 && off < ONE_IN_A_HUNDRED[0], "{flaw}: {shown} of {dice}");
    }
}

#[test]
fn a_generation_writes_what_was_asked_and_drawn() {
    let project = TestProject::shipped();
    let ran = project.run("run scripts/generate.rhai -s personas=6 -s turns=3").exits(0);
    assert!(!ran.out.contains("off their weights"), "{}", ran.out);
    let coverage = project.json("data/raw/coverage.json");
    assert_eq!((&coverage["personas"], &coverage["sampling"]), (&json!(6), &json!("quota")));
    assert_eq!(coverage["dimensions"]["style"]["terse"]["asked"], 0.22);
    let styles = coverage["dimensions"]["style"].as_object().unwrap();
    assert_eq!(styles.values().map(|value| value["drawn"].as_u64().unwrap()).sum::<u64>(), 6);
    let ran = project
        .run("run scripts/generate.rhai -s personas=60 -s turns=3 -s sampling=independent --limit 1")
        .exits(0);
    assert!(ran.out.contains("off their weights by more than one (as dice fall)"), "{}", ran.out);
}

#[test]
fn what_constraints_push_off_is_told() {
    let project = TestProject::shipped();
    project.edit(
        TEMPLATE,
        "constraints:\n",
        "constraints:\n  - {if: {style: [terse, plain, chatty, frustrated]}, only: {experience: beginner}}\n",
    );
    let (people, coverage) = of(&project, "-s personas=100");
    assert_eq!(count(&people, |p| p["style"] != "formal" && p["experience"] != "beginner"), 0.0);
    assert_ne!(coverage["missed"], json!([]));
    let ran = project.run("run scripts/generate.rhai -s personas=100 -s turns=2 --limit 1").exits(0);
    assert!(ran.out.contains("off their weights by more than one (by constraints)"), "{}", ran.out);
}

#[test]
fn personas_of_ones_own_have_no_coverage() {
    let project = TestProject::shipped();
    project.run("run scripts/generate.rhai -s personas=2 -s turns=2").exits(0);
    assert_eq!(project.json("data/raw/coverage.json")["personas"], 2);
    let text = project.read("scripts/personas.rhai");
    let own = text.replacen(
        "fn load_personas() {",
        "fn load_personas() {\n    stream_jsonl(\"data/own.jsonl\")\n}\n\nfn load_others() {",
        1,
    );
    project.write("scripts/personas.rhai", &own);
    let persona = json!({"id": "ada", "turns": 2, "name": "Ada", "style": "x", "style_description": "", "word_limit": 40, "experience": "",
        "experience_description": "", "product": "", "order_number": "", "postcode": "", "topic": "", "situation": "", "problem": "It leaks.",
        "goal": "", "edge_case": "none", "edge_behaviour": "", "flaws": []});
    project.write("data/own.jsonl", &format!("{persona}\n"));
    let ran = project.run("run scripts/generate.rhai").exits(0).prints("1 of 1 complete");
    assert!(!ran.out.contains("weights"), "{}", ran.out);
    assert_eq!(
        project.json("data/raw/coverage.json"),
        json!({"personas": 0, "sampling": "none", "dimensions": {}, "missed": []})
    );
}

#[test]
fn scripts_of_earlier_versions_get_the_same_people() {
    let project = TestProject::shipped();
    let now = of(&project, "-s personas=7 -s turns=12").0;
    project.write(
        "scripts/personas.rhai",
        "import \"std/personas\" as personas;\nfn load_personas() {\n    personas::draw(7, load_yaml(\"config/taxonomy.yaml\"), \
         load_yaml(\"config/persona-template.yaml\"), #{turns: 12})\n}\n",
    );
    assert_eq!(of(&project, "").0, now);
}

#[test]
fn a_new_list_is_a_new_dimension() {
    let project = TestProject::shipped();
    let text = project.read(TEMPLATE);
    project.write(TEMPLATE, &format!("{text}\nmoods:\n  - {{id: calm, weight: 0.5, description: At ease.}}\n  - {{id: cross, weight: 0.5, description: Impatient.}}\ncities: [Kiel, Ulm]\n"));
    let (people, coverage) = of(&project, "-s personas=10");
    assert_eq!(count(&people, |p| p["mood"] == "calm" && p["mood_description"] == "At ease."), 5.0);
    assert_eq!(coverage["dimensions"]["city"]["Ulm"], json!({"asked": 0.5, "drawn": 5}));
}

/// `check` knows the dimensions as the shipped modules make them.
#[test]
fn constraints_may_be_about_every_dimension() {
    let project = TestProject::shipped();
    let all = "constraints:\n  - {if: {topic: delivery, product: Lira One, edge_case: none, style: terse, experience: beginner, name: Ben, \
        flaws_count: 1}, never: {flaws: typos, situation: parcel_late}}\n";
    project.edit(TEMPLATE, "constraints:\n", all);
    assert_eq!(project.run("check").exits(0).out, "no mistakes found\n");
    of(&project, "-s personas=20");
}

#[test]
fn what_is_wrong_with_a_constraint_is_told_with_its_line_before_anything_runs() {
    let project = TestProject::shipped();
    project.edit(TAXONOMY, "never: {situation: [first_machine]}", "never: {situation: [first_machin]}");
    project
        .run(PIPELINE)
        .exits(2)
        .says("error[constraint]: `situation` has no value `first_machin`")
        .says("config/taxonomy.yaml:62:")
        .says("did you mean `first_machine`?");
    assert!(!project.exists("data/raw/transcripts"));
}

#[test]
fn what_cannot_be_drawn_is_an_error_in_words() {
    let ab = "#{name: \"a\", entries: [#{id: \"x\", weight: 1}, #{id: \"y\", weight: 1}]}";
    let cases = [
        ("draw_dimensions(-1, [])".to_string(), "-1 personas cannot be drawn"),
        ("draw_dimensions(1000001, [])".into(), "too many for one draw"),
        ("draw_dimensions(1, [5])".into(), "dimension number 1 is no map"),
        ("draw_dimensions(1, [#{entries: []}])".into(), "dimension number 1 has no name"),
        ("draw_dimensions(1, [#{name: \"a\", entries: []}])".into(), "`a` has nothing to draw from"),
        ("draw_dimensions(1, [#{name: \"a\", entires: []}])".into(), "did you mean `entries`?"),
        (
            "draw_dimensions(1, [#{name: \"a\", entries: [#{id: \"x\"}]}])".into(),
            "`x` of dimension `a` has no `weight`",
        ),
        (
            "draw_dimensions(1, [#{name: \"a\", entries: [#{weight: 1}]}])".into(),
            "entry number 1 of dimension `a` has no `id`",
        ),
        ("draw_dimensions(1, [#{name: \"a\", entries: [\"x\", \"x\"]}])".into(), "`a` has `x` twice"),
        (
            "draw_dimensions(1, [#{name: \"a\", entries: [#{id: \"x\", weight: 0}]}])".into(),
            "at least one is above 0",
        ),
        (
            "draw_dimensions(1, [#{name: \"b\", within: \"a\", entries: \"bs\"}])".into(),
            "within `a`, which does not stand before it",
        ),
        (format!("draw_dimensions(1, [{ab}, {ab}])"), "`a` is there twice"),
        (
            format!("draw_dimensions(1, [{ab}, #{{name: \"b\", within: \"a\", entries: \"bs\"}}])"),
            "`x` of dimension `a` has no list `bs`",
        ),
        (format!("draw_dimensions(1, [{ab}], #{{sampling: (\"quotas\" + \"\")}})"), "did you mean `quota`?"),
        (
            format!(
                "draw_dimensions(1, [{ab}], #{{constraints: [#{{\"if\": #{{a: \"z\"}}, never: #{{a: \"x\"}}}}]}})"
            ),
            "constraint number 1, at `if.a`: `a` has no value `z`",
        ),
        (
            format!(
                "draw_dimensions(1, [{ab}], #{{constraints: [#{{\"if\": #{{a: \"x\"}}, only: #{{a: \"y\"}}}}]}})"
            ),
            "leave nobody whose `a` is `x`",
        ),
    ];
    let project = TestProject::nothing();
    for (expression, says) in cases {
        let ran = project.run_args(&["eval", &expression]).exits(2);
        assert!(ran.err.contains(says) && !ran.err.contains("panicked"), "{expression}: {}", ran.err);
    }
}
