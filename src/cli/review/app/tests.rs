//! What the keys do, without a terminal.

use super::*;
use crate::cli::review::page::Theme;
use crate::cli::review::subject::tests::subject;

fn app() -> App {
    let mut app = App::new(subject(), None);
    let page = Page::new(&app.subject, app.criterion(), app.turn, 60, Theme { colour: false });
    app.set_page(page, 5);
    app
}

/// Presses keys; what the last one asks for.
fn press(app: &mut App, keys: &str) -> Effect {
    let code = |c| match c {
        '\r' => KeyCode::Enter,
        '\t' => KeyCode::Tab,
        '\x1b' => KeyCode::Esc,
        c => KeyCode::Char(c),
    };
    keys.chars().map(|c| app.press(KeyEvent::new(code(c), KeyModifiers::NONE))).last().unwrap()
}

fn answers(app: &App) -> Vec<(&str, Answer)> {
    app.draft.said().answers.iter().map(|(id, answer)| (id.as_str(), *answer)).collect()
}

#[test]
fn answers_are_given_and_taken_back() {
    let mut app = app();
    assert_eq!((app.criterion(), app.turn, app.top), ("A", 2, 4), "at the turn that the words speak of");
    press(&mut app, "y");
    assert_eq!(answers(&app), [("A", Answer::No)]);
    press(&mut app, "nx");
    assert!(matches!(app.mode, Mode::Answer(_)), "several other answers are possible");
    press(&mut app, "a");
    assert_eq!(answers(&app), [("A", Answer::Na)]);
    press(&mut app, "\tn");
    assert_eq!(answers(&app), [("A", Answer::Na), ("G", Answer::No)]);
    press(&mut app, "uu");
    assert_eq!(answers(&app), [("A", Answer::No)]);
    press(&mut app, "Y");
    assert_eq!(answers(&app), [("A", Answer::No), ("G", Answer::Yes)]);
}

#[test]
fn a_verdict_is_written_at_once_and_later_changes_on_leaving() {
    let mut app = app();
    assert_eq!(press(&mut app, "R"), Effect::Save);
    app.draft.set_written();
    assert_eq!(press(&mut app, "tno good\r "), Effect::Leave(Way::Next));
    assert!(app.draft.is_open() && app.draft.said().note == "no good");
}

#[test]
fn answers_without_a_verdict_are_not_lost_silently() {
    for (keys, way) in [("y q", Way::End), ("yq", Way::End), ("y ", Way::Next)] {
        let mut app = app();
        press(&mut app, keys);
        assert!(matches!(app.mode, Mode::Leave(_)), "{keys}");
        assert_eq!(press(&mut app, "x"), Effect::None);
        press(&mut app, "\x1b");
        assert!(matches!(app.mode, Mode::Read) && app.draft.is_open());
        press(&mut app, if way == Way::End { "q" } else { " " });
        assert_eq!(press(&mut app, "A"), Effect::Leave(way));
        assert_eq!(app.draft.said().verdict, Some(Verdict::Accept));
    }
    let mut app = app();
    assert_eq!(press(&mut app, "y d"), Effect::Leave(Way::Next));
    assert!(!app.draft.is_open());
}

#[test]
fn ctrl_c_asks_once() {
    let mut app = app();
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(app.press(ctrl_c), Effect::Leave(Way::Interrupt));
    press(&mut app, "y");
    assert_eq!(app.press(ctrl_c), Effect::None);
    assert_eq!(app.press(ctrl_c), Effect::Leave(Way::Interrupt));
}

#[test]
fn an_example_is_asked_for_and_begins_with_the_words() {
    let mut app = app();
    let effect = press(&mut app, "ef!\r");
    assert_eq!(effect, Effect::Example { kind: "FAIL", reasoning: "Turn 2 is wrong. So is turn 3.!".into() });
}

#[test]
fn scrolling_and_searching_stay_inside() {
    let mut app = app();
    press(&mut app, "/answer 3\r");
    assert_eq!(app.page.rows[app.found.unwrap()].left.to_string(), "assistant: answer 3");
    press(&mut app, "/nowhere\r");
    assert!(app.message.contains("stands nowhere") && app.found.is_none());
    app.press(KeyEvent::new(KeyCode::End, KeyModifiers::NONE));
    assert_eq!((app.top, app.turn), (app.page.rows.len() - 5, 3));
    app.press(KeyEvent::new(KeyCode::Home, KeyModifiers::NONE));
    assert_eq!((app.top, app.turn), (0, 1));
    press(&mut app, "]]]]");
    assert_eq!(app.turn, 3);
    press(&mut app, "[[[[[");
    assert_eq!((app.turn, app.top), (1, 0));
}

#[test]
fn only_lines_take_what_is_pasted() {
    let mut app = app();
    app.paste("R");
    assert!(app.draft.said().verdict.is_none());
    press(&mut app, "t");
    app.paste("a\x1b[2J\nb");
    press(&mut app, "\r");
    assert_eq!(app.draft.said().note, "a␛[2J b");
}

#[test]
fn what_cannot_be_read_gets_no_verdict() {
    let mut subject = subject();
    subject.text = Err(crate::base::Error::new(crate::base::Kind::NotFound, "gone"));
    let mut app = App::new(subject, None);
    assert_eq!(press(&mut app, "A"), Effect::None);
    assert!(app.message.contains("cannot be read") && !app.draft.is_open());
}
