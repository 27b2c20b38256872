//! The peer: the same conversations as plain tokio and reqwest hold them, without scripts, limits, retries or
//! ledger. Its prompts have the shape and the size of those that the shipped scripts make.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Client;
use serde::{Deserialize, Serialize};

use crate::calls::Load;

const SYSTEM: &str = include_str!("../../config/prompts/system.md");
const USER_SIM: &str = include_str!("../../config/prompts/user_sim.md");
/// About what the notes on a message come to.
const NOTES: &str = "\n\nReply to this message as Brewhaven's support. These notes are for you, not for the customer:\n- The chat is under way: no greeting. Build on what has been tried, and say what comes next.\n- The message has 46 words. Stay below 120 words.\n- Earlier replies began with the words below. Begin in another way.\n  - Turn the dial two\n  - Turn the dial two\n  - Turn the dial two\n  - Turn the dial two\n";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
}

#[derive(Serialize, Clone)]
struct Message {
    role: &'static str,
    content: String,
}

#[derive(Deserialize)]
struct Answer {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
}

#[derive(Deserialize)]
struct Said {
    content: String,
}

/// What tasks may give back.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Holds all conversations.
pub fn run(load: &Load) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let client = Client::builder().no_proxy().build()?;
        let next = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..load.width {
            let (client, next, load) = (client.clone(), next.clone(), load.clone());
            tasks.spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < load.items {
                    converse(&client, &load).await?;
                }
                Result::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}

async fn converse(client: &Client, load: &Load) -> Result<()> {
    let url = format!("http://127.0.0.1:{}/v1/chat/completions", load.port);
    let (mut history, mut chat) =
        (String::new(), vec![Message { role: "system", content: SYSTEM.trim().into() }]);
    for turn in 1..=load.turns {
        let prompt = format!("{USER_SIM}\n{history}\n\nNow write the customer's message of turn {turn}.");
        let message = ask(client, &url, &[Message { role: "user", content: prompt }]).await?;
        let noted = format!("<customer_message>\n{message}\n</customer_message>{NOTES}");
        chat.push(Message { role: "user", content: noted });
        let reply = ask(client, &url, &chat).await?;
        chat.pop();
        history += &format!("[{turn}] Customer:\n| {message}\n[{turn}] Support:\n| {reply}\n");
        chat.push(Message { role: "user", content: message });
        chat.push(Message { role: "assistant", content: reply });
    }
    Ok(())
}

async fn ask(client: &Client, url: &str, messages: &[Message]) -> Result<String> {
    let body = serde_json::to_vec(&Body { model: "m", messages })?;
    let request = client.post(url).header("content-type", "application/json").body(body);
    let bytes = request.send().await?.error_for_status()?.bytes().await?;
    let answer: Answer = serde_json::from_slice(&bytes)?;
    Ok(answer.choices.into_iter().next().ok_or("an answer without choices")?.message.content)
}
