/** The requests of a `Machine`. @module */
import { Machine } from './machine.js';

/** @import * as types from './types.js' */

const globals = /** @type {any} */ (globalThis);
const WEEK_MS = 7 * 24 * 3600e3;

/** A refusal that a retry cannot help. */
export class TrackerError extends Error {
  name = 'TrackerError';

  /** @param {types.Problem} problem */
  constructor({ status, code, message }) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** @returns {Required<types.Platform>} */
const defaults = () => ({
  fetch: (url, options) => fetch(url, options),
  document: globals.document,
  window: globals.document && globals,
  navigator: globals.navigator,
  storage: attempt(() => globals.document && localStorage), // may be blocked
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  now: () => performance.now(),
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

export const baseOf = (url = '') => url.replace(/\/+$/, '');

const TypedTarget = /** @type {new () => types.Target} */ (EventTarget);

/** @template {{reset: boolean, first: boolean}} Detail */
export class BaseTracker extends TypedTarget {
  /** @type {types.Connection} */
  connection = 'stopped';
  /** @type {Machine | undefined} */
  _machine;
  /** @type {Promise<void> | undefined} */
  _done;
  /** @type {string | undefined} */
  _networkType;
  _isFirst = true;
  _batches = 0;

  /** @param {types.OrderOptions} options @param {string} path */
  constructor(options, path) {
    super();
    if (!/^https?:/.test(path) && !globals.location) throw new TypeError('Set url to the address of the server');
    this.options = options;
    this._path = path;
    this._cursor = options.cursor;
    this._platform = { ...defaults(), ...options.platform };
  }

  get isTracking() {
    return this._done !== undefined;
  }

  /** The promise resolves at the end, after a stop or a refusal. @returns {Promise<void>} */
  startTracking() {
    if (this._done) return this._done;
    const done = this._done = new Promise((resolve) => { this._resolve = resolve; });
    const { signal } = this.options;
    this._run = new globals.AbortController();
    this._listen(signal, 'abort', () => this.stopTracking());
    if (signal?.aborted) this._end();
    else this._begin();
    return done;
  }

  stopTracking() {
    if (this._machine) this._handle({ type: 'stop' });
    else if (this._done) {
      this._connect('stopped');
      this._end();
    }
  }

  /** Send nothing until `resume`. */
  pause() {
    this._source._handle({ type: 'hidden' });
  }

  resume() {
    this._source._handle({ type: 'visible' });
  }

  /** @param {boolean} isOnline @param {string} [type] such as `wifi` */
  setNetwork(isOnline, type) {
    this._source._changeNetwork(type);
    this._source._handle({ type: isOnline ? 'online' : 'offline' });
  }

  /** The one that polls. @returns {BaseTracker<any>} */
  get _source() {
    return this;
  }

  _begin() {
    const { options: { clientId, mode, pace }, _platform: { document, navigator, random, window } } = this;
    const connection = navigator?.connection;
    this._networkType = connection?.type;
    this._machine = new Machine({ mode, cursor: this._cursor, clientId: clientId ?? random().toString(36).slice(2), pace, learned: this._remembered() }, random);
    const look = () => {
      this._handle({ type: document?.visibilityState === 'hidden' ? 'hidden' : 'visible' });
      if (navigator?.onLine !== false) this._handle({ type: 'online' });
    };
    this._listen(document, 'visibilitychange', look);
    this._listen(window, 'pageshow', look);
    this._listen(window, 'online', () => this._handle({ type: 'online' }));
    this._listen(window, 'offline', () => this._handle({ type: 'offline' }));
    this._listen(connection, 'change', () => this._changeNetwork(connection.type));
    if (mode === 'auto') import('./power.js').then(({ watchPower }) => watchPower(this)).catch(() => {});
    look();
    this._handle({ type: 'start' });
  }

  /** @param {any} target @param {string} type @param {() => void} listener */
  _listen(target, type, listener) {
    target?.addEventListener?.(type, listener, { signal: this._run?.signal });
  }

  /** @param {types.MachineEvent} event */
  _handle(event) {
    const commands = this._machine?.handle(event, this._platform.now() / 1000) ?? [];
    const batch = this._batches += commands.length;
    const { clearTimeout, setTimeout, storage } = this._platform;
    for (const command of commands) {
      if ('timerS' in command) {
        clearTimeout(this._timer);
        this._timer = setTimeout(() => this._handle({ type: 'timer' }), command.timerS * 1000);
      }
      if (command.do === 'send') this._send(command);
      else if (command.do === 'cancel') {
        clearTimeout(this._timer);
        this._request?.abort();
      } else if (command.do === 'deliver') this._accept(command.answer);
      else if (command.do === 'connection') this._connect(command.state, command.retryInS);
      else if (command.do === 'end') this._end(command.error && new TrackerError(command.error));
      else if (command.do === 'remember') {
        const text = JSON.stringify({ ...command.learned, savedAt: Date.now() });
        attempt(() => storage?.setItem(this._key, text)); // may be full
      }
      if (batch !== this._batches) return; // a listener stopped or paused: the rest is out of date
    }
  }

  /** @param {Extract<types.Command, {do: 'send'}>} command */
  async _send({ id, query }) {
    const { options: { token }, _platform: { fetch, navigator } } = this;
    const { signal } = this._request = new globals.AbortController();
    /** @type {types.MachineEvent} */
    let event;
    try {
      const bearer = typeof token === 'function' ? await token() : token;
      const headers = { accept: 'application/json', ...bearer && { authorization: `Bearer ${bearer}` } };
      const response = await fetch(`${this._path}?${new URLSearchParams(query)}`, { headers, signal, cache: 'no-store' });
      const date = new Date().toUTCString(); // a page cannot read that of another origin
      event = { type: 'answer', id, status: response.status, headers: { date, ...Object.fromEntries(response.headers) }, body: await response.text() };
    } catch {
      event = { type: 'failure', id, offline: navigator?.onLine === false };
    }
    if (!signal.aborted) this._handle(event);
  }

  /** @param {string} [type] */
  _changeNetwork(type) {
    if (type === this._networkType) return;
    this._networkType = type;
    this._handle({ type: 'network', learned: this._remembered() });
  }

  get _key() {
    return `ordertrack.hold:${this.options.url ?? ''}:${this._networkType ?? ''}`;
  }

  /** @returns {types.Learned | null} */
  _remembered() {
    const saved = attempt(() => JSON.parse(this._platform.storage?.getItem(this._key) ?? ''));
    return Date.now() - saved?.savedAt < WEEK_MS ? saved : null;
  }

  /** @param {types.Answer} answer */
  _accept(answer) {}

  /** @param {types.Connection} state @param {number} [retryInSeconds] */
  _connect(state, retryInSeconds) {
    this.connection = state;
    this._emit('connection', { state, retryInSeconds });
  }

  /** @param {TrackerError} [error] */
  _end(error) {
    if (!this._done) return;
    if (this._machine) this._cursor = this._machine.cursor;
    this._done = this._machine = undefined;
    this._platform.clearTimeout(this._timer);
    this._run?.abort();
    if (error) this._emit('error', { error });
    this._emit('end', { error });
    this._resolve?.(undefined);
  }

  _emit(type = '', detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Yield the details of `update`; starts tracking. */
  async *[Symbol.asyncIterator]() {
    const { iterate } = await import('./iterate.js');
    yield* iterate(this);
  }
}

/** Follows one order to its end. @extends {BaseTracker<types.OrderUpdate>} */
export class OrderTracker extends BaseTracker {
  /** The last state. @type {types.Order | null} */
  order = null;
  _isReset = false;
  /** @type {import('./orders.js').SharedOrder | undefined} */
  _shared;

  /** @param {number | string | types.LinkOptions} order id, or options with a link @param {types.OrderOptions} [options] */
  constructor(order, options = {}) {
    if (typeof order === 'object') {
      const [, link, url] = /^((https?:[^?#]+|)\/t\/[\w-]+)\/?([?#]|$)/.exec(order.link) ?? [];
      if (!link) throw new TypeError('Set link to a URL such as https://host/t/otl_...');
      super({ ...order, url }, `${link}/track`);
    } else super(options, `${baseOf(options.url)}/api/v1/orders/${order}/track`);
    this.orderId = typeof order === 'object' ? null : Number(order);
    this.addEventListener('update', ({ detail }) => this.updateOrderUI(detail.order));
  }

  /** Override it. @param {types.Order} order */
  updateOrderUI(order) {}

  stopTracking() {
    if (this._shared) this._shared.end('stopped');
    else super.stopTracking();
  }

  /** @returns {BaseTracker<any>} */
  get _source() {
    return this._shared?.feed ?? this;
  }

  _begin(isAlone = false) {
    const { _done, options: { customer } } = this;
    if (isAlone || customer === undefined) return super._begin();
    this._connect('connecting');
    import('./orders.js').then(({ SharedOrder }) => {
      if (_done === this._done) new SharedOrder(this, String(customer)).start();
    }, () => super._begin());
  }

  /** @param {TrackerError} [error] */
  _end(error) {
    if (error?.status === 401 && this.orderId === null) error.message = 'The link is wrong, revoked or expired';
    super._end(error);
  }

  /** @param {types.Answer} answer */
  _accept({ data, events = [], reset = false, reason = '' }) {
    const detail = { order: data, events, reset: reset || this._isReset, reason, first: this._isFirst };
    this._isFirst = this._isReset = false;
    this.order = data;
    this._emit('update', detail);
  }
}
