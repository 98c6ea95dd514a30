-- Every statement of the SQLite store, by name. `:name` is a parameter.

-- name: epoch
SELECT value FROM meta WHERE key = 'epoch';

-- name: insert_epoch
INSERT INTO meta (key, value) VALUES ('epoch', :epoch);

-- name: insert_order
INSERT INTO orders (id, reference, customer_id, restaurant_id, courier_id, details, created_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?);

-- name: last_id
-- AUTOINCREMENT keeps the highest id that was ever used.
SELECT max(seq) FROM sqlite_sequence WHERE name = 'orders';

-- name: reference
SELECT 1 FROM orders WHERE restaurant_id = ? AND reference = ?;

-- name: set_courier
UPDATE orders SET courier_id = ? WHERE id = ?;

-- name: set_final_status
UPDATE orders SET final_status = ? WHERE id = ?;

-- name: insert_event
INSERT INTO events (
    order_id, version, type, status, at_ms, recorded_at_ms, actor, reason, skipped, courier_id, undoes,
    customer_feed_version, restaurant_feed_version, courier_feed_version, origin,
    eta_from_ms, eta_to_ms, eta_late, eta_check_at_ms
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: order_columns
-- One row for an order, its events as JSON: a row for each event takes three times as long. Bytes are decoded order by
-- order, so damaged ones fail no other order.
orders.id, reference, orders.customer_id, orders.restaurant_id, orders.courier_id, CAST(details AS BLOB), created_at_ms,
CAST((
    SELECT json_group_array(
        CASE WHEN e.skipped IS NULL AND e.eta_from_ms IS NULL THEN json_array({event_fields})
        ELSE json_array(
            {event_fields},
            CASE WHEN e.skipped IS NULL THEN json_array()
            ELSE json('[' || replace(json_quote(e.skipped), ',', '","') || ']') END,
            CASE WHEN e.eta_from_ms IS NOT NULL THEN json_array(
                json_array(e.eta_from_ms, e.eta_to_ms), json(iif(e.eta_late, 'true', 'false')), e.eta_check_at_ms
            ) END
        ) END
    ) FROM events e WHERE e.order_id = orders.id
) AS BLOB);

-- name: event_fields
-- The fields of `Event` in its order, but the last two, which are `skipped` and `eta`.
e.version, e.type, e.status, e.at_ms, e.recorded_at_ms, e.actor, e.reason, e.courier_id, e.undoes, e.origin;

-- name: orders_by_id
SELECT {columns} FROM json_each(:ids) CROSS JOIN orders ON orders.id = value;

-- name: orders
-- Only ids: damaged text would fail the read of all orders, not of its own alone.
SELECT id FROM orders WHERE {where};

-- name: newest
-- Ends a list of one or more ranges. Each range has the order of its index, so SQLite merges them and sorts nothing.
ORDER BY id DESC LIMIT :limit;

-- name: last_status
-- A subquery for an order of the enclosing statement.
(SELECT status FROM events WHERE order_id = orders.id ORDER BY version DESC LIMIT 1);

-- name: etas_to_check
-- The ids of a page of active orders, each with 1 when its window has to be checked.
SELECT id, (
    SELECT eta_check_at_ms <= :now_ms FROM events WHERE order_id = orders.id ORDER BY version DESC LIMIT 1
) FROM orders WHERE final_status IS NULL AND id > :after ORDER BY id LIMIT :limit;

-- name: orders_by_status
SELECT final_status, count(*) FROM orders WHERE final_status IS NOT NULL GROUP BY final_status
UNION ALL
SELECT {last_status}, count(*) FROM orders WHERE final_status IS NULL GROUP BY 1;

-- name: insert_party
INSERT INTO parties (kind, id) VALUES (:kind, :id);

-- name: party
SELECT number, (SELECT max(version) FROM feed_entries WHERE party = number) FROM parties
WHERE kind = :kind AND id = :id;

-- name: insert_feed_entry
INSERT INTO feed_entries (party, version, order_id) VALUES (?, ?, ?);

-- name: feed_changed
-- Returns where to go on, the version of the feed, and the columns of the order. Without LIMIT, here and in
-- feed_active: the caller stops when its page is full.
-- CROSS JOIN keeps the tables in this order, so that rows come by version.
SELECT f.version, f.version, {columns}
FROM feed_entries f CROSS JOIN orders ON orders.id = f.order_id
WHERE f.party = :party AND f.version > :after AND orders.{party_id} = :id AND f.version = (
    SELECT {feed_version} FROM events WHERE order_id = f.order_id ORDER BY version DESC LIMIT 1
)
ORDER BY f.version;

-- name: feed_active
-- Without a change since the snapshot began, no order has to be checked for one.
SELECT orders.id, :since, {columns} FROM orders
WHERE orders.{party_id} = :id AND final_status IS NULL AND orders.id > :after AND (:since >= :version OR :since >= (
    SELECT {feed_version} FROM events WHERE order_id = orders.id ORDER BY version DESC LIMIT 1
))
ORDER BY orders.id;

-- name: upsert_departure
INSERT INTO departures (courier_id, order_id, version) VALUES (?, ?, ?)
ON CONFLICT (courier_id, order_id) DO UPDATE SET version = excluded.version;

-- name: departures
SELECT d.version, d.order_id FROM departures d JOIN orders o ON o.id = d.order_id
WHERE d.courier_id = :id AND d.version > :after AND o.courier_id IS NOT :id ORDER BY d.version LIMIT :limit;

-- name: idempotency
SELECT key, fingerprint, order_id, at_ms FROM idempotency WHERE key = :key AND at_ms >= :since_ms;

-- name: insert_idempotency
INSERT OR REPLACE INTO idempotency (key, fingerprint, order_id, at_ms) VALUES (?, ?, ?, ?);

-- name: purge_idempotency
DELETE FROM idempotency WHERE at_ms < :since_ms;

-- name: insert_step
INSERT INTO simulation_steps (order_id, seq, status, due_at_ms, reason) VALUES (?, ?, ?, ?, ?);

-- name: delete_steps
DELETE FROM simulation_steps WHERE order_id = ? AND seq <= ?;

-- name: steps
-- Text as bytes, so that text that is not UTF-8 does not fail the read.
SELECT order_id, seq, CAST(status AS BLOB), due_at_ms, CAST(reason AS BLOB) FROM simulation_steps ORDER BY order_id, seq;

-- name: insert_link
INSERT INTO tracking_links (order_id, token_hash, created_at_ms, created_by)
VALUES (:order_id, :token_hash, :created_at_ms, :created_by);

-- name: links
SELECT id, order_id, created_at_ms, created_by, revoked_at_ms FROM tracking_links
WHERE order_id = :order_id ORDER BY id;

-- name: count_links
SELECT count(*) FROM tracking_links WHERE order_id = :order_id AND revoked_at_ms IS NULL;

-- name: find_link
SELECT id, order_id, created_at_ms, created_by, revoked_at_ms FROM tracking_links WHERE token_hash = :token_hash;

-- name: revoke_link
-- Returns the link; a second revocation keeps the time of the first.
UPDATE tracking_links SET revoked_at_ms = coalesce(revoked_at_ms, :now_ms)
WHERE id = :link_id AND order_id = :order_id
RETURNING id, order_id, created_at_ms, created_by, revoked_at_ms;

-- The rest is for `ordertrack migrate` and `ordertrack db`, and reads whole tables.

-- name: set_epoch
UPDATE meta SET value = :epoch WHERE key = 'epoch';

-- name: last_link_id
SELECT max(id) FROM tracking_links;

-- name: totals
SELECT
    (SELECT count(*) FROM orders),
    (SELECT total(version) FROM (SELECT max(version) AS version FROM events GROUP BY order_id)),
    (SELECT count(*) FROM events),
    (SELECT count(*) FROM parties),
    (SELECT total(version) FROM (SELECT max(version) AS version FROM feed_entries GROUP BY party)),
    (SELECT count(*) FROM departures),
    (SELECT count(*) FROM idempotency),
    (SELECT count(*) FROM tracking_links);

-- name: every_party
SELECT number, kind, id, (SELECT coalesce(max(version), 0) FROM feed_entries WHERE party = number) FROM parties
ORDER BY number;

-- name: ids_after
SELECT id FROM orders WHERE id > :after ORDER BY id LIMIT :limit;

-- name: event_feeds
SELECT order_id, customer_feed_version, restaurant_feed_version, courier_feed_version
FROM json_each(:ids) CROSS JOIN events ON order_id = value ORDER BY order_id, version;

-- name: every_departure
SELECT number, order_id, version FROM departures JOIN parties ON kind = 'courier' AND id = courier_id;

-- name: every_key
SELECT key, fingerprint, order_id, at_ms FROM idempotency;

-- name: every_link
SELECT id, order_id, created_at_ms, created_by, revoked_at_ms, token_hash FROM tracking_links ORDER BY id;

-- name: without_order
SELECT DISTINCT order_id FROM {table} WHERE order_id NOT IN (SELECT id FROM orders) ORDER BY order_id LIMIT :limit;

-- name: wrong_final_status
SELECT id FROM orders WHERE final_status IS NOT (
    SELECT CASE WHEN status IN ({ended}) THEN status END FROM events WHERE order_id = orders.id
    ORDER BY version DESC LIMIT 1
) ORDER BY id LIMIT :limit;

-- name: without_feed_entry
-- Orders whose last event is not in the feed of a party at the version that it made.
SELECT orders.id FROM orders LEFT JOIN parties p ON p.kind = :kind AND p.id = orders.{party_id}
WHERE orders.{party_id} IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM feed_entries f WHERE f.party = p.number AND f.order_id = orders.id AND f.version = (
        SELECT {feed_version} FROM events WHERE order_id = orders.id ORDER BY version DESC LIMIT 1
    )
) ORDER BY orders.id LIMIT :limit;

-- name: departures_beyond
-- Departures at a version that the courier's feed has not reached.
SELECT order_id FROM departures WHERE version > coalesce((
    SELECT max(f.version) FROM parties p JOIN feed_entries f ON f.party = p.number
    WHERE p.kind = 'courier' AND p.id = courier_id
), 0) ORDER BY order_id LIMIT :limit;
