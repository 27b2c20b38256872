//! `fthost report` and the figures of `fthost status`: the page is opened in Chromium, as people do.

mod fixture;

use std::fs::File;
use std::time::Instant;

use serde_json::{Value, json};

use crate::browser::{self, Browser};
use crate::support::{PIPELINE, TestProject, figure, long};
use fixture::{ASSESSED, HOSTILE, id, judged, project, record, transcript, verdict};

fn figures(project: &TestProject) -> Value {
    project.run("status --json").exits(0).events()[0]["figures"].clone()
}

/// The page of a project, and what it says of its figures.
fn page(project: &TestProject) -> String {
    project.run("report").exits(0).prints("data/report.html");
    project.read("data/report.html")
}

fn url(project: &TestProject) -> String {
    format!("file://{}", project.path("data/report.html").display())
}

fn opened(project: &TestProject, hash: &str) -> Option<Browser> {
    page(project);
    let mut browser = browser::start()?;
    browser.resize(1280, 1000);
    browser.open(&(url(project) + hash));
    Some(browser)
}

/// Nothing was fetched but the file itself, and nobody complained.
fn is_quiet(browser: &mut Browser) {
    assert_eq!(browser.complaints(), Vec::<String>::new());
    let requests = browser.requests();
    assert!(!requests.is_empty() && requests.iter().all(|url| url.starts_with("file://")), "{requests:?}");
    let files: std::collections::BTreeSet<&str> =
        requests.iter().map(|url| url.split('#').next().unwrap()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
}

fn shown(browser: &mut Browser) -> Vec<String> {
    let ids = browser.eval("[...document.querySelectorAll('#rows .id')].map(id => id.textContent)");
    serde_json::from_value(ids).unwrap()
}

#[test]
fn a_person_looks_at_the_figures_and_finds_a_transcript() {
    let project = project(40, 4, 12);
    let Some(mut browser) = opened(&project, "") else { return };
    let charts = browser.eval("document.querySelectorAll('#figures-page svg').length");
    assert!(charts.as_u64() > Some(30), "{charts}");
    let seen = "[...document.querySelectorAll('.section')].map(section => [section.id, section.offsetHeight > 60, !section.querySelector('.empty')])";
    let sections: Vec<(String, bool, bool)> = serde_json::from_value(browser.eval(seen)).unwrap();
    let filled = [
        "funnel", "rates", "criteria", "scores", "judges", "human", "coverage", "lengths", "slices", "audit",
    ];
    for name in filled {
        assert!(sections.contains(&(name.into(), true, true)), "{name}: {sections:?}");
    }
    assert!(sections.contains(&("cost".into(), true, false)), "offline costs nothing: {sections:?}");
    // Styles count: a bar has its colour, and the page its width.
    assert_ne!(browser.eval("getComputedStyle(document.querySelector('.bar .pass')).fill"), "rgb(0, 0, 0)");
    assert_eq!(browser.eval("document.documentElement.scrollWidth <= innerWidth"), true);

    browser.eval("document.querySelector('#criteria a[href=\"#criterion=C3\"]').click()");
    browser.until("!document.getElementById('transcripts').hidden");
    let expected: Vec<String> = (0..40).filter(|i| [1, 2].contains(&(i % 10))).map(id).collect();
    assert_eq!(shown(&mut browser), expected, "those that failed C3");
    browser.eval("document.querySelector('[data-status=\"failed\"]').click()");
    browser.eval("document.getElementById('clear').click()");
    assert_eq!(shown(&mut browser).len(), 40);
    browser.eval("document.querySelector('[data-status=\"rejected\"]').click()");
    assert_eq!(shown(&mut browser), [id(3)]);
    browser.eval("document.getElementById('clear').click()");
    let choose = |name: &str, value: &str| {
        format!(
            "(() => {{ const s = document.querySelector('{name}'); s.value = '{value}'; s.dispatchEvent(new Event('change', {{bubbles: true}})); }})()"
        )
    };
    browser.eval(&choose("#f-judges", "differ"));
    assert_eq!(shown(&mut browser), [0, 10, 20, 30].map(id));
    browser.eval(&choose("#f-judges", ""));
    browser.eval(&choose("[data-facet=style]", "terse"));
    let terse = (0..40).filter(|i| transcript(*i, 4, 12)["persona"]["style"] == "terse").map(id);
    assert_eq!(shown(&mut browser), terse.collect::<Vec<_>>());
    browser.eval("document.getElementById('clear').click()");

    browser.press("/");
    browser.until("document.activeElement.id === 'f-q'");
    browser.type_text("espresso");
    browser.until("document.getElementById('count').textContent.includes('hit')");
    browser.until("document.querySelectorAll('#rows .id').length === 4");
    assert_eq!(browser.eval("document.getElementById('count').textContent"), "4 of 40 transcripts, 4 hits");
    browser.press("Enter");
    browser.until("document.querySelector('#reader h2')?.textContent === 'persona_0003'");
    assert_eq!(browser.eval("document.querySelector('#reader mark').textContent"), "ESPRESSO");
    assert_eq!(browser.eval("document.querySelectorAll('#reader .say').length"), 8);
    let beside = browser.eval("document.querySelector('#turn-2 .remark').textContent");
    assert!(beside.as_str().unwrap().starts_with("C6 NO strict"), "{beside}");
    let reader = browser.eval("document.getElementById('reader').textContent");
    for text in ["Stock phrases.", "mara", "example: turns 1 to 4", "rejected", "Is the wording free"] {
        assert!(reader.as_str().unwrap().contains(text), "{text}: {reader}");
    }
    browser.press("j");
    browser.until("document.querySelector('#reader h2')?.textContent === 'persona_0013'");
    browser.press("k");
    browser.until("document.querySelector('#reader h2')?.textContent === 'persona_0003'");
    browser.eval("history.back()");
    browser.until("document.querySelector('#reader h2')?.textContent === 'persona_0013'");
    browser.press("Escape");
    browser.until("!document.querySelector('#reader h2')");
    is_quiet(&mut browser);
}

#[test]
fn a_link_leads_to_a_transcript_also_on_a_small_screen() {
    let project = project(12, 3, 8);
    let Some(mut browser) = opened(&project, "#t=persona_0007") else { return };
    browser.until("document.querySelector('#reader h2')?.textContent === 'persona_0007'");
    browser.resize(400, 800);
    for hash in ["t=persona_0002", "transcripts", "funnel", "judges"] {
        browser.eval(&format!("location.hash = '{hash}'"));
        browser.until("document.documentElement.scrollWidth <= 400");
    }
    browser.eval("location.hash = 't=persona_0002'");
    browser.until(
        "document.querySelector('.side').offsetHeight === 0 && !!document.querySelector('#reader h2')",
    );
    browser.eval("document.querySelector('.close').click()");
    browser.until("document.querySelector('.side').offsetHeight > 0");
    let colour = "getComputedStyle(document.body).backgroundColor";
    let light = browser.eval(colour);
    browser.eval("document.getElementById('theme').click()");
    assert_ne!(browser.eval(colour), light, "dark");
    is_quiet(&mut browser);
}

/// Ids, texts, personas, judges, reasonings, notes, questions, findings: whatever somebody else has written.
#[test]
fn no_text_becomes_markup() {
    let project = project(3, 2, 6);
    let question = format!("question: {}", json!(format!("Is it {HOSTILE}?")));
    project.edit(
        "config/rubric.yaml",
        "question: \"Is every direct question of the customer answered?\"",
        &question,
    );
    let rubric = fixture::rubric(&project);
    let hostile = json!({"id": HOSTILE, HOSTILE: HOSTILE, "persona": {"id": HOSTILE, "name": HOSTILE, HOSTILE: [HOSTILE]},
        "exchanges": [{"user": HOSTILE, "assistant": HOSTILE}, {"user": "plain", "assistant": HOSTILE}]});
    let path = fthost::store::ids::transcript_path(HOSTILE);
    project.write(&path, &hostile.to_string());
    let verdicts = [0, 1].map(|_| {
        let mut verdict = verdict(&hostile, &rubric, HOSTILE, &["C3"]);
        verdict["reasonings"]["C3"] = json!(format!("turn 2: {HOSTILE}"));
        verdict
    });
    let record = record(verdicts, &["C3"], HOSTILE);
    project.write(ASSESSED, &format!("{}{record}\n", project.read(ASSESSED)));
    let review = json!({"id": HOSTILE, "verdict": "accept", "note": HOSTILE, "reviewer": HOSTILE});
    project.write("data/assessments/human.jsonl", &format!("{review}\n"));
    let finding = json!({"kind": HOSTILE, "message": HOSTILE, "examples": [{"id": HOSTILE, "turn": 1, "text": HOSTILE}]});
    project.write("data/audit/findings.json", &json!({"pass": true, "findings": [finding]}).to_string());
    let cells = json!({HOSTILE: {"asked": 0.5, "drawn": 1}});
    project.write(
        "data/raw/coverage.json",
        &json!({"personas": 2, "sampling": HOSTILE, "dimensions": {HOSTILE: cells}}).to_string(),
    );
    let page = page(&project);
    assert!(!page.contains("<script>alert") && !page.contains("<img") && !page.contains("<svg onload"));
    let Some(mut browser) = opened(&project, "#transcripts") else { return };
    browser.eval("document.querySelectorAll('#rows a')[0].click()");
    let has = |text: &str| format!("document.querySelector('#reader h2')?.textContent.includes('{text}')");
    browser.until(&has("onerror=alert(2)"));
    assert_eq!(browser.eval("document.querySelectorAll('#reader .say')[1].lastChild.textContent"), HOSTILE);
    browser.eval("document.getElementById('f-q').value = '<img'; document.getElementById('f-q').dispatchEvent(new Event('input'))");
    browser.until("document.querySelectorAll('#reader mark').length > 3");
    let made =
        browser.eval("document.querySelectorAll('img, iframe, [onload], [onerror], #reader script').length");
    assert_eq!(made, 0);
    is_quiet(&mut browser);
}

#[test]
fn sections_without_figures_say_how_to_get_them() {
    let project = TestProject::shipped();
    let page = page(&project);
    for command in
        ["scripts/generate.rhai", "scripts/assess.rhai", "scripts/slice.rhai", "scripts/audit.rhai"]
    {
        assert!(page.contains(&format!("<code>fthost run {command}</code>")), "{command}");
    }
    assert!(page.contains("<code>fthost review</code>") && page.contains("cost nothing"));
    project
        .run("status")
        .exits(0)
        .prints("nothing is made yet: make conversations\n    fthost run scripts/generate.rhai");
    let Some(mut browser) = opened(&project, "#transcripts") else { return };
    assert_eq!(browser.eval("document.getElementById('count').textContent"), "0 of 0 transcripts");
    is_quiet(&mut browser);
}

#[test]
fn it_only_looks_and_takes_no_lock() {
    let project = project(5, 2, 6);
    project.write(&format!("{ASSESSED}.lock"), "");
    let held = File::open(project.path(&format!("{ASSESSED}.lock"))).unwrap();
    held.lock().unwrap();
    let before = project.files("");
    let elsewhere = tempfile::TempDir::new().unwrap();
    let at = elsewhere.path().join("deep/r.html");
    let ran = project.run_args(&["report", "-o", at.to_str().unwrap()]).exits(0);
    assert_eq!(ran.out, format!("the report of 5 transcripts is in {}\n", at.display()));
    project.run("status").exits(0);
    assert!(project.files("") == before, "nothing changed");
    assert_eq!(std::fs::read_dir(at.parent().unwrap()).unwrap().count(), 1);
    project.run_args(&["report", "-o", elsewhere.path().to_str().unwrap()]).exits(2).says("is a directory");
}

/// One bad file, line or review is told, and the others are shown.
#[test]
fn what_cannot_be_read_is_told() {
    let project = project(5, 2, 6);
    project.write("data/raw/transcripts/broken.json", "{\"id\": ");
    project.write("data/assessments/human.jsonl", "{\"id\": \"persona_0001\", \"verdict\": \"perhaps\"}\n");
    project.write("data/audit/findings.json", "[]");
    let lenient = json!({"id": "persona_0002", "pass": true, "complete": true, "answers": {"C1": "ERROR"}});
    project.write(ASSESSED, &format!("{}{lenient}\n", project.read(ASSESSED)));
    let ran = project.run("report").exits(0);
    for text in [
        "broken.json",
        "line 1 of data/assessments/human.jsonl",
        "findings.json is not an audit",
        "checkpoint.jsonl, line 6",
    ] {
        assert!(ran.err.contains(text), "{text}: {}", ran.err);
        assert!(project.read("data/report.html").contains(text), "{text}");
    }
    let figures = figures(&project);
    assert_eq!((&figures["funnel"]["made"], &figures["funnel"]["judged"]), (&json!(6), &json!(5)));
}

#[test]
fn status_and_the_report_have_the_same_figures() {
    let project = project(40, 3, 8);
    let page = page(&project);
    let figures = figures(&project);
    let embedded = page.split("id=\"figures-data\">").nth(1).unwrap().split("</script>").next().unwrap();
    assert_eq!(serde_json::from_str::<Value>(embedded).unwrap(), figures);
    let funnel = &figures["funnel"];
    let stages = ["made", "judged", "complete", "passed", "trainable", "in_training", "not_any_more"]
        .map(|stage| funnel[stage].as_u64().unwrap());
    // Of ten, one fails the gate and two have too low a score; a human rejected one of those that pass.
    assert_eq!(stages[..4], [40, 40, 40, stages[3]]);
    assert_eq!((stages[4] + 1, stages[5], stages[6]), (stages[3], stages[3], 1));
    assert_eq!(figures["judges"]["disputed"], 4);
    assert_eq!(figures["judges"]["lenient"], Value::Null, "4 answers are too few to tell");
    assert_eq!(
        (&figures["human"]["reviews"], &figures["human"]["verdicts"]["passed_rejected"]),
        (&json!(8), &json!(1))
    );
    assert_eq!(figures["coverage"]["sampling"], "quota");
    assert_eq!(figures["lengths"]["turns"]["mean"], 3.0);
    assert_eq!(figures["slices"]["per_transcript"]["count"].as_u64().unwrap(), stages[3]);
    let about: Vec<&str> =
        figures["next"].as_array().unwrap().iter().map(|step| step["about"].as_str().unwrap()).collect();
    assert_eq!(about[0], "slice", "what may not be trained on comes first: {about:?}");
    assert!(about.contains(&"human") && about.contains(&"audit"), "{about:?}");
    let text = project.run("status").exits(0).out;
    for part in [
        "40 made, 40 judged",
        "rubric ",
        "(today's): ",
        "fails most: C3 8, C6 8, C1 4",
        "the judges differ on 4 of 40",
        "humans reviewed 8",
        "\nnext:\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// The shipped scripts, a rubric that is edited, and verdicts by both.
#[test]
fn an_edited_rubric_gives_two_pass_rates() {
    let project = TestProject::shipped();
    project.run(&format!("{PIPELINE} -s personas=12 -s turns=3")).exits(0);
    let first = figures(&project);
    assert_eq!(first["rates"]["by_rubric"].as_array().unwrap().len(), 1);
    assert_eq!((&first["funnel"]["asked"], &first["funnel"]["made"]), (&json!(12), &json!(12)));
    assert_eq!(first["rates"]["by_prompts"].as_array().unwrap().len(), 1);
    project.edit("config/rubric.yaml", "threshold: 0.8", "threshold: 0.99");
    let stale = figures(&project);
    let lost = |figures: &Value| figures["funnel"]["losses"].to_string();
    assert!(lost(&stale).contains("rubric_changed"), "{}", lost(&stale));
    let step = stale["next"].as_array().unwrap().iter().find(|step| step["about"] == "stale").unwrap();
    assert!(step["command"].as_str().unwrap().starts_with("fthost run scripts/assess.rhai"), "{step}");
    project.run("run scripts/assess.rhai --redo stale").exits(0);
    let rates = figures(&project)["rates"].clone();
    let by_rubric = rates["by_rubric"].as_array().unwrap();
    let today: Vec<bool> = by_rubric.iter().map(|rate| rate["is_today"] == true).collect();
    assert_eq!(today, [false, true]);
    assert!(by_rubric[0]["passed"].as_u64() > by_rubric[1]["passed"].as_u64(), "{rates}");
    let judged: u64 =
        rates["over_time"].as_array().unwrap().iter().map(|point| point["judged"].as_u64().unwrap()).sum();
    assert_eq!(judged, 24);
}

/// The advice goes by the gates, and so does the summary of an assessment.
#[test]
fn the_next_step_goes_by_the_gates() {
    for (passing, about) in [(12, "suspicious"), (9, "scale"), (7, "iterate"), (5, "revise")] {
        let project = TestProject::shipped();
        let rubric = fixture::rubric(&project);
        let mut records = String::new();
        for i in 0..12 {
            let transcript = transcript(i, 3, 5);
            project.write(&format!("data/raw/transcripts/{}.json", id(i)), &transcript.to_string());
            let no: &[&str] = if i < passing { &[] } else { &["C1"] };
            records += &format!("{}\n", verdict(&transcript, &rubric, "strict", no));
        }
        project.write(ASSESSED, &records);
        let next = figures(&project)["next"].clone();
        let step = next.as_array().unwrap().iter().find(|step| step["about"] == about);
        let step = step.unwrap_or_else(|| panic!("{passing}: {next}"));
        let scales = step["command"] == "fthost run scripts/generate.rhai -s personas=60";
        assert_eq!(scales, about == "scale", "{step}");
        let words = project.run_args(&["eval", &format!("pass_rate_advice({passing}, 12)")]).exits(0).out;
        assert!(step["text"].as_str().unwrap().contains(words.trim()), "{words}: {step}");
    }
}

/// In its long form 2,000 transcripts of 25 turns: the bar is three seconds.
#[test]
fn many_transcripts_are_found_soon() {
    let count = if long() { 2_000 } else { 150 };
    let project = project(count, 25, if long() { 45 } else { 10 });
    let rubric = fixture::rubric(&project);
    assert_eq!(judged(4, &transcript(4, 2, 2), &rubric)["pass"], true);
    let started = Instant::now();
    let (ran, peak) = project.measured("report");
    ran.exits(0);
    let size = project.path("data/report.html").metadata().unwrap().len() / 1_000_000;
    figure(&format!(
        "the report of {count} transcripts: made in {:.1} s with {} MB, {size} MB long",
        started.elapsed().as_secs_f64(),
        peak / 1_000_000
    ));
    let started = Instant::now();
    project.run("status").exits(0);
    figure(&format!("status of {count} transcripts: {:.2} s", started.elapsed().as_secs_f64()));
    let Some(mut browser) = browser::start() else { return };
    browser.resize(1280, 1000);
    let started = Instant::now();
    browser.go(&(url(&project) + "#transcripts"));
    browser.until("document.querySelectorAll('#rows .id').length > 100");
    let listed = started.elapsed();
    browser.eval("document.getElementById('f-q').value = 'espresso'; document.getElementById('f-q').dispatchEvent(new Event('input'))");
    browser.until("document.getElementById('count').textContent.endsWith(' hits') && !document.getElementById('progress').textContent");
    let expected =
        format!("{} of {} transcripts", count / 10, fthost::base::numbers::thousands(count as u64));
    let told = browser.eval("document.getElementById('count').textContent");
    assert!(told.as_str().unwrap().starts_with(&expected), "{told}");
    let searched = started.elapsed();
    figure(&format!(
        "from the address to the list {:.2} s, to all hits of a search {:.2} s",
        listed.as_secs_f64(),
        searched.as_secs_f64()
    ));
    assert!(!long() || searched.as_secs_f64() < 3.0, "{searched:?}");
    browser.eval("[...document.querySelectorAll('#rows a')].at(-1).scrollIntoView()");
    browser.until(&format!("document.querySelectorAll('#rows .id').length >= {}", (count / 10).min(200)));
    is_quiet(&mut browser);
}

/// A report takes the place of a report, and of nothing else.
#[test]
fn nothing_but_a_report_is_overwritten() {
    let project = project(5, 2, 6);
    let rubric = project.read("config/rubric.yaml");
    for (out, says) in [
        ("config/rubric.yaml", "is no report"),
        ("data/assessments/checkpoint.jsonl", "is no report"),
        ("data", "is a directory"),
        ("/dev/null", "is no plain file"),
    ] {
        project.run(&format!("report -o {out}")).exits(2).says(says);
    }
    assert_eq!(project.read("config/rubric.yaml"), rubric);
    for _ in 0..2 {
        project.run("report -o report.html").exits(0);
    }
    assert!(project.exists("report.html"));
}

/// What no judge can have written tells nothing of humans against judges either, and the rest is shown.
#[test]
fn a_bad_verdict_on_a_reviewed_transcript_is_told() {
    let project = project(5, 2, 6);
    let bad = json!({"id": id(3), "pass": true, "complete": true, "answers": {"C1": "ERROR"}});
    project.write(ASSESSED, &format!("{}{bad}\n", project.read(ASSESSED)));
    project.run("report").exits(0).says("checkpoint.jsonl, line 6");
    project.run("status").exits(0).prints("humans reviewed 1");
}
