//! What is read of the ledger.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    Begun, ItemKey, ItemState, JobPlan, JobState, KeptReply, Past, Place, ReplyLengths, RequestHash, Sums,
};
use crate::base::latency::Latency;

/// Replies whose lengths count: prompts and models change, and with them the lengths.
const LATEST: u32 = 1000;

/// Replies whose times are looked at: as many make a percentile, and a million would keep people waiting.
const LATEST_TIMED: u32 = 20_000;

/// The columns of a reply, from the fifth on.
const KEPT: &str = "r.repairs, r.backend, r.model, r.structured, r.outcome, r.content, r.reasoning, \
                    r.finish_reason, r.input_tokens, r.output_tokens, r.cached_tokens, r.reasoning_tokens, r.usd, \
                    r.unknown, r.latency_ms, r.attempts";

/// Which replies `r` of an item `i` may be replayed: while it has not ended all, then those that are of use.
const OF_USE: &str = "r.outcome <> 'lost' AND (r.outcome = 'ok' OR r.id > i.ended_after OR EXISTS \
                      (SELECT 1 FROM replies o WHERE o.item = i.id AND o.repairs = r.id AND o.outcome = 'ok'))";

/// What may be replayed of an item: what was not forgotten, and after a failure only what is of use.
pub(super) fn past(connection: &Connection, key: &ItemKey) -> rusqlite::Result<Past> {
    let sql = "SELECT i.id FROM items i JOIN jobs j ON j.id = i.job WHERE j.name = ?1 AND i.item = ?2";
    let found = connection.prepare_cached(sql)?.query_row([&key.job, &key.item], |row| row.get::<_, i64>(0));
    let Some(item) = found.optional()? else { return Ok(Past::default()) };
    let sql = format!(
        "SELECT r.id, r.branch, r.request, r.n, {KEPT} FROM items i JOIN replies r ON r.item = i.id \
         WHERE i.id = ?1 AND r.id > i.forgotten_up_to AND {OF_USE} ORDER BY r.id"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let replies = query.query_map([item], |row| Ok((row.get(0)?, place(row)?, kept(row, 4)?)))?;
    let replies = replies.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut query = connection.prepare_cached("SELECT branch, n, time FROM times WHERE item = ?1")?;
    let times = query.query_map([item], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Past { replies, times: times.collect::<rusqlite::Result<_>>()? })
}

fn place(row: &Row) -> rusqlite::Result<Place> {
    let request: RequestHash = row.get(2)?;
    Ok(Place { branch: row.get(1)?, request, n: row.get(3)? })
}

fn kept(row: &Row, first: usize) -> rusqlite::Result<KeptReply> {
    Ok(KeptReply {
        repairs: row.get(first)?,
        backend: row.get(first + 1)?,
        model: row.get(first + 2)?,
        structured: row.get(first + 3)?,
        outcome: row.get(first + 4)?,
        content: row.get(first + 5)?,
        reasoning: row.get(first + 6)?,
        finish_reason: row.get(first + 7)?,
        input_tokens: row.get(first + 8)?,
        output_tokens: row.get(first + 9)?,
        cached_tokens: row.get(first + 10)?,
        reasoning_tokens: row.get(first + 11)?,
        usd: row.get(first + 12)?,
        unknown: row.get(first + 13)?,
        latency_ms: row.get(first + 14)?,
        attempts: row.get(first + 15)?,
    })
}

/// Sums of a group of replies, from this column on.
const SUMS: &str = "count(*), sum(r.unknown), sum(r.input_tokens), sum(r.output_tokens), total(r.usd)";

fn sums(row: &Row, first: usize) -> rusqlite::Result<Sums> {
    Ok(Sums {
        calls: row.get(first)?,
        unknown: row.get(first + 1)?,
        input_tokens: row.get(first + 2)?,
        output_tokens: row.get(first + 3)?,
        usd: row.get(first + 4)?,
    })
}

/// What all runs but this one have spent after a row, and the last row there is.
pub(super) fn spent(
    connection: &Connection,
    but: Option<i64>,
    since: i64,
) -> rusqlite::Result<(BTreeMap<String, Sums>, i64)> {
    let newest = connection.prepare_cached("SELECT max(id) FROM replies")?.query_row([], |row| row.get(0));
    let last = newest.map(|newest: Option<i64>| newest.unwrap_or(0).max(since))?;
    let sql = format!(
        "SELECT r.backend, {SUMS} FROM replies r WHERE r.id > ?1 AND r.id <= ?2 AND r.run IS NOT ?3 \
         GROUP BY r.backend"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let rows = query.query_map(params![since, last, but], |row| Ok((row.get(0)?, sums(row, 1)?)))?;
    Ok((rows.collect::<rusqlite::Result<_>>()?, last))
}

/// How long the latest replies were.
pub(super) fn reply_lengths(connection: &Connection) -> rusqlite::Result<ReplyLengths> {
    let sql = "SELECT backend, structured, count(*), sum(output_tokens) FROM \
               (SELECT backend, structured, output_tokens, \
                row_number() OVER (PARTITION BY backend, structured ORDER BY id DESC) AS place \
                FROM replies WHERE output_tokens > 0) \
               WHERE place <= ?1 GROUP BY backend, structured";
    let mut lengths = ReplyLengths::default();
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([LATEST])?;
    while let Some(row) = rows.next()? {
        lengths.note(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    }
    Ok(lengths)
}

/// How long the latest replies of the run that got the last one took.
pub(super) fn latencies(connection: &Connection) -> rusqlite::Result<BTreeMap<String, Latency>> {
    let sql = "SELECT backend, latency_ms FROM replies WHERE id > (SELECT max(id) FROM replies) - ?1 \
               AND run = (SELECT run FROM replies ORDER BY id DESC LIMIT 1) AND latency_ms IS NOT NULL";
    let mut latencies: BTreeMap<String, Latency> = BTreeMap::new();
    let mut query = connection.prepare(sql)?;
    let mut rows = query.query([LATEST_TIMED])?;
    while let Some(row) = rows.next()? {
        let (backend, took): (String, u64) = (row.get(0)?, row.get(1)?);
        latencies.entry(backend).or_default().note(took);
    }
    Ok(latencies)
}

/// The item in work whose first reply in its latest run is the oldest.
pub(super) fn oldest_in_work(connection: &Connection, job: &str) -> rusqlite::Result<Option<Begun>> {
    let sql = "SELECT i.item, min(r.time) FROM items i JOIN replies r ON r.item = i.id \
               WHERE i.job = (SELECT id FROM jobs WHERE name = ?1) AND i.state = 'begun' \
               GROUP BY r.run, i.id ORDER BY r.run DESC, 2, i.id LIMIT 1";
    let begun = |row: &Row| Ok(Begun { item: row.get(0)?, since: row.get(1)? });
    connection.prepare(sql)?.query_row([job], begun).optional()
}

/// Every job.
pub(super) fn jobs(connection: &Connection) -> rusqlite::Result<Vec<JobState>> {
    let mut query = connection
        .prepare("SELECT name, checkpoint, script, total, to_do, begun, settings FROM jobs ORDER BY id")?;
    let jobs = query.query_map([], |row| {
        let count = |place: usize| row.get::<_, Option<u32>>(place).map(|count| count.map(|n| n as usize));
        let text = |place: usize| row.get::<_, Option<String>>(place).map(Option::unwrap_or_default);
        let plan = JobPlan {
            name: row.get(0)?,
            checkpoint: row.get(1)?,
            script: text(2)?,
            settings: text(6)?,
            total: count(3)?,
            to_do: count(4)?.unwrap_or(0),
        };
        Ok(JobState { plan, begun: row.get(5)? })
    })?;
    jobs.collect()
}

/// The items of a job, with the sums of their replies. Which of these may be replayed: see [`past`].
pub(super) fn items(
    connection: &Connection,
    job: &str,
    each: &mut dyn FnMut(ItemState),
) -> rusqlite::Result<()> {
    let sql = format!(
        "SELECT i.item, i.state, count(a.id), ifnull(sum(a.unknown), 0), ifnull(sum(a.input_tokens), 0), \
         ifnull(sum(a.output_tokens), 0), total(a.usd), count(r.id), total(r.usd) \
         FROM items i LEFT JOIN replies a ON a.item = i.id AND a.id > i.forgotten_up_to \
         LEFT JOIN replies r ON r.id = a.id AND {OF_USE} \
         WHERE i.job = (SELECT id FROM jobs WHERE name = ?1) GROUP BY i.item"
    );
    let mut query = connection.prepare_cached(&sql)?;
    let mut rows = query.query([job])?;
    while let Some(row) = rows.next()? {
        each(ItemState {
            item: row.get(0)?,
            state: row.get(1)?,
            spent: sums(row, 2)?,
            kept: row.get(7)?,
            kept_usd: row.get(8)?,
        });
    }
    Ok(())
}
