-- A change of status adds one event and one entry to each feed it touches, and writes no order and moves no index
-- entry. What an order is now is said by its last event; an order's row changes with its courier and when it ends.
CREATE TABLE parties (
    number INTEGER PRIMARY KEY,
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;

INSERT INTO parties (kind, id) SELECT kind, id FROM feeds ORDER BY kind, id;

-- What happened in a party's feed, by its version. An entry is out of date when its order has changed since.
CREATE TABLE feed_entries (
    party    INTEGER NOT NULL,
    version  INTEGER NOT NULL,
    order_id INTEGER NOT NULL,
    PRIMARY KEY (party, version)
) STRICT, WITHOUT ROWID;

INSERT INTO feed_entries (party, version, order_id)
SELECT p.number, o.customer_feed_version, o.id
FROM orders o JOIN parties p ON p.kind = 'customer' AND p.id = o.customer_id
ORDER BY p.number, o.customer_feed_version;

INSERT INTO feed_entries (party, version, order_id)
SELECT p.number, o.restaurant_feed_version, o.id
FROM orders o JOIN parties p ON p.kind = 'restaurant' AND p.id = o.restaurant_id
ORDER BY p.number, o.restaurant_feed_version;

INSERT INTO feed_entries (party, version, order_id)
SELECT p.number, o.courier_feed_version, o.id
FROM orders o JOIN parties p ON p.kind = 'courier' AND p.id = o.courier_id
ORDER BY p.number, o.courier_feed_version;

INSERT OR IGNORE INTO feed_entries (party, version, order_id)
SELECT p.number, d.version, d.order_id
FROM departures d JOIN parties p ON p.kind = 'courier' AND p.id = d.courier_id
ORDER BY p.number, d.version;

DROP TABLE feeds;

-- The version of each party's feed that an event made; only those of an order's last event are ever read.
ALTER TABLE events ADD COLUMN customer_feed_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN restaurant_feed_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN courier_feed_version INTEGER NOT NULL DEFAULT 0;

UPDATE events SET
    customer_feed_version = o.customer_feed_version,
    restaurant_feed_version = o.restaurant_feed_version,
    courier_feed_version = o.courier_feed_version
FROM orders o WHERE events.order_id = o.id AND events.version = o.version;

DROP INDEX orders_status;
DROP INDEX orders_customer_feed;
DROP INDEX orders_restaurant_feed;
DROP INDEX orders_courier_feed;
DROP INDEX orders_customer_active;
DROP INDEX orders_restaurant_active;
DROP INDEX orders_courier_active;

-- How the order ended, while it has; without a value it is active.
ALTER TABLE orders ADD COLUMN final_status TEXT;
UPDATE orders SET final_status = status WHERE status IN ('delivered', 'cancelled');

ALTER TABLE orders DROP COLUMN status;
ALTER TABLE orders DROP COLUMN version;
ALTER TABLE orders DROP COLUMN updated_at_ms;
ALTER TABLE orders DROP COLUMN customer_feed_version;
ALTER TABLE orders DROP COLUMN restaurant_feed_version;
ALTER TABLE orders DROP COLUMN courier_feed_version;

CREATE INDEX orders_final_status ON orders (final_status);
-- A snapshot of a party's feed is the orders that have not ended: few, however many there were.
CREATE INDEX orders_customer_active ON orders (customer_id) WHERE final_status IS NULL;
CREATE INDEX orders_restaurant_active ON orders (restaurant_id) WHERE final_status IS NULL;
CREATE INDEX orders_courier_active ON orders (courier_id) WHERE final_status IS NULL;
