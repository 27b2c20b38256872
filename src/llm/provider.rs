//! What a backend needs from a provider: one attempt at one request.

use std::future::Future;
use std::pin::Pin;
use std::time::SystemTime;

use super::failure::Failure;
use super::limits::Rates;
use super::wire::{Answer, Wire};
use super::{Reply, Request, Secret, transport::Channel};
use crate::base::Result;

/// A future that can be held behind a trait.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that answers requests. Retries, limits and cancellation are around it, not in it.
pub trait Provider: Send + Sync {
    /// One attempt.
    fn send<'a>(&'a self, request: &'a Request) -> Boxed<'a, Attempt>;
}

/// What came of one attempt.
pub struct Attempt {
    /// The reply.
    pub result: Result<Reply, Failure>,
    /// What the server says is left of its limits.
    pub rates: Rates,
}

impl From<Result<Reply, Failure>> for Attempt {
    fn from(result: Result<Reply, Failure>) -> Attempt {
        Attempt { result, rates: Rates::default() }
    }
}

/// A provider on HTTP: a wire's words over a channel to one origin.
pub struct HttpProvider {
    wire: Box<dyn Wire>,
    channel: Channel,
    key: Option<Secret>,
}

impl HttpProvider {
    /// Puts a wire on a channel.
    pub fn new(wire: Box<dyn Wire>, mut channel: Channel, key: Option<Secret>) -> Result<HttpProvider> {
        for (name, value) in wire.headers() {
            channel.add_usual_header(name, value);
        }
        if let Some(key) = &key {
            let (name, value) = wire.auth(key.expose());
            channel.add_secret_header(name, &value)?;
        }
        Ok(HttpProvider { wire, channel, key })
    }

    async fn ask(&self, request: &Request) -> Result<Answer, Failure> {
        let post = self.wire.encode(request)?;
        let answer = self.channel.post(post).await?;
        Ok(match &self.key {
            Some(key) => key.redact_answer(answer),
            None => answer,
        })
    }

    fn read(&self, answer: &Answer, request: &Request) -> Result<Reply, Failure> {
        self.wire.decode(answer, request)?.finished()
    }
}

impl Provider for HttpProvider {
    fn send<'a>(&'a self, request: &'a Request) -> Boxed<'a, Attempt> {
        Box::pin(async move {
            let (result, rates) = match self.ask(request).await {
                Ok(answer) => {
                    let rates = Rates::of(|name| answer.header(name), SystemTime::now());
                    (self.read(&answer, request), rates)
                }
                Err(failure) => (Err(failure), Rates::default()),
            };
            Attempt { result: Secret::redact_result(self.key.as_ref(), result), rates }
        })
    }
}
