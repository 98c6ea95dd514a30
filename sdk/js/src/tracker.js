/**
 * Trackers send the requests of a `Machine` and deliver the answers as events.
 * @module
 */
import { Machine } from './machine.js';

/** @import {Answer, Command, Connection, Details, Learned, LinkOptions, MachineEvent, Options, Order, OrderOptions, OrderUpdate, Platform, Problem} from './types.js' */

const globals = /** @type {any} */ (globalThis);
const REMEMBERED_MS = 7 * 24 * 3600 * 1000;
const MAX_BUFFERED = 16;
const LOW_BATTERY = 0.2;

/** A refusal that a retry cannot help. `status`: of HTTP; `code`: the server's name of the error. */
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
const defaults = () => ({
  fetch: (url, options) => globals.fetch(url, options),
  document: globals.document,
  window: globals.document && globals,
  navigator: globals.navigator,
  storage: attempt(() => globals.document && globals.localStorage), // may be blocked
  setTimeout: (run, ms) => globals.setTimeout(run, ms),
  clearTimeout: (timer) => globals.clearTimeout(timer),
  now: () => globals.performance?.now() ?? Date.now(),
  random: Math.random,
});

/** @param {() => any} run */
function attempt(run) {
  try {
    return run();
  } catch {
    return null;
  }
}

/** Runs a machine on a platform for a tracker. */
class Poll {
  /** @param {BaseTracker<any>} owner @param {boolean} feed */
  constructor(owner, feed) {
    const { options } = owner;
    const { pace, mode } = options;
    this.owner = owner;
    this.options = options;
    this.platform = { ...defaults(), ...options.platform };
    this.batches = 0;
    /** @type {(() => void)[]} */
    this.cleanups = [];
    const { random, navigator } = this.platform;
    const clientId = options.clientId ?? Array.from('12345678', () => Math.floor(random() * 65536).toString(16)).join('');
    this.networkType = navigator?.connection?.type;
    this.machine = new Machine({ mode: mode === 'saver' ? mode : 'live', feed, cursor: feed ? null : owner._cursor, clientId, pace, learned: this._remembered() }, random);
  }

  start() {
    const { document, window, navigator } = this.platform;
    const connection = navigator?.connection;
    const look = () => {
      this.handle({ type: document?.visibilityState === 'hidden' ? 'hidden' : 'visible' });
      if (navigator?.onLine !== false) this.handle({ type: 'online' });
    };
    this._listen(document, 'visibilitychange', look);
    this._listen(window, 'pageshow', look);
    this._listen(window, 'online', () => this.handle({ type: 'online' }));
    this._listen(window, 'offline', () => this.handle({ type: 'offline' }));
    this._listen(connection, 'change', () => this.changeNetwork(connection.type));
    if (this.options.mode === 'auto') this._watchPower(connection);
    look();
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

  /** Continue with the hold that was learned on this network. @param {string} [type] */
  changeNetwork(type) {
    if (type === this.networkType) return;
    this.networkType = type;
    this.handle({ type: 'network', learned: this._remembered() });
  }

  /** @param {Command} command */
  _run(command) {
    const { owner, platform } = this;
    switch (command.do) {
      case 'send':
        this._timer(command.deadlineS);
        this._send(command);
        break;
      case 'wait':
      case 'check':
        this._timer(command.seconds);
        break;
      case 'cancel':
        platform.clearTimeout(this.timer);
        this.request?.abort();
        break;
      case 'deliver':
        owner._accept(command.answer);
        break;
      case 'connection':
        owner._connect(command.state, command.retryInS);
        break;
      case 'remember': {
        const text = JSON.stringify({ ...command.learned, savedAt: Date.now() });
        attempt(() => platform.storage?.setItem(this._key, text)); // may be full
        break;
      }
      case 'end':
        platform.clearTimeout(this.timer);
        for (const cleanup of this.cleanups.splice(0)) cleanup();
        owner._end(command.error && new TrackerError(command.error));
    }
  }

  /** @param {number} seconds */
  _timer(seconds) {
    this.platform.clearTimeout(this.timer);
    this.timer = this.platform.setTimeout(() => this.handle({ type: 'timer' }), seconds * 1000);
  }

  /** @param {{id: number, query: Record<string, string>}} request */
  async _send({ id, query }) {
    const { owner, options: { token }, platform } = this;
    const request = this.request = new AbortController();
    try {
      const headers = /** @type {Record<string, string>} */ ({ accept: 'application/json' });
      const bearer = typeof token === 'function' ? await token() : token;
      if (bearer) headers.authorization = `Bearer ${bearer}`;
      const parameters = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      const response = await platform.fetch(`${owner._path}?${parameters.join('&')}`, { headers, signal: request.signal, cache: 'no-store' });
      const body = await response.text();
      const header = (/** @type {string} */ name) => response.headers.get(name);
      // a page cannot read `Date` of another origin
      const date = header('date') ?? new Date().toUTCString();
      this.handle({ type: 'answer', id, status: response.status, headers: { 'retry-after': header('retry-after'), date }, body });
    } catch {
      this.handle({ type: 'failure', id, offline: platform.navigator?.onLine === false });
    }
  }

  /** @param {any} connection */
  async _watchPower(connection) {
    const { navigator } = this.platform;
    /** @type {any} */
    let battery;
    const check = () => {
      const isLow = battery?.level < LOW_BATTERY && !battery.charging;
      this.handle({ type: 'mode', mode: isLow || connection?.saveData ? 'saver' : 'live' });
    };
    this._listen(connection, 'change', check);
    check();
    battery = await attempt(() => navigator?.getBattery?.().catch(() => null)); // may be forbidden
    for (const type of ['levelchange', 'chargingchange']) this._listen(battery, type, check);
    check();
  }

  /** @param {any} target @param {string} type @param {() => void} listener */
  _listen(target, type, listener) {
    if (!target?.addEventListener || this.machine.state === 'ended') return;
    target.addEventListener(type, listener);
    this.cleanups.push(() => target.removeEventListener(type, listener));
  }

  get _key() {
    return `ordertrack.hold:${this.options.url ?? ''}:${this.networkType ?? ''}`;
  }

  /** @returns {Learned | null} */
  _remembered() {
    const saved = attempt(() => JSON.parse(this.platform.storage?.getItem(this._key) ?? '{}'));
    return Date.now() - saved?.savedAt < REMEMBERED_MS ? saved : null;
  }
}

/** @param {string} [url] */
export const baseOf = (url = '') => url.replace(/\/+$/, '');

/**
 * What all trackers have: events, start and stop, iteration.
 * @template {{reset: boolean, first: boolean}} Detail
 */
export class BaseTracker extends EventTarget {
  /** @param {Options & {cursor?: string}} options @param {string} path */
  constructor(options, path) {
    super();
    if (!/^https?:/.test(path) && !globals.location) throw new TypeError('Set url to the address of the server');
    this.options = options;
    this._path = path;
    /** @type {Connection} */
    this.connection = 'stopped';
    /** @type {Poll | undefined} */
    this._poll = undefined;
    this._isFirst = true;
    this._cursor = options.cursor ?? null;
    /** @type {Promise<void> | undefined} */
    this._done = undefined;
    /** @type {() => void} */
    this._resolve = () => {};
    this._stop = () => this.stopTracking();
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

  /** Track until the end, a stop or a refusal; then the promise resolves. @returns {Promise<void>} */
  startTracking() {
    if (this._done) return this._done;
    const done = this._done = new Promise((resolve) => { this._resolve = () => resolve(undefined); });
    const { signal } = this.options;
    signal?.addEventListener('abort', this._stop);
    if (signal?.aborted) this._end();
    else this._begin();
    return done;
  }

  stopTracking() {
    if (this._poll) this._poll.handle({ type: 'stop' });
    else if (this._done) this._close('stopped');
  }

  /** Send nothing until `resume`, as while a page is hidden. */
  pause() {
    this._source?.handle({ type: 'hidden' });
  }

  /** Poll at once after a `pause`. */
  resume() {
    this._source?.handle({ type: 'visible' });
  }

  /** Report the device's network where the platform has no events for it. @param {boolean} isOnline @param {string} [type] such as `wifi` */
  setNetwork(isOnline, type) {
    this._source?.changeNetwork(type);
    this._source?.handle({ type: isOnline ? 'online' : 'offline' });
  }

  /** The poll that delivers to this tracker. @returns {Poll | undefined} */
  get _source() {
    return this._poll;
  }

  _begin(isFeed = false) {
    this._poll = new Poll(this, isFeed);
    this._poll.start();
  }

  /** @param {Answer} answer */
  _accept(answer) {}

  /** @param {Connection} state @param {number} [retryInSeconds] */
  _connect(state, retryInSeconds) {
    this.connection = state;
    this._emit('connection', { state, retryInSeconds });
  }

  /** @param {Connection} state */
  _close(state) {
    this._connect(state);
    this._end();
  }

  /** @param {TrackerError} [error] */
  _end(error) {
    if (!this._done) return;
    if (this._poll) this._cursor = this._poll.machine.cursor;
    this._done = this._poll = undefined;
    this.options.signal?.removeEventListener('abort', this._stop);
    if (error) this._emit('error', { error });
    this._emit('end', { error });
    this._resolve();
  }

  /** @param {string} type @param {object} detail */
  _emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /**
   * Iterate over the details of `update`; starts tracking. A slow reader gets the newest ones. Throws a `TrackerError`.
   * @returns {AsyncGenerator<Detail, void>}
   */
  async *[Symbol.asyncIterator]() {
    /** @type {Detail[]} */
    const buffer = [];
    /** @type {{error?: TrackerError} | undefined} */
    let end;
    /** @type {() => void} */
    let wake = () => {};
    const onUpdate = (/** @type {CustomEvent<Detail>} */ { detail }) => {
      buffer.push(detail);
      if (buffer.length > MAX_BUFFERED && buffer.shift()?.reset) buffer[0] = { ...buffer[0], reset: true };
      wake();
    };
    const onEnd = (/** @type {CustomEvent<{error?: TrackerError}>} */ { detail }) => {
      end = detail;
      wake();
    };
    this.addEventListener('update', onUpdate);
    this.addEventListener('end', onEnd);
    const isOwner = !this.isTracking;
    try {
      this.startTracking();
      while (buffer.length || !end) {
        const detail = buffer.shift();
        if (detail) yield detail;
        else await new Promise((resolve) => { wake = () => resolve(undefined); });
      }
      if (end.error) throw end.error;
    } finally {
      this.removeEventListener('update', /** @type {any} */ (onUpdate));
      this.removeEventListener('end', /** @type {any} */ (onEnd));
      if (isOwner) this.stopTracking();
    }
  }
}

/**
 * Follows one order to its end. Override `updateOrderUI`, listen to events, or iterate.
 * @extends {BaseTracker<OrderUpdate>}
 */
export class OrderTracker extends BaseTracker {
  /**
   * @param {number | string | LinkOptions} order id of the order, or the options with a tracking link
   * @param {OrderOptions} [options] with `customer` all orders of that customer on this page share one poll
   */
  constructor(order, options = {}) {
    if (typeof order === 'object') {
      const link = baseOf(order.link.replace(/[?#].*/, ''));
      super({ ...order, url: link.replace(/\/t\/[^/]*$/, '') }, `${link}/track`);
    } else super(options, `${baseOf(options.url)}/api/v1/orders/${order}/track`);
    this.orderId = typeof order === 'object' ? null : Number(order);
    /** @type {Order | null} the last state */
    this.order = null;
    this._isReset = false;
    /** @type {import('./orders.js').SharedOrder | undefined} */
    this._shared = undefined;
    this.addEventListener('update', ({ detail }) => this.updateOrderUI(detail.order));
  }

  /** Show an order. Override it. @param {Order} order */
  updateOrderUI(order) {}

  stopTracking() {
    if (this._shared) this._shared.end('stopped');
    else super.stopTracking();
  }

  /** @returns {Poll | undefined} */
  get _source() {
    return (this._shared?.feed ?? this)._poll;
  }

  _begin() {
    const { customer } = /** @type {OrderOptions} */ (this.options);
    if (customer === undefined) return super._begin();
    const { _done } = this;
    this._connect('connecting');
    import('./orders.js').then(({ SharedOrder }) => {
      if (_done === this._done) new SharedOrder(this, String(customer)).start();
    }, () => super._begin());
  }

  /** Track with a poll of its own. */
  _beginAlone() {
    super._begin();
  }

  /** @param {Answer} answer */
  _accept({ data, events = [], reset = false, reason = '' }) {
    const detail = { order: data, events, reset: reset || this._isReset, reason, first: this._isFirst };
    this._isFirst = this._isReset = false;
    this.order = data;
    this._emit('update', detail);
  }
}
