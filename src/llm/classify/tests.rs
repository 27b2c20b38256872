//! Statuses, bodies and headers, and what they become.

use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    Answer { status, headers, body: body.into() }
}

fn classify(status: u16, headers: &[(&str, &str)], body: &str) -> (Kind, Again) {
    let remedy = Remedy { key_env: Some("OPENAI_API_KEY"), model: "m", better_url: None };
    let failure = failure(&answer(status, headers, body), &remedy);
    (failure.error.kind(), failure.again)
}

#[test]
fn statuses_mean_what_the_table_says() {
    for status in [408, 409, 425, 429, 500, 502, 503, 529] {
        assert_eq!(classify(status, &[], "").1, Again::Backoff, "{status}");
    }
    for status in [301, 400, 401, 402, 403, 404, 413, 422] {
        assert_eq!(classify(status, &[], "").1, Again::Never, "{status}");
    }
    for status in [401, 402, 403, 404] {
        assert_eq!(classify(status, &[], "").0, Kind::DeadBackend, "{status}");
    }
}

#[test]
fn an_exhausted_quota_is_no_rate_limit() {
    let body = r#"{"error": {"message": "You exceeded", "code": "insufficient_quota"}}"#;
    let got = classify(429, &[("retry-after", "1"), ("x-should-retry", "true")], body);
    assert_eq!(got, (Kind::DeadBackend, Again::Never));
}

#[test]
fn the_servers_words_go_before_its_status() {
    for (status, code) in
        [(400, "model_not_found"), (429, "billing_hard_limit_reached"), (400, "account_deactivated")]
    {
        let body = format!(r#"{{"error": {{"message": "m", "code": "{code}"}}}}"#);
        assert_eq!(classify(status, &[], &body), (Kind::DeadBackend, Again::Never), "{code}");
    }
}

#[test]
fn a_filtered_request_says_nothing_about_the_key() {
    let flagged = r#"{"error": {"code": 403, "message": "flagged", "metadata": {"flagged_input": "x"}}}"#;
    assert_eq!(classify(403, &[], flagged), (Kind::Filtered, Again::Never));
    let azure = r#"{"error": {"code": "content_filter", "message": "filtered"}}"#;
    assert_eq!(classify(400, &[], azure), (Kind::Filtered, Again::Never));
}

#[test]
fn bodies_are_read_in_every_shape() {
    for (body, expected) in [
        (r#"{"error": {"message": "m"}}"#, "m"),
        (r#"[{"error": {"message": "m"}}]"#, "m"),
        (r#"{"error": "m"}"#, "m"),
        (r#"{"error": null, "message": "m"}"#, "m"),
        (r#"{"detail": "m"}"#, "m"),
        ("m", "m"),
        ("", ""),
        ("[]", "[]"),
        ("<html><body>Bad Gateway</body></html>", ""),
    ] {
        assert_eq!(Words::of(body).message, expected, "{body}");
    }
}

#[test]
fn a_redirect_names_no_other_place() {
    let remedy = Remedy { key_env: None, model: "m", better_url: None };
    let failure = failure(&answer(307, &[("location", "http://evil")], "see http://evil"), &remedy);
    assert_eq!(failure.error.message(), "the server redirects, which is not followed (307)");
}

#[test]
fn parameters_that_a_model_declines_are_named() {
    let hint = |message: &str| {
        let body = serde_json::json!({"error": {"message": message}}).to_string();
        let remedy = Remedy { key_env: None, model: "m", better_url: None };
        failure(&answer(400, &[], &body), &remedy).error.get_hint().unwrap_or_default().to_string()
    };
    let limit = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    assert!(hint(limit).contains("`max_tokens_param: max_completion_tokens`"));
    let value = "Unsupported value: 'temperature' does not support 0.8 with this model.";
    assert!(hint(value).contains("`temperature`: leave it unset"));
    let both = "`temperature` and `top_p` cannot both be specified for this model.";
    assert!(hint(both).contains("leave it unset"));
    assert!(hint("json_schema is not supported").contains("`structured: json_object`"));
    assert_eq!(hint("the temperature is fine, the prompt is too long"), "");
}

#[test]
fn a_server_that_wants_a_key_says_how_to_name_one() {
    let remedy = Remedy { key_env: None, model: "m", better_url: None };
    let failure = failure(&answer(401, &[], ""), &remedy);
    assert!(failure.error.get_hint().unwrap().contains("`api_key_env`"));
}

#[test]
fn the_servers_times_are_read() {
    let second = Again::After(Duration::from_secs(1));
    assert_eq!(classify(429, &[("retry-after", "1")], "").1, second);
    let exact = classify(429, &[("retry-after-ms", "250"), ("retry-after", "1")], "").1;
    assert_eq!(exact, Again::After(Duration::from_millis(250)));
    let date = answer(503, &[("retry-after", "Thu, 01 Jan 1970 00:01:40 GMT")], "");
    let at_90 = SystemTime::UNIX_EPOCH + Duration::from_secs(90);
    assert_eq!(retry_after(&date, at_90), Some(Duration::from_secs(10)));
}

#[test]
fn the_servers_word_on_repetition_goes_first() {
    assert_eq!(classify(429, &[("x-should-retry", "false")], "").1, Again::Never);
    assert_eq!(classify(400, &[("x-should-retry", "true")], "").1, Again::Backoff);
}

#[test]
fn advice_names_the_variable() {
    let remedy = Remedy { key_env: Some("OPENAI_API_KEY"), model: "m", better_url: None };
    let failure = failure(&answer(401, &[], r#"{"error": {"message": "Incorrect"}}"#), &remedy);
    assert_eq!(failure.error.message(), "the server rejects the key (401): Incorrect");
    assert!(failure.error.get_hint().unwrap().contains("OPENAI_API_KEY"));
}
