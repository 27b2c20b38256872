-- The ledger, version 1. docs/ledger.md says what each column means; times are RFC 3339 in UTC.

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    began TEXT NOT NULL,
    command TEXT NOT NULL,
    version TEXT NOT NULL
);

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    checkpoint TEXT,
    script TEXT,
    settings TEXT,
    total INTEGER,
    to_do INTEGER,
    begun TEXT
);

CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs (id),
    item TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('begun', 'complete', 'incomplete', 'failed')),
    ended_after INTEGER NOT NULL DEFAULT 0,
    forgotten_up_to INTEGER NOT NULL DEFAULT 0,
    UNIQUE (job, item)
);

CREATE TABLE replies (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    time TEXT NOT NULL,
    item INTEGER REFERENCES items (id),
    branch TEXT,
    request BLOB,
    n INTEGER,
    repairs INTEGER REFERENCES replies (id),
    backend TEXT NOT NULL,
    model TEXT,
    structured INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    content TEXT,
    reasoning TEXT,
    finish_reason TEXT,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    usd REAL,
    unknown INTEGER NOT NULL,
    latency_ms INTEGER,
    attempts INTEGER
);

CREATE INDEX replies_of_item ON replies (item) WHERE item IS NOT NULL;

CREATE TABLE times (
    item INTEGER NOT NULL REFERENCES items (id),
    branch TEXT NOT NULL,
    n INTEGER NOT NULL,
    time TEXT NOT NULL,
    PRIMARY KEY (item, branch, n)
) WITHOUT ROWID;

CREATE VIEW spent AS
SELECT backend,
       count(*) AS calls,
       sum(unknown) AS unknown,
       sum(input_tokens) AS input_tokens,
       sum(output_tokens) AS output_tokens,
       total(usd) AS usd
FROM replies
GROUP BY backend;

PRAGMA user_version = 1;
