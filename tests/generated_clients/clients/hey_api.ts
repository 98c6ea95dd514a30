// Use a client made by @hey-api/openapi-ts. Prints what it was answered.
import { createClient, createConfig } from "./generated/hey_api/client/index.js";
import * as api from "./generated/hey_api/index.js";

declare const process: { env: Record<string, string | undefined> };

const baseUrl = process.env.ORDERTRACK_URL!;
const guest = { client: createClient(createConfig({ baseUrl })) };
const signed = { client: createClient(createConfig({ baseUrl, auth: process.env.ORDERTRACK_TOKEN! })) };

async function good<T>(call: Promise<{ data?: T; error?: unknown }>): Promise<T> {
  const { data, error } = await call;
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

const created = (
  await good(
    api.createOrder({
      ...signed,
      body: { customer_id: "ann", restaurant_id: "luigi", items: ["Lemonade", { name: "Pizza", quantity: 2 }] },
    }),
  )
).data;
const path = { order_id: created.id };
const order = { ...signed, path };
const changed = await good(api.setStatus({ ...order, body: { status: "preparing" } }));
const refused = (await api.setStatus({ ...order, body: { status: "confirmed" } })).error!;
const assigned = await good(api.setCourier({ ...order, body: { courier_id: 7 } }));
const first = await good(api.trackOrder(order));
const second = await good(api.trackOrder({ ...order, query: { cursor: first.cursor, timeout: 0 } }));
const feed = await good(api.trackCustomer({ ...signed, path: { customer_id: "ann" } }));
const link = (await good(api.makeLink(order))).data;
const token = { ...guest, path: { token: link.token } };
const linked = (await good(api.getLinkedOrder(token))).data;
const linkPoll = await good(api.trackLink(token));
const revoked = (await good(api.revokeLink({ ...signed, path: { ...path, link_id: link.id } }))).data;
const bulk = (
  await good(
    api.setStatuses({
      ...signed,
      body: { updates: [{ order_id: created.id, status: "ready" }, { order_id: 1e9, status: "ready" }] },
    }),
  )
).data.results;
const simulated = (await good(api.startSimulation({ ...order, body: { speed: 1 } }))).data;
const stopped = (await good(api.stopSimulation(order))).data;
const stranger = (await api.getOrder({ ...guest, path })).error!;
const { links } = (await good(api.listLinks(order))).data;
const { orders } = (await good(api.listOrders({ ...signed, query: { limit: 1 } }))).data;
const { events } = (await good(api.listEvents({ ...order, query: { after: 2 } }))).data;

console.log(
  JSON.stringify({
    health: (await good(api.healthz(guest))).data.status,
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
    stats: (await good(api.systemStats(signed))).data.lost_wakeups_total,
  }),
);
