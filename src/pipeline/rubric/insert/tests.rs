//! Examples put into rubrics of many layouts.

use super::*;
use proptest::prelude::*;

fn example() -> Calibration {
    Calibration {
        kind: "FAIL".into(),
        context: "How: \"fast\"?".into(),
        response: "Two\nlines - é # no comment".into(),
        reasoning: "Vague.".into(),
    }
}

const NEW: &str = r#"{type: FAIL, context: "How: \"fast\"?", response: "Two\nlines - é # no comment", reasoning: "Vague."}"#;

fn rubric(criteria: &str) -> String {
    format!(
        "threshold: 0.5 # half\ncategories: [{{name: x, weight: 1.0, criteria: [A, B]}}]\n\n# What is asked.\ncriteria:\n{criteria}"
    )
}

/// The text with the example, of which the beginning is left out here.
fn inserted(criteria: &str, criterion: &str) -> String {
    let text = rubric(criteria);
    let after = with_example("r.yaml", &text, criterion, &example()).unwrap();
    let start = text.len() - criteria.len();
    assert_eq!(after[..start], text[..start]);
    after[start..].to_string()
}

#[test]
fn it_stands_below_the_last_one_in_the_style_of_that() {
    let block = "  - id: A\n    question: a?\n    examples:\n      - {type: PASS, response: \"ok\"}   # the last one\n\n  # B is next.\n  - {id: B, question: b?}\n";
    let expected = block.replace("last one\n", &format!("last one\n      - {NEW}\n"));
    assert_eq!(inserted(block, "A"), expected);
    let keys = "- id: A\n  question: a?\n  examples:\n  - type: PASS\n    reasoning: >-\n      Long\n      text.\n  guidance: g # end\n- {id: B, question: b?}";
    let new = "  - type: FAIL\n    context: \"How: \\\"fast\\\"?\"\n    response: \"Two\\nlines - é # no comment\"\n    reasoning: \"Vague.\"\n";
    assert_eq!(inserted(keys, "A"), keys.replace("text.\n", &format!("text.\n{new}")));
}

#[test]
fn a_criterion_without_examples_gets_them() {
    let block = "  - id: A # the first\n    question: a?\n\n  # B is next.\n  - id: B\n    question: b?";
    let with = |after: &str| block.replace(after, &format!("{after}\n    examples:\n      - {NEW}"));
    assert_eq!(inserted(block, "A"), with("question: a?"));
    assert_eq!(inserted(block, "B"), with("question: b?"), "the last line has no end");
    let flow = "  - {id: A, question: a?} # one line\n  - { id: B, question: b?, }\n";
    assert_eq!(inserted(flow, "A"), flow.replace("a?}", &format!("a?, examples: [{NEW}]}}")));
    assert_eq!(inserted(flow, "B"), flow.replace("b?,", &format!("b?, examples: [{NEW}],")));
    let empty =
        "  - {id: A, question: a?, examples: []}\n  - id: B\n    question: b?\n    examples: [] # none yet\n";
    assert_eq!(inserted(empty, "A"), empty.replacen("[]", &format!("[{NEW}]"), 1));
    assert_eq!(inserted(empty, "B"), empty.replace("[] #", &format!("[{NEW}] #")));
}

#[test]
fn brackets_over_several_lines_get_one_more_line() {
    let text = "  - id: A\n    question: a?\n    examples: [\n      { type: PASS },  # good\n    ]\n  - {id: B, question: b?}\n";
    let new = NEW.replace("{type", "{ type").replace("\"}", "\" }");
    assert_eq!(inserted(text, "A"), text.replace("# good\n", &format!("# good\n      {new},\n")));
    let text = "  - id: A\n    question: a?\n    examples: [\n      {type: PASS}\n    ]\n  - {id: B, question: b?, examples: [{type: PASS}]}\n";
    assert_eq!(inserted(text, "A"), text.replace("PASS}\n", &format!("PASS}},\n      {NEW}\n")));
    assert_eq!(inserted(text, "B"), text.replace("PASS}]", &format!("PASS}}, {NEW}]")));
}

#[test]
fn what_cannot_be_done_is_told_with_the_text() {
    let shared = "  - id: A\n    question: a?\n    examples: &e\n      - {type: PASS}\n  - {id: B, question: b?, examples: *e}\n";
    let error = with_example("r.yaml", &rubric(shared), "B", &example()).unwrap_err();
    assert!(error.get_hint().unwrap().ends_with(&format!("- {NEW}")), "{:?}", error.get_hint());
    assert!(with_example("r.yaml", &rubric(shared), "C", &example()).is_err());
}

#[test]
fn the_shipped_rubric_takes_one_at_each_criterion() {
    let text = include_str!("../../../../config/rubric.yaml");
    for n in 1..=8 {
        let after = with_example("r.yaml", text, &format!("C{n}"), &example()).unwrap();
        assert_eq!(after.lines().count(), text.lines().count() + 1);
        assert_eq!(after.replace(&format!("      - {NEW}\n"), ""), text);
    }
}

/// Examples in some layout, below a criterion whose keys stand at column `indent`; and whether there are any.
fn examples(layout: usize, pad: &str, list: &str) -> (String, String) {
    let one = "{type: PASS, response: \"a, b: #c\"}";
    let block = match layout {
        0 => String::new(),
        1 => format!("{pad}examples: []\n"),
        2 => format!("{pad}examples: [{one}, {one}] # c\n"),
        3 => format!("{pad}examples: [\n{pad}  {one},\n{pad}  {one}, # c\n{pad}]\n"),
        4 => {
            format!("{pad}examples:\n{pad}{list}- {one}\n{pad}{list}# between\n{pad}{list}- {one} # c\n")
        }
        5 => format!(
            "{pad}examples:\n{pad}{list}-   type: 'PASS'\n{pad}{list}    # in it\n{pad}{list}    reasoning: two\n{pad}{list}     lines\n"
        ),
        6 => format!(
            "{pad}examples:\n{pad}{list}- type: PASS\n{pad}{list}  reasoning: |\n{pad}{list}    kept\n\n{pad}{list}    text\n"
        ),
        _ => format!(
            "{pad}examples:\n{pad}{list}- type: PASS\n{pad}{list}  reasoning: |+\n{pad}{list}    kept\n\n\n"
        ),
    };
    let flow = match layout {
        0 => String::new(),
        1 => ", examples: []".into(),
        _ => format!(", examples: [{one}]"),
    };
    (block, flow)
}

proptest! {
    #[test]
    fn all_else_stays_byte_for_byte(
        layouts in proptest::array::uniform2((0_usize..8, any::<bool>(), any::<bool>())),
        dash in 0_usize..5, list in 0_usize..4, gap in 0_usize..3, order in any::<bool>(),
        crlf in any::<bool>(), ended in any::<bool>(), which in 0_usize..2,
        response in "(\\PC|[\\x00-\\x7f]){0,20}",
    ) {
        let mut criteria = String::new();
        for (id, (layout, in_braces, comment)) in ["A", "B"].iter().zip(layouts) {
            let (before, pad, list) = (" ".repeat(dash), " ".repeat(dash + 2), " ".repeat(list));
            let (block, flow) = examples(layout, &pad, &list);
            let comment = if comment { format!("{pad}# a comment: with a colon\n") } else { String::new() };
            criteria += &match in_braces {
                true => format!("{before}- {{id: {id}, question: \"é?\"{flow}}} # é\n{comment}"),
                false if order => format!("{before}- id: {id}\n{pad}question: >-\n{pad}  é?\n{block}{comment}"),
                false => format!("{before}- id: {id}\n{block}{pad}question: é? # why\n{comment}"),
            };
            criteria += &"\n".repeat(gap);
        }
        let mut text = rubric(&criteria);
        if crlf { text = text.replace('\n', "\r\n"); }
        // A literal text without a line break at its end would get one.
        let literal = ["text", "kept"].iter().any(|word| text.trim_end().ends_with(word));
        if !ended && !literal { text = text.trim_end().to_string(); }
        prop_assume!(Document::parse("r", &text).and_then(|d| d.read::<Content>()).is_ok());
        let example = Calibration { response, ..example() };
        let after = with_example("r.yaml", &text, ["A", "B"][which], &example).unwrap();
        let same_before = text.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let same_after = text.bytes().rev().zip(after.bytes().rev()).take_while(|(a, b)| a == b).count();
        prop_assert!(same_before + same_after >= text.len(), "{}", after);
        prop_assert!(!crlf || !after.replace("\r\n", "").contains('\n'));
    }
}
