CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT,
    reference               TEXT,
    customer_id             TEXT    NOT NULL,
    restaurant_id           TEXT    NOT NULL,
    courier_id              TEXT,
    details                 TEXT    NOT NULL,
    status                  TEXT    NOT NULL,
    version                 INTEGER NOT NULL,
    created_at_ms           INTEGER NOT NULL,
    updated_at_ms           INTEGER NOT NULL,
    -- The version of each party's feed at which this order last changed.
    customer_feed_version   INTEGER NOT NULL DEFAULT 0,
    restaurant_feed_version INTEGER NOT NULL DEFAULT 0,
    courier_feed_version    INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX orders_reference ON orders (restaurant_id, reference) WHERE reference IS NOT NULL;
-- Listing pages by id, which every index ends with; feeds are read by version.
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_restaurant ON orders (restaurant_id);
CREATE INDEX orders_courier ON orders (courier_id);
CREATE INDEX orders_status ON orders (status);
CREATE INDEX orders_customer_feed ON orders (customer_id, customer_feed_version);
CREATE INDEX orders_restaurant_feed ON orders (restaurant_id, restaurant_feed_version);
CREATE INDEX orders_courier_feed ON orders (courier_id, courier_feed_version);

CREATE TABLE events (
    order_id       INTEGER NOT NULL REFERENCES orders (id),
    version        INTEGER NOT NULL,
    type           TEXT    NOT NULL,
    status         TEXT    NOT NULL,
    at_ms          INTEGER NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    actor          TEXT    NOT NULL,
    reason         TEXT,
    skipped        TEXT,
    courier_id     TEXT,
    undoes         INTEGER,
    PRIMARY KEY (order_id, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE feeds (
    kind    TEXT    NOT NULL,
    id      TEXT    NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- Orders that left a courier's feed, with the feed's version at which they did.
CREATE TABLE departures (
    courier_id TEXT    NOT NULL,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    version    INTEGER NOT NULL,
    PRIMARY KEY (courier_id, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT    NOT NULL,
    order_id    INTEGER NOT NULL REFERENCES orders (id),
    at_ms       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_at ON idempotency (at_ms);

CREATE TABLE simulation_steps (
    order_id  INTEGER NOT NULL REFERENCES orders (id),
    seq       INTEGER NOT NULL,
    status    TEXT    NOT NULL,
    due_at_ms INTEGER NOT NULL,
    reason    TEXT,
    PRIMARY KEY (order_id, seq)
) STRICT, WITHOUT ROWID;
