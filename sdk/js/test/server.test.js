// The trackers against a real server, through a proxy that breaks connections. tests/sdk/test_node.py starts both.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { OrdersTracker, OrderTracker } from '../src/index.js';

const { ORDERTRACK_SDK_SERVER: server, ORDERTRACK_SDK_PROXY: proxy, ORDERTRACK_SDK_CONTROL: control } = process.env;
const { ORDERTRACK_SDK_ADMIN: admin, ORDERTRACK_SDK_CUSTOMER: customer } = process.env;
const options = { skip: !server && 'needs the server of tests/sdk/test_node.py', timeout: 60_000 };
const PACE = { backoffBaseS: 0.02, backoffCapS: 0.1, drainSpreadS: 0.02 };

const act = async (name) => assert.equal((await fetch(`${control}/${name}`, { method: 'POST' })).status, 204);

async function call(method, path, body) {
  const headers = { authorization: `Bearer ${admin}`, ...(body && { 'content-type': 'application/json' }) };
  const response = await fetch(server + path, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(response.ok, await response.clone().text());
  return (await response.json()).data;
}

const createOrder = async (customerId = 'ann') => (await call('POST', '/api/v1/orders', { customer_id: customerId, restaurant_id: 'luigi' })).id;
const setStatus = (id, status) => call('PUT', `/api/v1/orders/${id}/status`, { status });
const next = async (tracker, type = 'update') => (await once(tracker, type))[0].detail;

async function untilState(tracker, state) {
  while (tracker.connection !== state) await once(tracker, 'connection');
}

async function untilStatus(tracker, status) {
  while (tracker.order?.status !== status) await once(tracker, 'update');
}

/** Return options with a record of all requests. */
function recorded(more = {}) {
  const requests = [];
  const platform = {
    ...more.platform,
    fetch: (url, init) => {
      requests.push({ url: new URL(url), ended: false });
      init.signal.addEventListener('abort', () => { requests.at(-1).ended = true; });
      return (more.platform?.fetch ?? fetch)(url, init);
    },
  };
  return { requests, options: { url: server, token: customer, pace: PACE, ...more, platform } };
}

function memoryStorage() {
  const items = new Map();
  return { items, getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value) };
}

test('follows an order to its end with the shape of the original class', options, async () => {
  const id = await createOrder();
  const tracker = new OrderTracker(id, { url: server, token: customer });
  const shown = [];
  tracker.updateOrderUI = (order) => shown.push(order.status);
  const done = tracker.startTracking();
  assert.equal(tracker.startTracking(), done);
  for (const status of ['confirmed', 'preparing', 'ready', 'picked_up', 'delivered']) {
    if (status !== 'confirmed') await setStatus(id, status);
    await untilStatus(tracker, status);
  }
  await done;
  assert.deepEqual(shown, ['confirmed', 'preparing', 'ready', 'picked_up', 'delivered']);
  assert.equal(tracker.connection, 'ended');
  assert.equal(tracker.isTracking, false);
});

test('updates carry their events', options, async () => {
  const id = await createOrder();
  const tracker = new OrderTracker(id, { url: server, token: customer });
  tracker.startTracking();
  const first = await next(tracker);
  const change = next(tracker);
  await setStatus(id, 'ready');
  const second = await change;
  tracker.stopTracking();
  assert.deepEqual([first.first, first.reset, first.reason], [true, false, 'snapshot']);
  assert.deepEqual([second.first, second.reason, second.events.map((event) => event.version)], [false, 'changed', [2]]);
});

test('follows a tracking link', options, async () => {
  const id = await createOrder();
  const { token } = await call('POST', `/api/v1/orders/${id}/links`, {});
  const tracker = new OrderTracker({ link: `${server}/t/${token}` });
  const done = tracker.startTracking();
  const { order } = await next(tracker);
  assert.deepEqual([order.status, order.customer_id], ['confirmed', null]);
  await setStatus(id, 'delivered');
  await done;
  assert.equal(tracker.order.status, 'delivered');
});

test('the error of a revoked link names the link', options, async () => {
  const id = await createOrder();
  const link = await call('POST', `/api/v1/orders/${id}/links`, {});
  await call('DELETE', `/api/v1/orders/${id}/links/${link.id}`);
  const tracker = new OrderTracker({ link: `${server}${link.path}` });
  const refused = next(tracker, 'error');
  await tracker.startTracking();
  const { error } = await refused;
  assert.deepEqual([error.status, error.message], [401, 'The link is wrong, revoked or expired']);
});

for (const link of ['notaurl', 'http://host/orders/101', 'http://host/t/otl_x/track', 'http://host/?next=/t/otl_x', undefined]) {
  test(`${link} is refused as a link`, () => {
    assert.throws(() => new OrderTracker({ link }), { name: 'TypeError', message: /\/t\/otl_/ });
  });
}

for (const end of ['/', '?lang=de', '#top']) {
  test(`a link may end with ${end}`, () => {
    const tracker = new OrderTracker({ link: `https://host/base/t/otl_x${end}` });
    assert.deepEqual([tracker.options.url, tracker._path], ['https://host/base', 'https://host/base/t/otl_x/track']);
  });
}

for (const [status, code, order, token] of [[401, 'unauthenticated', 101, 'none'], [404, 'order_not_found', 999_999, admin]]) {
  test(`a refusal with ${status} ends the tracking with one error`, options, async () => {
    const { requests, options: given } = recorded({ token });
    const tracker = new OrderTracker(order, given);
    const errors = [];
    tracker.addEventListener('error', ({ detail }) => errors.push(detail.error));
    await tracker.startTracking();
    assert.deepEqual(errors.map((error) => [error.status, error.code]), [[status, code]]);
    assert.equal(tracker.connection, 'refused');
    assert.equal(requests.length, 1);
  });
}

test('a token function is called before each request', options, async () => {
  const id = await createOrder();
  let calls = 0;
  const tracker = new OrderTracker(id, { url: server, token: async () => (calls++, customer) });
  const done = tracker.startTracking();
  await next(tracker);
  await setStatus(id, 'cancelled');
  await done;
  assert.equal(calls, 2);
});

test('iteration yields updates, and leaving it stops the tracker', options, async () => {
  const id = await createOrder();
  const tracker = new OrderTracker(id, { url: server, token: customer });
  const seen = [];
  for await (const { order } of tracker) {
    seen.push(order.status);
    if (order.status === 'ready') break;
    await setStatus(id, 'ready');
  }
  assert.deepEqual(seen, ['confirmed', 'ready']);
  assert.equal(tracker.connection, 'stopped');
});

test('iteration throws a refusal', options, async () => {
  const tracker = new OrderTracker(999_999, { url: server, token: admin });
  await assert.rejects(async () => {
    for await (const update of tracker) assert.fail(update.reason);
  }, { name: 'TrackerError', status: 404, code: 'order_not_found' });
});

test('a slow reader gets the newest states from a buffer with a limit', options, async () => {
  const id = await createOrder();
  const tracker = new OrderTracker(id, { url: server, token: customer });
  const iterator = tracker[Symbol.asyncIterator]();
  await iterator.next();
  const newest = new Promise((resolve) => {
    tracker.addEventListener('update', ({ detail }) => detail.order.version === 31 && resolve());
  });
  let missed = 0;
  tracker.addEventListener('update', () => { missed += 1; });
  for (let courier = 1; courier <= 30; courier += 1) await call('PUT', `/api/v1/orders/${id}/courier`, { courier_id: `${courier}` });
  await newest;
  tracker.stopTracking();
  const versions = [];
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) versions.push(step.value.order.version);
  assert.equal(versions.at(-1), 31);
  assert.equal(versions.length, Math.min(missed, 16));
});

test('an abort signal stops the tracker and its request', options, async () => {
  const { requests, options: given } = recorded();
  const abort = new AbortController();
  const tracker = new OrderTracker(await createOrder(), { ...given, signal: abort.signal });
  const done = tracker.startTracking();
  await untilState(tracker, 'live');
  abort.abort();
  await done;
  assert.equal(tracker.connection, 'stopped');
  assert.equal(requests.at(-1).ended, true);
  await tracker.startTracking();
  assert.equal(requests.length, 2);
});

test('a stopped tracker continues from its position', options, async () => {
  const id = await createOrder();
  const tracker = new OrderTracker(id, { url: server, token: customer });
  tracker.startTracking();
  await next(tracker);
  tracker.stopTracking();
  await setStatus(id, 'ready');
  tracker.startTracking();
  const { first, order, events } = await next(tracker);
  tracker.stopTracking();
  assert.deepEqual([first, order.status, events.map((event) => event.version)], [false, 'ready', [2]]);
});

test('all orders of a customer on a page share one poll', options, async () => {
  const ids = [await createOrder('cid'), await createOrder('cid'), await createOrder('cid')];
  const { requests, options: given } = recorded({ token: admin, customer: 'cid' });
  const trackers = ids.map((id) => new OrderTracker(id, given));
  const done = trackers.map((tracker) => tracker.startTracking());
  await Promise.all(trackers.map((tracker) => untilStatus(tracker, 'confirmed')));
  const change = next(trackers[1]);
  await setStatus(ids[1], 'ready');
  const { events, order } = await change;
  assert.deepEqual([order.id, events.map((event) => event.version)], [ids[1], [2]]);
  await Promise.all(ids.map((id) => setStatus(id, 'delivered')));
  await Promise.all(done);
  assert.deepEqual([...new Set(requests.map(({ url }) => url.pathname))], ['/api/v1/customers/cid/track']);
  assert.deepEqual(trackers.map((tracker) => tracker.connection), ['ended', 'ended', 'ended']);
});

test('an order that the shared feed does not have gets its own poll', options, async () => {
  const [ended, open] = [await createOrder('dora'), await createOrder('dora')];
  await setStatus(ended, 'delivered');
  const { requests, options: given } = recorded({ token: admin, customer: 'dora' });
  const [first, second, unknown] = [open, ended, 999_999].map((id) => new OrderTracker(id, given));
  first.startTracking();
  await untilStatus(first, 'confirmed');
  await second.startTracking();
  await unknown.startTracking();
  assert.deepEqual([second.order.status, second.connection, unknown.connection], ['delivered', 'ended', 'refused']);
  first.stopTracking();
  assert.equal(requests.filter(({ url }) => url.pathname.includes('/orders/')).length, 2);
});

test('the last tracker to stop ends the shared poll', options, async () => {
  const { requests, options: given } = recorded({ token: admin, customer: 'eve' });
  const trackers = [new OrderTracker(await createOrder('eve'), given), new OrderTracker(await createOrder('eve'), given)];
  const done = trackers.map((tracker) => tracker.startTracking());
  await Promise.all(trackers.map((tracker) => untilStatus(tracker, 'confirmed')));
  trackers[0].stopTracking();
  assert.equal(requests.at(-1).ended, false);
  trackers[1].stopTracking();
  await Promise.all(done);
  assert.equal(requests.at(-1).ended, true);
});

test('a feed delivers the orders of a customer', options, async () => {
  const id = await createOrder('fred');
  const tracker = new OrdersTracker({ url: server, token: admin, customer: 'fred' });
  tracker.startTracking();
  const first = await next(tracker);
  assert.deepEqual([first.first, first.orders.map((order) => order.id), [...tracker.orders.keys()]], [true, [id], [id]]);
  const change = next(tracker);
  await setStatus(id, 'delivered');
  assert.equal((await change).orders[0].status, 'delivered');
  assert.equal(tracker.orders.size, 0);
  tracker.stopTracking();
});

test('a hidden page sends nothing and polls at once when it is visible', options, async () => {
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const { requests, options: given } = recorded({ platform: { document } });
  const id = await createOrder();
  const tracker = new OrderTracker(id, given);
  tracker.startTracking();
  await untilState(tracker, 'live');
  const before = requests.length;
  document.visibilityState = 'hidden';
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(tracker.connection, 'paused');
  assert.equal(requests.at(-1).ended, true);
  await setStatus(id, 'ready');
  assert.equal(requests.length, before);
  document.visibilityState = 'visible';
  document.dispatchEvent(new Event('visibilitychange'));
  await untilStatus(tracker, 'ready');
  assert.equal(requests[before].url.searchParams.get('timeout'), '0');
  tracker.stopTracking();
});

test('a device without network sends nothing and polls at once when it is back', options, async () => {
  const window = new EventTarget();
  const { requests, options: given } = recorded({ platform: { window } });
  const id = await createOrder();
  const tracker = new OrderTracker(id, given);
  tracker.startTracking();
  await untilState(tracker, 'live');
  const before = requests.length;
  window.dispatchEvent(new Event('offline'));
  assert.equal(tracker.connection, 'offline');
  await setStatus(id, 'ready');
  assert.equal(requests.length, before);
  window.dispatchEvent(new Event('online'));
  await untilStatus(tracker, 'ready');
  tracker.stopTracking();
});

test('a device that saves power sleeps where the path loses short holds', options, async () => {
  const battery = Object.assign(new EventTarget(), { level: 0.1, charging: false });
  const watched = new Promise((resolve) => { battery.addEventListener = (type, listener) => { battery.onchange = listener; resolve(); }; });
  const storage = memoryStorage();
  storage.getItem = () => JSON.stringify({ lengthS: 28, needed: 8, worked: 0, lostS: 56, savedAt: Date.now() });
  const platform = { navigator: { getBattery: async () => battery }, storage, fetch: async (...request) => (await watched, fetch(...request)) };
  const { requests, options: given } = recorded({ mode: 'auto', platform });
  const tracker = new OrderTracker(await createOrder(), given);
  tracker.startTracking();
  await untilState(tracker, 'live');
  assert.equal(requests.length, 1);
  battery.charging = true;
  battery.onchange();
  while (requests.at(-1).url.searchParams.get('timeout') !== '28') await new Promise(setImmediate);
  tracker.stopTracking();
});

test('a connection that is cut is made again without a gap', options, async () => {
  const id = await createOrder();
  const tracker = new OrderTracker(id, { url: proxy, token: customer, pace: PACE });
  tracker.startTracking();
  await untilState(tracker, 'live');
  await act('refuse');
  await act('cut');
  await untilState(tracker, 'reconnecting');
  await setStatus(id, 'preparing');
  await setStatus(id, 'ready');
  const change = next(tracker);
  await act('accept');
  const { events, reset } = await change;
  assert.deepEqual([reset, events.map((event) => event.version)], [false, [2, 3]]);
  tracker.stopTracking();
});

test('a half-open connection is given up at the deadline, and the shorter hold is remembered', options, async () => {
  const storage = memoryStorage();
  const pace = { ...PACE, firstHoldS: 2, minHoldS: 0, marginS: 0.2 };
  const { options: given } = recorded({ url: proxy, pace, platform: { storage } });
  const id = await createOrder();
  const tracker = new OrderTracker(id, given);
  tracker.startTracking();
  await untilState(tracker, 'live');
  await act('hold');
  await untilState(tracker, 'reconnecting');
  await setStatus(id, 'ready');
  await act('go_on');
  await untilStatus(tracker, 'ready');
  tracker.stopTracking();
  const learned = JSON.parse([...storage.items.values()][0]);
  assert.deepEqual([learned.lengthS, learned.lostS], [1, 2]);

  const later = recorded({ url: proxy, pace, platform: { storage } });
  const successor = new OrderTracker(id, later.options);
  successor.startTracking();
  while (later.requests.length < 2) await new Promise(setImmediate);
  successor.stopTracking();
  assert.equal(later.requests[1].url.searchParams.get('timeout'), '1');
});

for (const status of [200, 502, 504]) {
  test(`a page of a proxy with status ${status} is retried`, options, async () => {
    const id = await createOrder();
    const tracker = new OrderTracker(id, { url: proxy, token: customer, pace: PACE });
    tracker.startTracking();
    await untilState(tracker, 'live');
    let state = 'live';
    tracker.addEventListener('connection', ({ detail }) => { state = detail.state; }, { once: true });
    while (state === 'live') await act(`answer_${status}`); // one that comes between two polls has no effect
    assert.equal(state, 'reconnecting');
    await setStatus(id, 'ready');
    await untilStatus(tracker, 'ready');
    tracker.stopTracking();
  });
}

test('a slow network delays news and loses none', options, async () => {
  await act('delay');
  const id = await createOrder();
  const tracker = new OrderTracker(id, { url: proxy, token: customer });
  const versions = [];
  tracker.addEventListener('update', ({ detail }) => versions.push(...detail.events.map((event) => event.version)));
  const done = tracker.startTracking();
  for (const status of ['preparing', 'ready', 'delivered']) await setStatus(id, status);
  await done;
  await act('no_delay');
  assert.deepEqual([tracker.order.status, versions.at(-1)], ['delivered', 4]);
});

for (const how of ['stop', 'kill']) {
  test(`tracking survives a restart of the server (${how})`, options, async () => {
    const id = await createOrder();
    const tracker = new OrderTracker(id, { url: server, token: customer, pace: PACE });
    tracker.startTracking();
    await untilState(tracker, 'live');
    const change = next(tracker);
    await act(how);
    await act('start');
    await setStatus(id, 'ready');
    const { reset, events } = await change;
    assert.deepEqual([reset, events.map((event) => event.version)], [false, [2]]);
    tracker.stopTracking();
  });
}

test('a server with another history resets the order', options, async () => {
  await setStatus(101, 'preparing');
  const tracker = new OrderTracker(101, { url: server, token: admin, pace: PACE });
  tracker.startTracking();
  await untilStatus(tracker, 'preparing');
  const change = next(tracker);
  await act('replace');
  const { reset, order, first } = await change;
  assert.deepEqual([reset, order.version, first], [true, 1, false]);
  tracker.stopTracking();
});
