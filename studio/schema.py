"""The tables of the library's index, as the steps that lead from each version to the next. Nothing but data."""

STEPS = (
    """
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, session TEXT NOT NULL,
        run TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, task TEXT NOT NULL, state TEXT NOT NULL,
        message TEXT NOT NULL DEFAULT '', units REAL NOT NULL, seconds REAL NOT NULL DEFAULT 0,
        created TEXT NOT NULL, finished TEXT, schema_version INTEGER NOT NULL);
    CREATE INDEX jobs_by_state ON jobs (state, model, seq);
    CREATE TABLE creations (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, session TEXT NOT NULL,
        job TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, object TEXT NOT NULL, bytes INTEGER NOT NULL, text TEXT,
        record TEXT NOT NULL, parents TEXT NOT NULL, created TEXT NOT NULL, missing INTEGER NOT NULL DEFAULT 0,
        schema_version INTEGER NOT NULL);
    CREATE INDEX creations_by_owner ON creations (owner, seq, kind, session, missing);
    CREATE INDEX creations_by_session ON creations (session, seq);
    CREATE INDEX creations_by_object ON creations (object, missing);
    CREATE TABLE attachments (
        creation TEXT NOT NULL REFERENCES creations (id) ON DELETE CASCADE, name TEXT NOT NULL, object TEXT NOT NULL,
        bytes INTEGER NOT NULL, missing INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (creation, name));
    CREATE INDEX attachments_by_object ON attachments (object, missing);
    CREATE TABLE drafts (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, session TEXT NOT NULL, fields TEXT NOT NULL, changed TEXT NOT NULL,
        schema_version INTEGER NOT NULL);
    """,
)
"""Step k brings an index of version k to version k + 1. Never edit one that was released: add the next."""
