// Use openapi-fetch with the types made by openapi-typescript. Prints what it was answered.
import createClient from "openapi-fetch";
import type { paths } from "./generated/schema.js";

declare const process: { env: Record<string, string | undefined> };

const baseUrl = process.env.ORDERTRACK_URL!;
type Json = "application/json" | "application/problem+json"; // some paths have a page too, for browsers
const guest = createClient<paths, Json>({ baseUrl });
const client = createClient<paths, Json>({
  baseUrl,
  headers: { Authorization: `Bearer ${process.env.ORDERTRACK_TOKEN}` },
});

async function good<T>(call: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await call;
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const created = (
  await good(
    client.POST("/api/v1/orders", {
      body: { customer_id: "ann", restaurant_id: "luigi", items: ["Lemonade", { name: "Pizza", quantity: 2 }] },
    }),
  )
).data;
const path = { order_id: created.id };
const order = { params: { path } };
const changed = await good(
  client.PUT("/api/v1/orders/{order_id}/status", { ...order, body: { status: "preparing" } }),
);
const refused = (
  await client.PUT("/api/v1/orders/{order_id}/status", { ...order, body: { status: "confirmed" } })
).error!;
const assigned = await good(client.PUT("/api/v1/orders/{order_id}/courier", { ...order, body: { courier_id: 7 } }));
const first = await good(client.GET("/api/v1/orders/{order_id}/track", order));
const second = await good(
  client.GET("/api/v1/orders/{order_id}/track", {
    params: { path, query: { cursor: first.cursor, timeout: 0 } },
  }),
);
const feed = await good(
  client.GET("/api/v1/customers/{customer_id}/track", { params: { path: { customer_id: "ann" } } }),
);
const link = (await good(client.POST("/api/v1/orders/{order_id}/links", order))).data;
const token = { params: { path: { token: link.token } } };
const linked = (await good(guest.GET("/t/{token}", token))).data;
const linkPoll = await good(guest.GET("/t/{token}/track", token));
const revoked = (
  await good(
    client.DELETE("/api/v1/orders/{order_id}/links/{link_id}", { params: { path: { ...path, link_id: link.id } } }),
  )
).data;
const bulk = (
  await good(
    client.POST("/api/v1/status-updates", {
      body: { updates: [{ order_id: created.id, status: "ready" }, { order_id: 1e9, status: "ready" }] },
    }),
  )
).data.results;
const simulated = (
  await good(client.POST("/api/v1/orders/{order_id}/simulate-workflow", { ...order, body: { speed: 1 } }))
).data;
const stopped = (await good(client.DELETE("/api/v1/orders/{order_id}/simulate-workflow", order))).data;
const stranger = (await guest.GET("/api/v1/orders/{order_id}", order)).error!;
const links = (await good(client.GET("/api/v1/orders/{order_id}/links", order))).data.links;
const orders = (await good(client.GET("/api/v1/orders", { params: { query: { limit: 1 } } }))).data.orders;
const { events } = (
  await good(client.GET("/api/v1/orders/{order_id}/events", { params: { path, query: { after: 2 } } }))
).data;

console.log(
  JSON.stringify({
    health: (await good(guest.GET("/healthz"))).data.status,
    created: [created.status, created.customer_id, created.items.map((item) => item.name), created.note],
    changed: [changed.success, changed.changed, changed.data.status, changed.data.timeline.at(-1)!.type],
    refused: [refused.success, refused.status, refused.error, refused.current_version, refused.legal_next],
    assigned: assigned.data.courier_id,
    polls: [first.reason, first.has_update, second.reason, second.has_update, second.next_poll_interval],
    feed: [feed.more, feed.data.orders.some((each) => each.id === created.id)],
    linked: [linked.customer_id, linked.status, linkPoll.reason, linkPoll.data.courier_id],
    links: links.length === 1 && links[0]!.id === link.id,
    revoked: typeof revoked.revoked_at === "string",
    bulk: bulk.map((result) => [result.success, result.error ?? null]),
    simulated: [simulated.steps.map((step) => step.status), stopped.steps.length],
    listed: orders.map((each) => each.id === created.id),
    events: events.map((event) => event.version),
    stranger: [stranger.error, stranger.why],
    stats: (await good(client.GET("/api/v1/orders/system/stats"))).data.lost_wakeups_total,
  }),
);
