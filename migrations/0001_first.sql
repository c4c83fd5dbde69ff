-- The first schema. Migrations are numbered and only added; `user_version` says which have run.

CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- What made a vector; `id` is the hash of all that.
CREATE TABLE spaces (
    id TEXT PRIMARY KEY,
    descriptor TEXT NOT NULL,
    dim INTEGER NOT NULL
) WITHOUT ROWID;

-- AUTOINCREMENT: an id names a folder on disk, so it is never given twice.
CREATE TABLE collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    encoder TEXT,
    space TEXT REFERENCES spaces(id),
    recipe TEXT NOT NULL,
    created INTEGER NOT NULL,
    items INTEGER NOT NULL DEFAULT 0,
    parts INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE roots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT,
    UNIQUE (collection, kind, name)
);

-- AUTOINCREMENT: an id names one version of an item; a replaced item gets a new one, so that a reader's older
-- snapshot finds nothing rather than another content.
CREATE TABLE items (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    key TEXT NOT NULL,
    root INTEGER REFERENCES roots(id),
    body TEXT NOT NULL,
    extra TEXT NOT NULL,
    size INTEGER,
    mtime_ns INTEGER,
    inode INTEGER,
    content BLOB,
    UNIQUE (collection, key)
);
CREATE INDEX items_by_root ON items(root, key);

CREATE TABLE item_tags (
    item INTEGER NOT NULL REFERENCES items(id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (item, tag)
) WITHOUT ROWID;
CREATE INDEX item_tags_by_tag ON item_tags(tag, item);

CREATE TABLE parts (
    item INTEGER NOT NULL REFERENCES items(id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    text TEXT,
    -- 1: its vector was acknowledged once, and its file lost it.
    lost INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (item, part)
) WITHOUT ROWID;
CREATE INDEX parts_lost ON parts(item, part) WHERE lost = 1;

-- Words come cut; `ascii` splits at ASCII alone, and store/words.rs leaves it nothing to split at.
CREATE VIRTUAL TABLE words USING fts5(tokens, content='', contentless_delete=1, tokenize='ascii');

CREATE TABLE segments (
    num INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid BLOB NOT NULL UNIQUE,
    collection INTEGER NOT NULL REFERENCES collections(id) ON DELETE CASCADE,
    space TEXT NOT NULL REFERENCES spaces(id),
    rows INTEGER NOT NULL,
    sealed INTEGER NOT NULL DEFAULT 0,
    -- BLAKE3 of the sealed file.
    hash BLOB
);
CREATE INDEX segments_by_space ON segments(collection, space);

CREATE TABLE vectors (
    segment INTEGER NOT NULL REFERENCES segments(num) ON DELETE CASCADE,
    row INTEGER NOT NULL,
    item INTEGER NOT NULL REFERENCES items(id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    PRIMARY KEY (segment, row)
) WITHOUT ROWID;
CREATE INDEX vectors_by_item ON vectors(item, part);

-- One line per commit that brought vectors: CRC-32 of the bytes of its rows.
CREATE TABLE commits (
    segment INTEGER NOT NULL REFERENCES segments(num) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    crc INTEGER NOT NULL,
    PRIMARY KEY (segment, first)
) WITHOUT ROWID;

CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    collection TEXT,
    title TEXT NOT NULL,
    params TEXT NOT NULL,
    state TEXT NOT NULL,
    progress TEXT NOT NULL,
    result TEXT,
    rejects INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER
);

CREATE TABLE job_rejects (
    job INTEGER NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    path TEXT NOT NULL,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (job, seq)
) WITHOUT ROWID;
