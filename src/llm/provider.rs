//! What a backend needs from a provider: one attempt at one request.

use std::future::Future;
use std::pin::Pin;

use super::failure::Failure;
use super::wire::Wire;
use super::{Reply, Request, Secret, transport::Channel};
use crate::base::Result;

/// A future that can be held behind a trait.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Something that answers requests. Retries, limits and cancellation are around it, not in it.
pub trait Provider: Send + Sync {
    /// One attempt.
    fn send<'a>(&'a self, request: &'a Request) -> Boxed<'a, Result<Reply, Failure>>;
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

    async fn attempt(&self, request: &Request) -> Result<Reply, Failure> {
        let post = self.wire.encode(request)?;
        let answer = self.channel.post(&post).await?;
        let answer = match &self.key {
            Some(key) => key.redact_answer(answer),
            None => answer,
        };
        self.wire.decode(&answer, request)?.finished()
    }
}

impl Provider for HttpProvider {
    fn send<'a>(&'a self, request: &'a Request) -> Boxed<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let result = self.attempt(request).await;
            match &self.key {
                Some(key) => {
                    result.map(|reply| key.redact_reply(reply)).map_err(|fault| key.redact_failure(fault))
                }
                None => result,
            }
        })
    }
}
