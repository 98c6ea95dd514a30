/**
 * What a customer sees of an order, as a value without any formatted text. `ordertrack/web/view.py` is the same
 * function in Python; `sdk/vectors/view` holds both.
 */

/** @import {Arrival, Log, Notice, Span, Step, View} from './view-types.js' */

export const PROGRESSION = ['confirmed', 'preparing', 'ready', 'picked_up', 'delivered'];

/**
 * @param {any} order as the server sends it; unknown statuses and event types are tolerated
 * @param {number} nowMs
 * @returns {View}
 */
export function orderView(order, nowMs) {
  const { status } = order;
  const log = readLog(order.timeline);
  const number = PROGRESSION.indexOf(status) + 1;
  const ended = status === 'delivered' || status === 'cancelled';
  const eta = arrival(order, log, nowMs);
  return {
    status,
    headline: number || ended ? status : 'unknown',
    steps: steps(status, log),
    number: number || null,
    of: PROGRESSION.length,
    eta,
    notices: notices(order, log, eta, ended),
    updated: Date.parse(order.updated_at),
    ended,
  };
}

/** @param {any[]} events */
function readLog(events) {
  /** @type {Log} */
  const log = { reached: {}, last: null, before: '', couriers: 0 };
  for (const { type, status, at, courier_id: courier, reason } of events) {
    if (type === 'courier_assigned' || (type === 'created' && courier)) log.couriers += 1;
    if (!['created', 'status_changed', 'reverted'].includes(type)) continue;
    log.before = log.last?.status;
    log.last = { type, status, reason };
    if (type === 'reverted') {
      for (const undone of ['cancelled', ...PROGRESSION.slice(PROGRESSION.indexOf(status) + 1)]) delete log.reached[undone];
      if (log.reached[status]) continue;
    }
    log.reached[status] = Date.parse(at);
  }
  return log;
}

/** @param {string} status @param {Log} log @returns {Step[]} */
function steps(status, { reached }) {
  const index = PROGRESSION.indexOf(status);
  const furthest = Math.max(...PROGRESSION.map((step, i) => (i === index || reached[step] ? i : -1)));
  const all = PROGRESSION.map((step, i) => {
    const isCurrent = i === index && step !== 'delivered';
    const state = isCurrent ? 'current' : i > furthest ? 'next' : reached[step] ? 'done' : 'skipped';
    return /** @type {Step} */ ({ status: step, state, at: reached[step] ?? null });
  });
  if (index < 0) all.splice(furthest + 1, status === 'cancelled' ? 5 : 0, { status, state: 'current', at: reached[status] ?? null });
  return all;
}

/** @param {any} order @param {Log} log @param {number} nowMs @returns {Arrival | null} */
function arrival({ status, eta }, { reached }, nowMs) {
  if (!eta || status === 'cancelled') return null;
  const { late } = eta;
  const promised = readSpan(eta.promised);
  if (status === 'delivered') return { state: 'arrived', span: null, at: reached.delivered, planned: promised, late };
  const span = readSpan(eta.current ?? eta.promised);
  const isSame = minute(span.from) === minute(promised.from) && minute(span.to) === minute(promised.to);
  return { state: nowMs > span.to ? 'overdue' : 'expected', span, at: null, planned: isSame ? null : promised, late };
}

/** @param {{from: string, to: string}} span @returns {Span} */
const readSpan = ({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) });

/** @param {number} ms */
const minute = (ms) => Math.floor(ms / 60000);

/** @param {any} order @param {Log} log @param {Arrival | null} eta @param {boolean} ended */
function notices({ status, cancellation }, { reached, last, before, couriers }, eta, ended) {
  /** @type {Notice[]} */
  const found = [];
  /** @param {string} key @param {string | null} [reason] @param {Record<string, string>} [params] */
  const add = (key, reason, params = {}) => found.push({ key, params, reason: reason || null });
  if (status === 'cancelled') {
    const [role] = cancellation.by.split(':');
    add(`cancelled_${['restaurant', 'customer', 'courier'].includes(role) ? role : 'other'}`, cancellation.reason);
    if (reached.picked_up) add('was_picked_up');
    if (role !== 'customer') add('contact');
  }
  if (last.type === 'reverted') {
    if (before === 'cancelled') add('restored', last.reason);
    else add('undone', last.reason, { undone: before, to: last.status });
  }
  if (couriers > 1 && !ended) add('courier_replaced');
  if (eta?.state === 'overdue') add('overdue');
  else if (eta?.late) add(ended ? 'delivered_late' : 'late');
  return found;
}
