-- Every statement of the PostgreSQL store, by name. `$n` is a parameter, `{name}` is filled in before.

-- name: begin
-- With settings for the transaction, since behind a pooler a session may have none. `sessions.py` has them for sessions.
BEGIN; SET LOCAL statement_timeout = {statement_ms}; SET LOCAL jit = off; SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;

-- name: migration_lock
SELECT pg_advisory_xact_lock(7046029254386353131);

-- name: create_schema_migrations
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at_ms bigint NOT NULL
);

-- name: schema_migrations_exist
SELECT to_regclass('schema_migrations') IS NOT NULL;

-- name: schema_migrations
SELECT number, sha256 FROM schema_migrations;

-- name: insert_schema_migration
INSERT INTO schema_migrations (number, name, sha256, applied_at_ms) VALUES ($1, $2, $3, $4);

-- name: epoch
SELECT value FROM meta WHERE key = 'epoch';

-- name: insert_epoch
INSERT INTO meta (key, value) VALUES ('epoch', $1) ON CONFLICT DO NOTHING;

-- name: answer
SELECT 1;

-- name: write
-- Writes a commit, or nothing when one of its orders has another revision than the one decided on: then it returns the
-- ids of these. Else it returns the numbers of the parties and the new versions of their feeds, by kind and id.
-- Rows are locked in this order in every statement, so that commits of several nodes do not wait for each other in a
-- circle: orders by id, parties by kind and id, status_counts by status.
-- An event's version of a feed is the feed's new one less the changes of this commit that come after the event.
-- Columns of numbers are texts of arrays, those of texts are JSON or lines: asyncpg needs a multiple of the time for
-- each element of an array.
WITH locked AS MATERIALIZED (
    SELECT orders.id, orders.revision, decided.revision AS decided_on
    FROM unnest($1::text::bigint[], $2::text::integer[]) AS decided (id, revision) JOIN orders ON orders.id = decided.id
    ORDER BY orders.id FOR NO KEY UPDATE OF orders
), stale AS MATERIALIZED (
    SELECT id FROM locked WHERE revision <> decided_on
    UNION ALL
    SELECT orders.id FROM unnest($3::text::bigint[], $4::text::integer[]) AS decided (id, revision)
    JOIN orders ON orders.id = decided.id WHERE orders.revision <> decided.revision
), {bumped}, logged AS (
    INSERT INTO events (
        order_id, version, event, customer, customer_version, restaurant, restaurant_version, courier, courier_version
    )
    SELECT order_id, version, event,
        feeds.numbers[customer], feeds.versions[customer] - customer_later,
        feeds.numbers[restaurant], feeds.versions[restaurant] - restaurant_later,
        feeds.numbers[courier], feeds.versions[courier] - courier_later
    FROM feeds, ROWS FROM (
        unnest($5::text::bigint[]), unnest($6::text::integer[]), unnest(string_to_array($7, E'\n')),
        unnest($8::text::integer[]), unnest($9::text::integer[]), unnest($10::text::integer[]),
        unnest($11::text::integer[]), unnest($12::text::integer[]), unnest($13::text::integer[])
    ) AS happened (
        order_id, version, event, customer, customer_later, restaurant, restaurant_later, courier, courier_later
    )
    WHERE NOT EXISTS (SELECT FROM stale)
), updated AS (
    UPDATE orders SET
        status = changed.status, final_status = CASE WHEN has_ended THEN changed.status ELSE '' END,
        version = changed.version, revision = changed.revision + 1, courier_id = changed.courier_id,
        steps = changed.steps, next_step_at_ms = changed.next_step_at_ms
    FROM ROWS FROM (
        unnest($1::text::bigint[]), unnest($2::text::integer[]), unnest($14::text::text[]),
        unnest($15::text::boolean[]), unnest($16::text::integer[]), json_array_elements_text($17::text::json),
        json_array_elements_text($18::text::json), unnest($19::text::bigint[])
    ) AS changed (id, revision, status, has_ended, version, courier_id, steps, next_step_at_ms)
    WHERE orders.id = changed.id AND NOT EXISTS (SELECT FROM stale)
), counted AS (
    INSERT INTO status_counts AS counts (slot, status, orders)
    SELECT $20, changed.status, changed.orders
    FROM unnest($21::text::text[], $22::text::integer[]) AS changed (status, orders)
    WHERE NOT EXISTS (SELECT FROM stale) AND EXISTS (SELECT FROM bumped) ORDER BY changed.status COLLATE "C"
    ON CONFLICT (slot, status) DO UPDATE SET orders = counts.orders + excluded.orders
){more}
SELECT (SELECT numbers FROM feeds) AS numbers, (SELECT versions FROM feeds) AS versions,
    (SELECT array_agg(id) FROM stale) AS stale;

-- name: bump_known
-- For parties whose numbers are known, and given in the order of kind and id: the fastest, and the usual case.
bumped AS (
    UPDATE parties SET version = version + changes
    FROM (
        SELECT * FROM unnest($23::text::bigint[], $24::text::integer[]) WITH ORDINALITY AS known (number, changes, place)
        WHERE NOT EXISTS (SELECT FROM stale) ORDER BY place
    ) AS changed
    WHERE parties.number = changed.number
    RETURNING place, version
), feeds AS MATERIALIZED (
    SELECT $23::text::bigint[] AS numbers, array_agg(version ORDER BY place) AS versions FROM bumped
)

-- name: bump_any
bumped AS (
    INSERT INTO parties AS party (kind, id, version)
    SELECT kind, id, changes FROM ROWS FROM (
        json_array_elements_text($23::text::json), json_array_elements_text($24::text::json),
        unnest($25::text::integer[])
    ) AS changed (kind, id, changes)
    WHERE NOT EXISTS (SELECT FROM stale) ORDER BY kind COLLATE "C", id COLLATE "C"
    ON CONFLICT (kind, id) DO UPDATE SET version = party.version + excluded.version
    RETURNING number, kind, id, version
), feeds AS MATERIALIZED (
    SELECT array_agg(number ORDER BY kind, id) AS numbers, array_agg(version ORDER BY kind, id) AS versions FROM bumped
)

-- name: write_more
-- The parts of `write` for commits with new orders or new couriers: other commits are faster without.
, created AS (
    INSERT INTO orders (
        id, reference, customer_id, restaurant_id, courier_id, details, created_at_ms, status, final_status, version,
        steps, next_step_at_ms
    )
    SELECT
        id, reference, customer_id, restaurant_id, courier_id, details, created_at_ms, status,
        CASE WHEN has_ended THEN status ELSE '' END, version, steps, next_step_at_ms
    FROM ROWS FROM (
        unnest($26::text::bigint[]), json_array_elements_text($27::text::json),
        json_array_elements_text($28::text::json), json_array_elements_text($29::text::json),
        json_array_elements_text($30::text::json), unnest(string_to_array($31, E'\n')), unnest($32::text::bigint[]),
        unnest($33::text::text[]), unnest($34::text::boolean[]), unnest($35::text::integer[]),
        json_array_elements_text($36::text::json), unnest($37::text::bigint[])
    ) AS new (
        id, reference, customer_id, restaurant_id, courier_id, details, created_at_ms, status, has_ended, version,
        steps, next_step_at_ms
    )
    WHERE NOT EXISTS (SELECT FROM stale)
), departed AS (
    INSERT INTO departures (courier, order_id, version)
    SELECT feeds.numbers[courier], order_id, feeds.versions[courier] - later
    FROM feeds, unnest($38::text::integer[], $39::text::bigint[], $40::text::integer[])
        AS departed (courier, order_id, later)
    WHERE NOT EXISTS (SELECT FROM stale)
    ON CONFLICT (courier, order_id) DO UPDATE SET version = excluded.version
), expired AS (
    DELETE FROM idempotency USING ROWS FROM (json_array_elements_text($41::text::json), unnest($42::text::bigint[]))
        AS expired (key, at_ms)
    WHERE idempotency.key = expired.key AND idempotency.at_ms = expired.at_ms AND NOT EXISTS (SELECT FROM stale)
    RETURNING idempotency.key
), used AS (
    INSERT INTO idempotency (key, fingerprint, order_id, at_ms)
    SELECT * FROM ROWS FROM (
        json_array_elements_text($43::text::json), json_array_elements_text($44::text::json),
        unnest($45::text::bigint[]), unnest($46::text::bigint[])
    ) AS used
    WHERE NOT EXISTS (SELECT FROM stale) AND (SELECT count(*) FROM expired) >= 0
);

-- name: lock_orders
SELECT id FROM orders WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE;

-- name: next_ids
SELECT nextval(pg_get_serial_sequence('orders', 'id')) FROM generate_series(1, $1::integer);

-- name: skip_ids
-- Does nothing when the ids are used up already.
SELECT setval(sequence::regclass, $1) FROM pg_get_serial_sequence('orders', 'id') AS sequence
WHERE coalesce(pg_sequence_last_value(sequence::regclass), 0) < $1;

-- name: order_columns
orders.id, reference, orders.customer_id, orders.restaurant_id, orders.courier_id, details, created_at_ms,
orders.version, revision, steps, (
    SELECT '[' || string_agg(event, ',' ORDER BY events.version) || ']' FROM events WHERE order_id = orders.id
) AS timeline;

-- name: orders_by_id
SELECT {columns} FROM orders WHERE id = ANY ($1::bigint[]);

-- name: orders
-- {ids} is one or more ranges of ids. Each range has the order of its index, so they are merged and nothing is sorted.
SELECT {columns} FROM ({ids} ORDER BY id DESC LIMIT $1) AS listed JOIN orders ON orders.id = listed.id
ORDER BY orders.id DESC;

-- name: ids
SELECT id FROM orders WHERE {where};

-- name: etas_to_check
-- The ids of a page of active orders, each with true when its window has to be checked. `event` ends with the ETA, which
-- ends with the time of the check; by a pattern, since a damaged event must not fail the read of the others.
SELECT orders.id, substring(event FROM '\],(?:true|false),([0-9]{1,15})\]\]$')::bigint <= $1
FROM orders JOIN events ON order_id = orders.id AND events.version = orders.version
WHERE final_status = '' AND orders.id > $2 ORDER BY orders.id LIMIT $3;

-- name: orders_by_status
SELECT status, sum(orders)::bigint FROM status_counts GROUP BY status;

-- name: feed_versions
SELECT kind, parties.id, version FROM unnest($1::text[], $2::text[]) AS feed (kind_, id_)
JOIN parties ON kind = kind_ AND parties.id = id_
UNION ALL
SELECT 'order', id::text, version FROM orders WHERE id = ANY ($3::bigint[]);

-- name: feed_page
-- The version of the feed, and its entries: `part` 0 are those of a snapshot, by id; 1 are changes and departures, by
-- version. $3 is the version that was read before, NULL for the beginning of a snapshot; $4 is the last id of the page
-- before it, NULL when no snapshot is read. Entries whose page ends before them for certain, since the details take six
-- times the bytes of a page (JSON escapes a byte as six), are left out.
WITH party AS MATERIALIZED (
    SELECT number, version, coalesce($3::bigint, version) AS since FROM parties WHERE kind = $1 AND id = $2
), entries AS MATERIALIZED (
    (
        SELECT 0 AS part, (SELECT since FROM party) AS version, orders.id, octet_length(details) AS bytes,
            FALSE AS has_left FROM orders
        WHERE orders.{party_id} = $2 AND final_status = '' AND orders.id > $4::bigint AND (
            (SELECT since >= version FROM party) OR (SELECT since FROM party) >= (
                SELECT {feed_version} FROM events WHERE order_id = orders.id AND events.version = orders.version
            )
        )
        ORDER BY orders.id LIMIT $5
    ) UNION ALL (
        SELECT 1, {feed_version}, orders.id, octet_length(details), FALSE
        FROM events JOIN orders ON orders.id = order_id AND orders.version = events.version
        WHERE {party} = (SELECT number FROM party) AND {feed_version} > (SELECT since FROM party)
        ORDER BY {feed_version} LIMIT $5
    ){departures}
), fitting AS (
    SELECT *, sum(bytes) OVER (ORDER BY part, version, id) - bytes AS bytes_before FROM entries
)
SELECT party.version, part, fitting.version, fitting.id, has_left, {columns}
FROM party
LEFT JOIN fitting ON bytes_before <= $6
LEFT JOIN orders ON orders.id = fitting.id AND NOT has_left
ORDER BY part, fitting.version, fitting.id;

-- name: departures
UNION ALL (
    SELECT 1, departures.version, order_id, 0, TRUE
    FROM departures JOIN orders ON orders.id = order_id AND orders.courier_id IS DISTINCT FROM $2
    WHERE courier = (SELECT number FROM party) AND departures.version > (SELECT since FROM party)
    ORDER BY departures.version LIMIT $5
);

-- name: idempotency
SELECT key, fingerprint, order_id, at_ms FROM idempotency WHERE key = ANY ($1::text[]);

-- name: purge_idempotency
DELETE FROM idempotency WHERE key IN (SELECT key FROM idempotency WHERE at_ms < $1 ORDER BY at_ms LIMIT $2);

-- name: references
SELECT orders.restaurant_id, orders.reference FROM unnest($1::text[], $2::text[]) AS claimed (restaurant_id, reference)
JOIN orders USING (restaurant_id, reference);

-- name: steps
SELECT id, steps FROM orders WHERE next_step_at_ms IS NOT NULL;

-- name: overdue
SELECT id, steps FROM orders
WHERE next_step_at_ms <= (extract(epoch FROM statement_timestamp()) * 1000)::bigint - $1::bigint
ORDER BY next_step_at_ms LIMIT $2;

-- name: links
SELECT id, order_id, created_at_ms, created_by, revoked_at_ms FROM tracking_links WHERE order_id = $1 ORDER BY id;

-- name: insert_link
-- No row for the hash of another link. No id is used up then.
INSERT INTO tracking_links (order_id, token_hash, created_at_ms, created_by)
SELECT $1, $2::bytea, $3, $4 WHERE NOT EXISTS (SELECT FROM tracking_links WHERE token_hash = $2)
RETURNING id, order_id, created_at_ms, created_by, revoked_at_ms;

-- name: count_links
SELECT count(*) FROM tracking_links WHERE order_id = $1 AND revoked_at_ms IS NULL;

-- name: find_link
SELECT id, order_id, created_at_ms, created_by, revoked_at_ms FROM tracking_links WHERE token_hash = $1;

-- name: revoke_link
-- Returns the link; a second revocation keeps the time of the first.
UPDATE tracking_links SET revoked_at_ms = coalesce(revoked_at_ms, $3) WHERE id = $2 AND order_id = $1
RETURNING id, order_id, created_at_ms, created_by, revoked_at_ms;

-- The rest is for `ordertrack migrate` and `ordertrack db`, and reads whole tables.

-- name: other_tables
SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') LIMIT 1;

-- name: other_nodes
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid();

-- name: lock_all
LOCK TABLE meta, orders, parties, events, departures, status_counts, idempotency, tracking_links
IN ACCESS EXCLUSIVE MODE;

-- name: is_used
SELECT EXISTS (SELECT FROM orders) OR EXISTS (SELECT FROM parties) OR EXISTS (SELECT FROM tracking_links);

-- name: set_epoch
UPDATE meta SET value = $1 WHERE key = 'epoch';

-- name: last_ids
SELECT
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('orders', 'id')::regclass), 0),
    coalesce(pg_sequence_last_value(pg_get_serial_sequence('tracking_links', 'id')::regclass), 0);

-- name: set_last_id
SELECT setval(pg_get_serial_sequence($1, $2), $3);

-- name: last_party
SELECT coalesce(max(number), 0) FROM parties;

-- name: analyze
ANALYZE orders, parties, events, departures, idempotency, tracking_links;

-- name: totals
SELECT
    (SELECT count(*) FROM orders),
    (SELECT coalesce(sum(version), 0)::bigint FROM orders),
    (SELECT count(*) FROM events),
    (SELECT count(*) FROM parties),
    (SELECT coalesce(sum(version), 0)::bigint FROM parties),
    (SELECT count(*) FROM departures),
    (SELECT count(*) FROM idempotency),
    (SELECT count(*) FROM tracking_links);

-- name: order_records
-- The columns of an order, its status columns, and for each event the numbers and versions of its parties' feeds.
SELECT {columns}, status, final_status, next_step_at_ms, (
    SELECT json_agg(json_build_array(
        customer_version, restaurant_version, coalesce(courier_version, 0), coalesce(courier, 0), customer, restaurant
    ) ORDER BY events.version)::text FROM events WHERE order_id = orders.id
) AS feeds
FROM orders WHERE {where} ORDER BY orders.id LIMIT $2;

-- name: invalid_indexes
SELECT indexrelid::regclass::text FROM pg_index
JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT (indisvalid AND indisready) AND relnamespace = current_schema()::regnamespace;

-- name: without_order
SELECT DISTINCT order_id FROM {table} WHERE NOT EXISTS (SELECT FROM orders WHERE id = order_id)
ORDER BY order_id LIMIT $1;

-- name: feeds_behind
-- Feeds whose version is lower than that of an entry.
SELECT parties.kind || ' ' || parties.id FROM parties JOIN (
    SELECT customer AS number, max(customer_version) AS version FROM events GROUP BY customer
    UNION ALL SELECT restaurant, max(restaurant_version) FROM events GROUP BY restaurant
    UNION ALL SELECT courier, max(courier_version) FROM events WHERE courier IS NOT NULL GROUP BY courier
    UNION ALL SELECT courier, max(version) FROM departures GROUP BY courier
) AS entries USING (number) WHERE entries.version > parties.version ORDER BY 1 LIMIT $1;

-- name: versions_twice
-- Versions of a feed that two events have. Events of earlier versions of ordertrack have version 0.
SELECT {party} FROM events WHERE {feed_version} > 0 GROUP BY {party}, {feed_version} HAVING count(*) > 1 LIMIT $1;

-- name: in_other_feed
-- Orders whose last event is in the feed of another party than the order's.
SELECT orders.id FROM orders JOIN events ON order_id = orders.id AND events.version = orders.version
LEFT JOIN parties ON number = {party} AND kind = '{kind}'
WHERE parties.id IS DISTINCT FROM orders.{party_id} ORDER BY orders.id LIMIT $1;

-- name: wrong_status_counts
SELECT status, counted, orders FROM (SELECT status, sum(orders)::bigint AS counted FROM status_counts GROUP BY status) c
FULL JOIN (SELECT status, count(*) AS orders FROM orders GROUP BY status) o USING (status)
WHERE coalesce(counted, 0) <> coalesce(orders, 0);
