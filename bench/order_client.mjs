// A client of one order, run by bench/battery.py: the class of the original contract, or the SDK.
// Usage: node order_client.mjs '{"client": "original" | "sdk", "source": file, "url", "speed", "limit", "options"}'.
// Reads one order id per line, follows that order to its end, and prints what it saw as lines of JSON.
//
// At a speed above 1 the clocks and timers that the client sees run faster, and the hold that it asks for is divided by
// the speed on its way to the server. `limit` is the server's longest hold, in the seconds of the client.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(process.argv[2]);
const { speed, limit } = settings;
const HOLD_SPREAD_FROM_S = 10; // a server ends holds of this length up to a tenth earlier (PROTOCOL.md, 3.12)

const real = { fetch, setTimeout, setInterval, now: Date.now, elapsed: performance.now.bind(performance) };
const startedMs = real.now();
const print = (line) => process.stdout.write(JSON.stringify(line) + '\n');

function speedUpClocks() {
  globalThis.setTimeout = (run, ms, ...given) => real.setTimeout(run, ms / speed, ...given);
  globalThis.setInterval = (run, ms, ...given) => real.setInterval(run, ms / speed, ...given);
  Date.now = () => startedMs + (real.now() - startedMs) * speed;
  performance.now = () => real.elapsed() * speed;
  AbortSignal.timeout = (ms) => {
    const controller = new AbortController();
    real.setTimeout(() => controller.abort(new DOMException('The operation timed out.', 'TimeoutError')), ms / speed).unref();
    return controller.signal;
  };
}

function shortened(seconds) {
  const hold = Math.min(Number(seconds), limit);
  const isSpreadByServer = hold / speed >= HOLD_SPREAD_FROM_S;
  const spread = hold >= HOLD_SPREAD_FROM_S && !isSpreadByServer ? 1 - 0.1 * Math.random() : 1;
  return ((hold * spread) / speed).toFixed(3);
}

function atSpeed(input) {
  const url = new URL(input instanceof Request ? input.url : input);
  if (url.searchParams.has('timeout')) url.searchParams.set('timeout', shortened(url.searchParams.get('timeout')));
  return url;
}

async function recordedFetch(input, options) {
  const noted = { start: real.now() };
  try {
    const response = await real.fetch(speed === 1 ? input : atSpeed(input), options);
    noted.status = response.status;
    let text = await response.text();
    noted.end = real.now();
    if (speed !== 1) text = text.replace(/"max_timeout":\s*[\d.]+/, `"max_timeout":${limit}`);
    const { status, statusText, headers } = response;
    return new Response(status === 304 ? null : text, { status, statusText, headers });
  } catch (error) {
    noted.failed = error.name;
    throw error;
  } finally {
    print({ request: noted });
  }
}

const shown = (order) => print({ update: { status: order.status, version: order.version }, at: real.now() });

function originalClass() {
  const source = readFileSync(settings.source, 'utf8');
  const [text] = source.match(/^class OrderTracker \{$.*?^\}$/ms);
  const fromServer = (path) => recordedFetch(settings.url + path);
  const silent = { log() {}, error() {} };
  return new Function('fetch', 'setTimeout', 'console', `${text}; return OrderTracker;`)(fromServer, setTimeout, silent);
}

async function original() {
  class Shown extends originalClass() {
    updateOrderUI(order) {
      super.updateOrderUI(order);
      shown(order);
    }
  }
  return (orderId) => new Shown(orderId);
}

// The parts of a browser that the SDK asks: whether the page is visible, the battery, and what is kept between orders.
function newPhone() {
  const { visible_s: visibleS, low_battery_after_s: lowAfterS } = settings.phone;
  const kept = new Map();
  const storage = { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) };
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });
  const battery = Object.assign(new EventTarget(), { level: 0.5, charging: false });
  const show = (state) => {
    document.visibilityState = state;
    document.dispatchEvent(new Event('visibilitychange'));
  };
  const start = () => {
    const showAndHide = () => {
      show('visible');
      setTimeout(() => show('hidden'), visibleS[0] * 1000).unref();
    };
    if (visibleS) {
      showAndHide();
      setInterval(showAndHide, visibleS[1] * 1000).unref();
    }
    if (lowAfterS) setTimeout(() => {
      battery.level = 0.15;
      battery.dispatchEvent(new Event('levelchange'));
    }, lowAfterS * 1000).unref();
  };
  return { start, platform: { storage, document, navigator: { onLine: true, getBattery: async () => battery } } };
}

async function sdk() {
  const { OrderTracker } = await import(pathToFileURL(settings.source));
  const phone = newPhone();
  const options = { url: settings.url, platform: { ...phone.platform, fetch: recordedFetch }, ...settings.options };
  class Shown extends OrderTracker {
    updateOrderUI(order) {
      shown(order);
    }
  }
  return (orderId) => {
    phone.start();
    return new Shown(orderId, options);
  };
}

if (speed !== 1) speedUpClocks();
const newTracker = await { original, sdk }[settings.client]();
await (await real.fetch(`${settings.url}/healthz`)).text(); // the first request of a process is slow
print({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  await newTracker(Number(line)).startTracking();
  print({ ended: Number(line) });
}
