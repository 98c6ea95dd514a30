-- Every statement of the SQLite store, by name. `:name` is a parameter.

-- name: epoch
SELECT value FROM meta WHERE key = 'epoch';

-- name: insert_epoch
INSERT INTO meta (key, value) VALUES ('epoch', :epoch);

-- name: insert_order
INSERT INTO orders (
    id, reference, customer_id, restaurant_id, courier_id, details, status, version, created_at_ms, updated_at_ms
) VALUES (
    :id, :reference, :customer_id, :restaurant_id, :courier_id, :details, :status, :version, :created_at_ms,
    :updated_at_ms
);

-- name: update_order
UPDATE orders SET
    courier_id = :courier_id, status = :status, version = :version, updated_at_ms = :updated_at_ms,
    customer_feed_version = :customer_feed_version, restaurant_feed_version = :restaurant_feed_version,
    courier_feed_version = :courier_feed_version
WHERE id = :id;

-- name: insert_event
INSERT INTO events (
    order_id, version, type, status, at_ms, recorded_at_ms, actor, reason, skipped, courier_id, undoes
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: order
SELECT id, reference, customer_id, restaurant_id, courier_id, details, status, version, created_at_ms, updated_at_ms
FROM orders WHERE id = :id;

-- name: events
SELECT version, type, status, at_ms, recorded_at_ms, actor, reason, skipped, courier_id, undoes
FROM events WHERE order_id = :id ORDER BY version;

-- name: orders
SELECT id, reference, customer_id, restaurant_id, courier_id, details, status, version, created_at_ms, updated_at_ms
FROM orders WHERE {where} ORDER BY id DESC LIMIT :limit;

-- name: feed_changed
SELECT {feed_version}, id, reference, customer_id, restaurant_id, courier_id, details, status, version, created_at_ms,
    updated_at_ms
FROM orders WHERE {party} = :id AND {feed_version} > :after ORDER BY {feed_version} LIMIT :limit;

-- name: feed_active
-- The words about the status are those of the partial indexes, which would not be used otherwise.
SELECT {feed_version}, id, reference, customer_id, restaurant_id, courier_id, details, status, version, created_at_ms,
    updated_at_ms
FROM orders WHERE {party} = :id AND {feed_version} > :after AND {feed_version} <= :snapshot
    AND status NOT IN ('delivered', 'cancelled')
ORDER BY {feed_version} LIMIT :limit;

-- name: orders_by_status
SELECT status, count(*) FROM orders GROUP BY status;

-- name: feed_version
SELECT version FROM feeds WHERE kind = :kind AND id = :id;

-- name: upsert_feed
INSERT INTO feeds (kind, id, version) VALUES (?, ?, ?)
ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version;

-- name: upsert_departure
INSERT INTO departures (courier_id, order_id, version) VALUES (?, ?, ?)
ON CONFLICT (courier_id, order_id) DO UPDATE SET version = excluded.version;

-- name: departures
SELECT d.version, d.order_id FROM departures d JOIN orders o ON o.id = d.order_id
WHERE d.courier_id = :id AND d.version > :after AND o.courier_id IS NOT :id ORDER BY d.version LIMIT :limit;

-- name: idempotency
SELECT fingerprint, order_id FROM idempotency WHERE key = :key AND at_ms >= :since_ms;

-- name: insert_idempotency
INSERT OR REPLACE INTO idempotency (key, fingerprint, order_id, at_ms) VALUES (:key, :fingerprint, :order_id, :at_ms);

-- name: purge_idempotency
DELETE FROM idempotency WHERE at_ms < :since_ms;

-- name: insert_step
INSERT INTO simulation_steps (order_id, seq, status, due_at_ms, reason) VALUES (?, ?, ?, ?, ?);

-- name: delete_steps
DELETE FROM simulation_steps WHERE order_id = ? AND seq <= ?;

-- name: steps
SELECT order_id, seq, status, due_at_ms, reason FROM simulation_steps ORDER BY order_id, seq;
