-- The address an event was asked from.
ALTER TABLE events ADD COLUMN origin TEXT;

-- Tracking links. Of a token only its SHA-256 is kept: who reads the file can follow no order.
CREATE TABLE tracking_links (
    id            INTEGER PRIMARY KEY,
    order_id      INTEGER NOT NULL REFERENCES orders (id),
    token_hash    BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at_ms INTEGER NOT NULL,
    created_by    TEXT    NOT NULL,
    revoked_at_ms INTEGER
) STRICT;

CREATE INDEX tracking_links_order ON tracking_links (order_id);
