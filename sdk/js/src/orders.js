/**
 * One poll for many orders: the feed of a customer, a restaurant or a courier.
 * @module
 */
import { BaseTracker, baseOf } from './tracker.js';

/** @import {Answer, Connection, FeedOptions, Options, Order, OrderEvent, OrdersUpdate} from './types.js' */

/** @param {Order} order */
const hasEnded = ({ status }) => status === 'delivered' || status === 'cancelled';

/**
 * Follows all orders of a customer, a restaurant or a courier with one poll, without end.
 * @extends {BaseTracker<OrdersUpdate>}
 */
export class OrdersTracker extends BaseTracker {
  /** @param {FeedOptions} options */
  constructor(options) {
    const { customer, restaurant, courier, url } = options;
    const party = customer !== undefined ? 'customers' : restaurant !== undefined ? 'restaurants' : 'couriers';
    const id = customer ?? restaurant ?? courier;
    if (id === undefined) throw new TypeError('Set customer, restaurant or courier');
    super(options, `${baseOf(url)}/api/v1/${party}/${encodeURIComponent(id)}/track`);
    /** The orders that have not ended, by id. @type {Map<number, Order>} */
    this.orders = new Map();
    /** True when all pages of the first answer have arrived. */
    this.isComplete = false;
    this._isReset = false;
  }

  _begin() {
    this.isComplete = false;
    this._isReset = this.orders.size > 0; // after a restart the first answer replaces what is known
    this._cursor = undefined;
    super._begin();
  }

  /** @param {Answer} answer */
  _accept({ data, left = [], more, reset = false, reason = '' }) {
    const { orders } = this;
    reset ||= this._isReset;
    if (reset) orders.clear();
    /** @type {Order[]} */
    const changed = data.orders.filter((/** @type {Order} */ order) => !(order.version < Number(orders.get(order.id)?.version)));
    for (const order of changed) orders.set(order.id, order);
    for (const id of left) orders.delete(id);
    this.isComplete = !more;
    const first = this._isFirst;
    this._isFirst = this._isReset = false;
    this._emit('update', { orders: changed, left, reset, reason, first });
    for (const order of changed) if (hasEnded(order)) orders.delete(order.id);
  }
}

/** @type {{url?: string, token: Options['token'], customer: string, feed: OrdersTracker, users: number}[]} */
const sharedFeeds = [];

/** Delivers an order of its customer's feed to a tracker. All of a customer on this page share one poll. */
export class SharedOrder {
  /** @param {import('./tracker.js').OrderTracker} tracker @param {string} customer */
  constructor(tracker, customer) {
    const { signal, cursor, ...options } = /** @type {any} */ (tracker.options);
    const { url, token } = options;
    this.tracker = tracker;
    this.entry = sharedFeeds.find((other) => other.url === url && other.token === token && other.customer === customer)
      ?? { url, token, customer, feed: new OrdersTracker({ ...options, customer }), users: 0 };
    this.feed = this.entry.feed;
    this.listeners = /** @type {[any, any][]} */ ([
      ['update', (/** @type {CustomEvent<OrdersUpdate>} */ { detail }) => this._receive(detail)],
      ['connection', (/** @type {CustomEvent} */ { detail }) => tracker._connect(detail.state, detail.retryInSeconds)],
      ['end', (/** @type {CustomEvent} */ { detail }) => {
        this._leave();
        tracker._end(detail.error);
      }],
    ]);
  }

  start() {
    const { entry, feed, tracker } = this;
    if (!entry.users++) sharedFeeds.push(entry);
    for (const [type, listener] of this.listeners) feed.addEventListener(type, listener);
    tracker._shared = this;
    if (!feed.isTracking) feed.startTracking();
    else {
      tracker._connect(feed.connection);
      this._receive();
    }
  }

  /** @param {Connection} state */
  end(state) {
    this._leave();
    this.tracker._connect(state);
    this.tracker._end();
  }

  _leave() {
    const { entry, feed, tracker } = this;
    for (const [type, listener] of this.listeners) feed.removeEventListener(type, listener);
    tracker._shared = undefined;
    if (--entry.users) return;
    sharedFeeds.splice(sharedFeeds.indexOf(entry), 1);
    feed.stopTracking();
  }

  /** Take the order from the feed. One that the feed does not have gets a poll of its own. @param {OrdersUpdate} [update] */
  _receive(update) {
    const { feed, tracker } = this;
    if (tracker._shared !== this) return; // a listener stopped it
    tracker._isReset ||= update?.reset === true && tracker.order !== null;
    const order = feed.orders.get(Number(tracker.orderId));
    const version = tracker._isReset ? 0 : tracker.order?.version ?? 0;
    if (order && order.version > version) {
      const events = order.timeline?.filter((/** @type {OrderEvent} */ event) => event.version > version);
      tracker._accept({ data: order, events, reason: update?.reason ?? 'snapshot', cursor: '' });
      if (tracker._shared === this && hasEnded(order)) this.end('ended');
    } else if (!order && feed.isComplete) {
      this._leave();
      tracker._begin(true);
    }
  }
}
