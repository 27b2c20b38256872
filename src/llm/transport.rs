//! HTTP: one set of connections for a run, and channels on it that each lead to one origin.
//! Redirects are off, so that a key cannot leave its origin.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, Url};

use super::failure::Failure;
use super::wire::{Answer, Post};
use crate::base::config::{BackendConfig, Timeouts};
use crate::base::{Error, Kind, Result};

/// The largest request that is sent, and the largest answer that is read.
pub(super) const LARGEST: usize = 16 << 20;

/// The most values that an answer may hold: each takes many times its text's room once it is read.
const MOST_VALUES: usize = 500_000;

/// The connections of a run. Cloning gives another handle on the same ones.
#[derive(Clone, Default)]
pub struct Http {
    /// One client for each connect deadline and way (through the proxy of the environment, or not);
    /// made when first needed, since loading certificates takes time.
    clients: Arc<Mutex<HashMap<(Duration, bool), Client>>>,
}

impl Http {
    /// No connections yet.
    pub fn new() -> Http {
        Http::default()
    }

    /// A channel to the server of a backend.
    pub(super) fn channel(&self, config: &BackendConfig, base_url: &str) -> Result<Channel> {
        let (base, headers) = read(config, base_url)?;
        let client = self.client(Timeouts::duration(config.timeouts.connect), !is_loopback(&base))?;
        let base_url = base_url.trim_end_matches('/').to_string();
        Ok(Channel {
            client,
            base_url,
            origin: base.origin().ascii_serialization(),
            headers,
            times: config.timeouts,
            first: OnceLock::new(),
        })
    }

    fn client(&self, connect: Duration, proxied: bool) -> Result<Client> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&(connect, proxied)) {
            return Ok(client.clone());
        }
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(connect)
            .user_agent(concat!("fthost/", env!("CARGO_PKG_VERSION")));
        let builder = if proxied { builder } else { builder.no_proxy() };
        let client = builder.build().map_err(|error| {
            Error::new(Kind::Config, format!("cannot set up HTTPS: {}", chain(&error)))
                .hint("check the proxy variables and the system's certificates")
        })?;
        clients.insert((connect, proxied), client.clone());
        Ok(client)
    }
}

/// Scheme, host and port of a backend's server; no channel is opened.
pub(super) fn origin(config: &BackendConfig, base_url: &str) -> Result<String> {
    Ok(read(config, base_url)?.0.origin().ascii_serialization())
}

/// The address and the headers of the configuration.
fn read(config: &BackendConfig, base_url: &str) -> Result<(Url, HeaderMap)> {
    let wrong = |why: String| Error::new(Kind::Config, why);
    let base = Url::parse(base_url).map_err(|e| wrong(format!("`base_url` is not a valid URL: {e}")))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
        let (Ok(key), Ok(value)) = parsed else {
            return Err(wrong(format!("the header `{name}` has characters that cannot be sent")));
        };
        headers.insert(key, value);
    }
    Ok((base, headers))
}

/// A way to one origin.
pub struct Channel {
    client: Client,
    base_url: String,
    origin: String,
    headers: HeaderMap,
    times: Timeouts,
    /// The path that was asked for first, and its address: most backends have one.
    first: OnceLock<(String, Url)>,
}

impl Channel {
    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Adds a header that the configuration does not set.
    pub(super) fn add_usual_header(&mut self, name: &'static str, value: &'static str) {
        self.headers.entry(name).or_insert(HeaderValue::from_static(value));
    }

    /// Adds a header that no log shows.
    pub(super) fn add_secret_header(&mut self, name: &'static str, value: &str) -> Result<()> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Error::new(Kind::Config, "the key has characters that cannot be sent")
                .hint("look for quotes, spaces or line ends around it in the environment or in .env")
        })?;
        value.set_sensitive(true);
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(())
    }

    /// Sends, and reads the whole answer, within the deadlines.
    pub(super) async fn post(&self, post: Post) -> Result<Answer, Failure> {
        let Post { path, body } = post;
        let url = self.url(&path)?;
        if body.len() > LARGEST {
            let message = format!("the request is {} MiB large, and may be 16 MiB", body.len() >> 20);
            return Err(Failure::fatal(Kind::Limit, message)
                .hint("send less: no model reads as much")
                .free());
        }
        within(self.times.total, "the whole answer", async {
            let request = self
                .client
                .post(url)
                .headers(self.headers.clone())
                .header("content-type", "application/json")
                .body(body);
            let sent = async { request.send().await.map_err(|error| self.broken(&error)) };
            let response = within(self.times.first_byte, "the answer to begin", sent).await?;
            let status = response.status().as_u16();
            let headers = plain_headers(&response);
            Ok(Answer { status, headers, body: self.read(response).await? })
        })
        .await
    }

    /// The address of a path, which may not lead to another origin: the key goes along.
    fn url(&self, path: &str) -> Result<Url> {
        match self.first.get() {
            Some((known, url)) if known == path => Ok(url.clone()),
            _ => self.read_url(path).inspect(|url| drop(self.first.set((path.into(), url.clone())))),
        }
    }

    fn read_url(&self, path: &str) -> Result<Url> {
        let url = Url::parse(&format!("{}{path}", self.base_url)).ok();
        url.filter(|url| url.origin().ascii_serialization() == self.origin).ok_or_else(|| {
            Error::new(Kind::Denied, format!("the path `{path}` leads away from {}", self.origin))
                .hint("a path begins with `/`, and is appended to `base_url`")
        })
    }

    async fn read(&self, mut response: Response) -> Result<String, Failure> {
        let mut bytes = Vec::new();
        loop {
            let next = async { response.chunk().await.map_err(|error| self.broken(&error)) };
            let Some(chunk) = within(self.times.idle, "more of the answer", next).await? else { break };
            if bytes.len() + chunk.len() > LARGEST {
                return Err(Failure::fatal(Kind::Limit, "the server's answer is larger than 16 MiB"));
            }
            bytes.extend_from_slice(&chunk);
        }
        if bytes.iter().filter(|byte| **byte == b',').count() > MOST_VALUES {
            return Err(Failure::fatal(Kind::Limit, "the server's answer holds more than 500,000 values"));
        }
        String::from_utf8(bytes)
            .map_err(|_| Failure::passing(Kind::Server, "the server's answer is not UTF-8 text"))
    }

    /// A connection that did not come about, or broke.
    fn broken(&self, error: &reqwest::Error) -> Failure {
        let origin = &self.origin;
        let why = chain(error);
        let failure = match (error.is_connect(), error.is_timeout()) {
            (true, true) => Failure::passing(
                Kind::Timeout,
                format!("no connection to {origin} within {} s", self.times.connect),
            )
            .free(),
            (true, false) => {
                Failure::passing(Kind::Connection, format!("cannot connect to {origin}: {why}")).free()
            }
            _ => Failure::passing(Kind::Connection, format!("the connection to {origin} broke: {why}")),
        };
        failure.hint(match why == NO_TLS || why == "tls handshake eof" {
            true => "perhaps it speaks plain HTTP: then write http:// in `base_url`",
            false => "check that the server runs, and `base_url` in config/fthost.yaml",
        })
    }
}

/// Waits so many seconds at most.
async fn within<T>(
    seconds: f64,
    what: &str,
    future: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(Timeouts::duration(seconds), future).await {
        Ok(result) => result,
        Err(_) => Err(Failure::passing(Kind::Timeout, format!("waited {seconds} s for {what}"))
            .hint("`timeouts` of the backend in config/fthost.yaml sets the deadlines")),
    }
}

fn plain_headers(response: &Response) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

/// Whether an address leads nowhere else.
pub fn is_this_machine(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| is_loopback(&url))
}

/// Whether a server is on this machine, where no proxy leads.
fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => {
            let bare = host.trim_start_matches('[').trim_end_matches(']');
            bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        None => false,
    }
}

/// A TLS handshake that met plain HTTP.
const NO_TLS: &str = "its answer is not TLS";

/// The innermost cause, which is the one that says something, without Rust's error numbers.
fn chain(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let text = cause.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
    text.replace("received corrupt message of type invalidcontenttype", NO_TLS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        for url in ["http://127.0.0.1:1/v1", "http://localhost/v1", "http://[::1]:80"] {
            assert!(is_loopback(&Url::parse(url).unwrap()), "{url}");
        }
        assert!(!is_loopback(&Url::parse("https://api.openai.com/v1").unwrap()));
    }
}
