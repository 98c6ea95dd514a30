/**
 * Trackers: they send the requests of a `Machine` and deliver the answers as events.
 * @module
 */
import { Machine } from './machine.js';

/** @import {Answer, Command, Connection, Details, FeedOptions, Learned, LinkOptions, MachineEvent, Options, Order, OrderEvent, OrderOptions, OrdersUpdate, OrderUpdate, Platform, Problem} from './types.js' */

const globals = /** @type {any} */ (globalThis);
const REMEMBERED_MS = 7 * 24 * 3600 * 1000;
const MAX_BUFFERED = 16;
const LOW_BATTERY = 0.2;

/** @type {typeof EventTarget} React Native has none. */
const Target = globals.CustomEvent && globals.EventTarget ? globals.EventTarget : class {
  constructor() {
    /** @type {[string, any, boolean][]} */
    this._listeners = [];
  }

  /** @param {string} type @param {any} listener @param {any} [options] */
  addEventListener(type, listener, options) {
    this._listeners.push([type, listener, options?.once === true]);
  }

  /** @param {string} type @param {any} listener */
  removeEventListener(type, listener) {
    this._listeners = this._listeners.filter((entry) => entry[0] !== type || entry[1] !== listener);
  }

  /** @param {any} event */
  dispatchEvent(event) {
    for (const [type, listener, isOnce] of this._listeners.slice()) {
      if (type !== event.type) continue;
      if (isOnce) this.removeEventListener(type, listener);
      try {
        (listener.handleEvent ?? listener).call(this, event);
      } catch (error) {
        console.error(error);
      }
    }
    return true;
  }
};

/** The reason why a tracker was refused. `status`: HTTP status; `code`: the server's name of the error. */
export class TrackerError extends Error {
  /** @param {Problem} problem */
  constructor({ status, code, message }) {
    super(message);
    this.name = 'TrackerError';
    this.status = status;
    this.code = code;
  }
}

/** @returns {Required<Platform>} */
function defaults() {
  return {
    fetch: (url, options) => globals.fetch(url, options),
    document: globals.document,
    window: globals.document && globals.addEventListener ? globals : null,
    navigator: globals.navigator,
    storage: localStore(),
    setTimeout: (run, ms) => globals.setTimeout(run, ms),
    clearTimeout: (timer) => globals.clearTimeout(timer),
    now: () => globals.performance?.now() ?? Date.now(),
    random: Math.random,
  };
}

function localStore() {
  try {
    return globals.document ? globals.localStorage : null;
  } catch {
    return null; // blocked by the browser's settings
  }
}

/** One loop of requests: runs a machine on a platform. */
class Poll {
  /**
   * @param {Options & {cursor?: string}} options
   * @param {string} path @param {boolean} feed
   * @param {{deliver(answer: Answer): void, connection(state: Connection, retryInS?: number): void, end(error?: TrackerError): void}} sink
   */
  constructor(options, path, feed, sink) {
    this.options = options;
    this.platform = { ...defaults(), ...options.platform };
    this.path = path;
    this.sink = sink;
    this.batches = 0;
    /** @type {(() => void)[]} */
    this.cleanups = [];
    const { random, navigator } = this.platform;
    const clientId = options.clientId ?? Array.from('12345678', () => Math.floor(random() * 65536).toString(16)).join('');
    const isSaver = options.mode === 'saver' || (options.mode === 'auto' && navigator?.connection?.saveData === true);
    this.networkType = navigator?.connection?.type;
    const { pace, cursor } = options;
    this.machine = new Machine(
      { mode: isSaver ? 'saver' : 'live', feed, cursor, clientId, pace, learned: this._remembered() }, random);
  }

  start() {
    this._watch();
    this.handle({ type: 'start' });
  }

  /** @param {MachineEvent} event */
  handle(event) {
    const commands = this.machine.handle(event, this.platform.now() / 1000);
    if (!commands.length) return;
    const batch = ++this.batches;
    for (const command of commands) {
      this._run(command);
      if (batch !== this.batches) return; // a listener stopped or paused: the rest is out of date
    }
  }

  /** @param {Command} command */
  _run(command) {
    switch (command.do) {
      case 'send':
        this._timer(command.deadlineS);
        this._send(command);
        break;
      case 'wait':
        this._timer(command.seconds);
        break;
      case 'cancel':
        this.platform.clearTimeout(this.timer);
        this.request?.abort();
        break;
      case 'deliver':
        this.sink.deliver(command.answer);
        break;
      case 'connection':
        this.sink.connection(command.state, command.retryInS);
        break;
      case 'remember':
        this._remember(command.learned);
        break;
      case 'end':
        this.platform.clearTimeout(this.timer);
        for (const cleanup of this.cleanups.splice(0)) cleanup();
        this.sink.end(command.error && new TrackerError(command.error));
    }
  }

  /** @param {number} seconds */
  _timer(seconds) {
    this.platform.clearTimeout(this.timer);
    this.timer = this.platform.setTimeout(() => this.handle({ type: 'timer' }), seconds * 1000);
  }

  /** @param {{id: number, query: Record<string, string>}} request */
  async _send({ id, query }) {
    const { options: { token }, platform } = this;
    const request = this.request = new AbortController();
    /** @type {MachineEvent} */
    let event;
    try {
      const headers = /** @type {Record<string, string>} */ ({ accept: 'application/json' });
      const bearer = typeof token === 'function' ? await token() : token;
      if (bearer) headers.authorization = `Bearer ${bearer}`;
      const parameters = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
      const address = parameters ? `${this.path}?${parameters}` : this.path;
      const response = await platform.fetch(address, { headers, signal: request.signal, cache: 'no-store' });
      const body = await response.text();
      const now = new Date().toUTCString(); // another origin's page cannot read `Date`
      const date = response.headers.get('date') ?? now;
      event = { type: 'answer', id, status: response.status, headers: { 'retry-after': response.headers.get('retry-after'), date }, body };
    } catch {
      event = { type: 'failure', id, offline: platform.navigator?.onLine === false };
    }
    this.handle(event); // ignored when the machine has cancelled the request
  }

  /** Pass the platform's hints to the machine until the end. */
  _watch() {
    const { document, window, navigator } = this.platform;
    const visibility = () => {
      this.handle({ type: document?.visibilityState === 'hidden' ? 'hidden' : 'visible' });
      if (navigator?.onLine !== false) this.handle({ type: 'online' });
    };
    if (document?.visibilityState === 'hidden') this.handle({ type: 'hidden' });
    this._listen(document, 'visibilitychange', visibility);
    this._listen(window, 'pageshow', visibility);
    this._listen(window, 'online', () => this.handle({ type: 'online' }));
    this._listen(window, 'offline', () => this.handle({ type: 'offline' }));
    const connection = navigator?.connection;
    this._listen(connection, 'change', () => this.changeNetwork(connection.type));
    if (this.options.mode === 'auto') this._watchPower();
  }

  /** Continue on another network with the hold that was learned there. @param {string} [type] */
  changeNetwork(type) {
    if (type === this.networkType) return;
    this.networkType = type;
    this.handle({ type: 'network', learned: this._remembered() });
  }

  async _watchPower() {
    const { connection, getBattery } = this.platform.navigator ?? {};
    /** @type {any} */
    let battery;
    const check = () => {
      const isLow = battery && battery.level < LOW_BATTERY && !battery.charging;
      this.handle({ type: 'mode', mode: isLow || connection?.saveData === true ? 'saver' : 'live' });
    };
    this._listen(connection, 'change', check);
    try {
      battery = await getBattery?.call(this.platform.navigator);
    } catch {
      return; // refused by the page's permissions policy
    }
    this._listen(battery, 'levelchange', check);
    this._listen(battery, 'chargingchange', check);
    check();
  }

  /** @param {any} target @param {string} type @param {() => void} listener */
  _listen(target, type, listener) {
    if (!target?.addEventListener || this.machine.state === 'ended') return;
    target.addEventListener(type, listener);
    this.cleanups.push(() => target.removeEventListener(type, listener));
  }

  get _key() {
    return `ordertrack.hold:${this.options.url ?? ''}:${this.networkType ?? 'unknown'}`;
  }

  /** @returns {Learned | null} */
  _remembered() {
    try {
      const { savedAt, ...learned } = JSON.parse(this.platform.storage?.getItem(this._key) ?? '{}');
      return Date.now() - savedAt < REMEMBERED_MS ? learned : null;
    } catch {
      return null;
    }
  }

  /** @param {Learned} learned */
  _remember(learned) {
    try {
      this.platform.storage?.setItem(this._key, JSON.stringify({ ...learned, savedAt: Date.now() }));
    } catch {
      // full or blocked: the next session learns again
    }
  }
}

/**
 * Events, start and stop, and iteration: the same for one order and for a feed.
 * @template {{reset: boolean, first: boolean}} Detail
 */
class BaseTracker extends Target {
  /** @param {Options & {cursor?: string}} options */
  constructor(options) {
    super();
    if (!/^https?:\/\//.test(options.url ?? '') && !globals.location) {
      throw new TypeError('Set url to the address of the server, such as https://orders.example.com');
    }
    this.options = options;
    /** @type {Connection} the state of the connection */
    this.connection = 'stopped';
    /** @type {Poll | undefined} */
    this._poll = undefined;
    this._isFirst = true;
    /** @type {Promise<void> | undefined} */
    this._done = undefined;
    /** @type {() => void} */
    this._resolve = () => {};
  }

  /**
   * @template {'update' | 'connection' | 'error' | 'end'} Type
   * @param {Type} type @param {((event: CustomEvent<Details<Detail>[Type]>) => void) | EventListenerObject | null} listener
   * @param {boolean | AddEventListenerOptions} [options]
   */
  addEventListener(type, listener, options) {
    super.addEventListener(type, /** @type {any} */ (listener), options);
  }

  get isTracking() {
    return this._done !== undefined;
  }

  /** Track until the end, a stop or a refusal: then the promise resolves. @returns {Promise<void>} */
  startTracking() {
    if (this._done) return this._done;
    const done = this._done = new Promise((resolve) => { this._resolve = () => resolve(undefined); });
    const { signal } = this.options;
    if (signal?.aborted) this._end();
    else {
      this._abort = () => this.stopTracking();
      signal?.addEventListener('abort', this._abort);
      this._begin();
    }
    return done;
  }

  stopTracking() {
    this._poll?.handle({ type: 'stop' });
  }

  /** The poll that delivers to this tracker. @returns {Poll | undefined} */
  get _source() {
    return this._poll;
  }

  /** Send nothing until `resume`, as if the page were hidden; for apps without pages. */
  pause() {
    this._source?.handle({ type: 'hidden' });
  }

  /** Poll at once after a `pause`. */
  resume() {
    this._source?.handle({ type: 'visible' });
  }

  /** Report the device's network, where the platform has no events for it. @param {boolean} isOnline @param {string} [type] such as `wifi` */
  setNetwork(isOnline, type) {
    if (type !== undefined) this._source?.changeNetwork(type);
    this._source?.handle({ type: isOnline ? 'online' : 'offline' });
  }

  _begin() {}

  /** @param {string} path @param {boolean} feed @param {(answer: Answer) => void} deliver */
  _startPoll(path, feed, deliver) {
    this._poll = new Poll(this.options, path, feed, {
      deliver,
      connection: (state, retryInSeconds) => this._connect(state, retryInSeconds),
      end: (error) => this._end(error),
    });
    this._poll.start();
  }

  /** @param {Connection} state @param {number} [retryInSeconds] */
  _connect(state, retryInSeconds) {
    this.connection = state;
    this._emit('connection', { state, retryInSeconds });
  }

  /** @param {TrackerError} [error] */
  _end(error) {
    if (!this._done) return;
    this._done = this._poll = undefined;
    if (this._abort) this.options.signal?.removeEventListener('abort', this._abort);
    if (error) this._emit('error', { error });
    this._emit('end', { error });
    this._resolve();
  }

  /** @param {string} type @param {object} detail */
  _emit(type, detail) {
    const event = globals.CustomEvent ? new globals.CustomEvent(type, { detail }) : { type, detail };
    this.dispatchEvent(event);
  }

  /**
   * Iterate over the details of `update`; starts tracking. A slow reader gets the newest ones. Throws the `TrackerError`
   * of a refusal.
   * @returns {AsyncIterator<Detail, void>}
   */
  [Symbol.asyncIterator]() {
    /** @type {Detail[]} */
    const buffer = [];
    let isOver = false;
    /** @type {TrackerError | undefined} */
    let failure;
    /** @type {() => void} */
    let wake = () => {};
    /** @param {any} event */
    const onUpdate = ({ detail }) => {
      buffer.push(detail);
      if (buffer.length > MAX_BUFFERED) {
        const { reset, first } = /** @type {Detail} */ (buffer.shift());
        buffer[0] = { ...buffer[0], reset: buffer[0].reset || reset, first: buffer[0].first || first };
      }
      wake();
    };
    /** @param {any} event */
    const onEnd = ({ detail }) => {
      isOver = true;
      failure = detail.error;
      this.removeEventListener('update', onUpdate);
      this.removeEventListener('end', onEnd);
      wake();
    };
    this.addEventListener('update', onUpdate);
    this.addEventListener('end', onEnd);
    const hasStarted = !this.isTracking;
    this.startTracking();
    return {
      next: async () => {
        while (!buffer.length && !isOver) await new Promise((resolve) => { wake = () => resolve(undefined); });
        const value = buffer.shift();
        if (value) return { value, done: false };
        const error = failure;
        failure = undefined;
        if (error) throw error;
        return { value: undefined, done: true };
      },
      return: async () => {
        onEnd({ detail: {} });
        if (hasStarted) this.stopTracking();
        return { value: undefined, done: true };
      },
    };
  }
}

/** @param {string} [url] */
const baseOf = (url = '') => url.replace(/\/+$/, '');

/** @param {Order} order */
const hasEnded = ({ status }) => status === 'delivered' || status === 'cancelled';

/**
 * Follows all orders of a customer, a restaurant or a courier with one poll. Never ends by itself.
 *
 * Events: `update`, `connection`, `error`, `end`. `orders` has the current orders by id, without ended ones.
 * @extends {BaseTracker<OrdersUpdate>}
 */
export class OrdersTracker extends BaseTracker {
  /** @param {FeedOptions} options */
  constructor(options) {
    super(options);
    const { customer, restaurant, courier } = options;
    const id = customer ?? restaurant ?? courier;
    if (id === undefined) throw new TypeError('Set customer, restaurant or courier');
    const party = customer !== undefined ? 'customers' : restaurant !== undefined ? 'restaurants' : 'couriers';
    this._path = `${baseOf(options.url)}/api/v1/${party}/${encodeURIComponent(id)}/track`;
    /** @type {Map<number, Order>} */
    this.orders = new Map();
    /** True when all pages of the first answer have arrived. */
    this.isComplete = false;
  }

  _begin() {
    this.isComplete = false;
    let isReset = this.orders.size > 0; // after a restart the first answer replaces what is known
    this._startPoll(this._path, true, (answer) => {
      isReset ||= answer.reset === true;
      if (isReset) this.orders.clear();
      /** @type {Order[]} */
      const changed = answer.data.orders.filter((/** @type {Order} */ { id, version }) => !(version < (this.orders.get(id)?.version ?? 0)));
      for (const order of changed) this.orders.set(order.id, order);
      this.isComplete = answer.more !== true;
      const detail = { orders: changed, left: answer.left ?? [], reset: isReset, reason: answer.reason ?? '', first: this._isFirst };
      this._isFirst = isReset = false;
      for (const id of detail.left) this.orders.delete(id);
      this._emit('update', detail);
      for (const order of changed) if (hasEnded(order)) this.orders.delete(order.id);
    });
  }
}

/** @type {{url?: string, token: Options['token'], customer: string, feed: OrdersTracker, users: number}[]} */
const sharedFeeds = [];

/**
 * Follows one order to its end. Override `updateOrderUI`, listen to events, or iterate.
 *
 *     const tracker = new OrderTracker(101, {url: 'https://orders.example.com', token});
 *     tracker.addEventListener('update', ({detail}) => show(detail.order));
 *     tracker.startTracking();
 *
 * Events: `update`, `connection`, `error` (a refusal that a retry cannot help), `end`.
 * @extends {BaseTracker<OrderUpdate>}
 */
export class OrderTracker extends BaseTracker {
  /**
   * @param {number | string | LinkOptions} order id of the order, or the options with a tracking link
   * @param {OrderOptions} [options] with `customer`, all orders of that customer on this page share one poll
   */
  constructor(order, options = {}) {
    const link = typeof order === 'object' ? order.link.replace(/[?#].*/, '').replace(/\/+$/, '') : '';
    super(typeof order === 'object' ? { ...order, url: link.replace(/\/t\/[^/]*$/, '') } : options);
    /** @type {number | null} */
    this.orderId = typeof order === 'object' ? null : Number(order);
    this._path = link ? `${link}/track` : `${baseOf(options.url)}/api/v1/orders/${this.orderId}/track`;
    /** @type {Order | null} the last state */
    this.order = null;
    this._isReset = false;
    /** @type {OrdersTracker | undefined} */
    this._feed = undefined;
    this._leave = () => {};
    this.addEventListener('update', ({ detail }) => this.updateOrderUI(detail.order));
  }

  /** Show an order. Override it. @param {Order} order */
  updateOrderUI(order) {}

  stopTracking() {
    if (!this._feed) return super.stopTracking();
    this._leave();
    this._connect('stopped');
    this._end();
  }

  /** @returns {Poll | undefined} */
  get _source() {
    return (this._feed ?? this)._poll;
  }

  _begin() {
    const { customer } = /** @type {OrderOptions} */ (this.options);
    if (customer === undefined) this._beginAlone();
    else this._join(String(customer));
  }

  _beginAlone() {
    this._startPoll(this._path, false, ({ data, events, reset, reason }) => this._deliver(data, events ?? [], reset === true, reason ?? ''));
  }

  /** @param {Order} order @param {OrderEvent[]} events @param {boolean} reset @param {string} reason */
  _deliver(order, events, reset, reason) {
    const detail = { order, events, reset: reset || this._isReset, reason, first: this._isFirst };
    this._isFirst = this._isReset = false;
    this.order = order;
    this._emit('update', detail);
  }

  /** Share the poll of the customer's feed. @param {string} customer */
  _join(customer) {
    const { url, token } = this.options;
    let shared = sharedFeeds.find((entry) => entry.url === url && entry.token === token && entry.customer === customer);
    if (!shared) {
      const feed = new OrdersTracker({ ...this.options, signal: undefined, customer });
      shared = { url, token, customer, feed, users: 0 };
      sharedFeeds.push(shared);
    }
    const entry = shared;
    const { feed } = entry;
    /** @type {['update' | 'connection' | 'end', (event: any) => void][]} */
    const listeners = [
      ['update', ({ detail }) => this._receive(feed, detail)],
      ['connection', ({ detail }) => this._connect(detail.state, detail.retryInSeconds)],
      ['end', ({ detail }) => { this._leave(); this._end(detail.error); }],
    ];
    for (const [type, listener] of listeners) feed.addEventListener(type, listener);
    entry.users += 1;
    this._feed = feed;
    this._leave = () => {
      for (const [type, listener] of listeners) feed.removeEventListener(type, listener);
      this._leave = () => {};
      this._feed = undefined;
      if (--entry.users) return;
      sharedFeeds.splice(sharedFeeds.indexOf(entry), 1);
      feed.stopTracking();
    };
    if (feed.isTracking) {
      this._connect(feed.connection);
      this._receive(feed);
    } else feed.startTracking();
  }

  /** Take this order from the feed. One that the feed does not have gets a poll of its own. @param {OrdersTracker} feed @param {OrdersUpdate} [update] */
  _receive(feed, update) {
    this._isReset ||= update?.reset === true && this.order !== null;
    const order = feed.orders.get(Number(this.orderId));
    const version = this._isReset ? 0 : this.order?.version ?? 0;
    if (order && order.version > version) {
      const events = (order.timeline ?? []).filter((/** @type {OrderEvent} */ event) => event.version > version);
      this._deliver(order, events, false, update?.reason ?? 'snapshot');
      if (!this._feed || !hasEnded(order)) return;
      this._leave();
      this._connect('ended');
      this._end();
    } else if (!order && feed.isComplete) {
      this._leave();
      this._beginAlone();
    }
  }
}
