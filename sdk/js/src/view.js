/**
 * What a customer sees of an order, as a value without any formatted text. `ordertrack/web/view.py` is the same
 * function in Python; `sdk/vectors/view` holds both. Times are milliseconds since 1970.
 */

export const PROGRESSION = ['confirmed', 'preparing', 'ready', 'picked_up', 'delivered'];

/** Roles with a sentence of their own for a cancellation. */
const CANCELLING_ROLES = ['restaurant', 'customer', 'courier'];

/**
 * @typedef {{from: number, to: number}} Span
 * @typedef {{status: string, state: 'done'|'current'|'next'|'skipped', at: number|null}} Step
 * @typedef {{key: string, params: Record<string, string>, reason: string|null}} Notice `params` are statuses
 * @typedef {{state: 'expected'|'overdue'|'arrived', span: Span|null, at: number|null, planned: Span|null,
 *   late: boolean}} Arrival `planned` is null while it is the same as `span`
 * @typedef {{status: string, headline: string, steps: Step[], number: number|null, of: number, eta: Arrival|null,
 *   notices: Notice[], updated: number, ended: boolean}} View `number` is null outside of the progression
 */

/**
 * @param {any} order the order as the server sends it; unknown statuses and event types are tolerated
 * @param {number} nowMs
 * @returns {View}
 */
export function orderView(order, nowMs) {
  const status = order.status;
  const log = readLog(order.timeline);
  const ended = status === 'delivered' || status === 'cancelled';
  const eta = arrival(order, log.reached, nowMs);
  const number = PROGRESSION.indexOf(status) + 1;
  return {
    status,
    headline: number || status === 'cancelled' ? status : 'unknown',
    steps: steps(status, log),
    number: number || null,
    of: PROGRESSION.length,
    eta,
    notices: notices(order, log, eta, ended),
    updated: Date.parse(order.updated_at),
    ended,
  };
}

/**
 * Fold the events: the time at which each status was reached, without undone ones.
 * @param {any[]} events
 * @typedef {{reached: Map<string, number>, last: any, before: string, couriers: number}} Log `last` is the latest event
 *   that set a status, `before` the status before it; `couriers` counts the known assignments
 * @returns {Log}
 */
function readLog(events) {
  const log = { reached: new Map(), last: null, before: '', couriers: 0 };
  for (const event of events) {
    if (event.type === 'courier_assigned' || (event.type === 'created' && event.courier_id)) log.couriers += 1;
    if (!['created', 'status_changed', 'reverted'].includes(event.type)) continue;
    log.before = log.last?.status ?? '';
    log.last = event;
    const at = Date.parse(event.at);
    if (event.type === 'reverted') {
      log.reached.delete('cancelled');
      for (const later of PROGRESSION.slice(PROGRESSION.indexOf(event.status) + 1)) log.reached.delete(later);
      if (log.reached.has(event.status)) continue;
    }
    log.reached.set(event.status, at);
  }
  return log;
}

/**
 * @param {string} status
 * @param {Log} log
 * @returns {Step[]}
 */
function steps(status, { reached }) {
  const index = PROGRESSION.indexOf(status);
  const furthest = Math.max(index, ...PROGRESSION.map((step, i) => (reached.has(step) ? i : -1)));
  const all = PROGRESSION.map((step, i) => {
    const at = reached.get(step) ?? null;
    if (i === index) return makeStep(step, step === 'delivered' ? 'done' : 'current', at);
    if (i > furthest) return makeStep(step, 'next', null);
    return makeStep(step, at === null ? 'skipped' : 'done', at);
  });
  if (index >= 0) return all;
  const current = makeStep(status, 'current', reached.get(status) ?? null);
  const rest = status === 'cancelled' ? [] : all.slice(furthest + 1);
  return [...all.slice(0, furthest + 1), current, ...rest];
}

/**
 * @param {string} status
 * @param {Step['state']} state
 * @param {number|null} at
 * @returns {Step}
 */
function makeStep(status, state, at) {
  return { status, state, at };
}

/**
 * @param {any} order
 * @param {Map<string, number>} reached
 * @param {number} nowMs
 * @returns {Arrival|null}
 */
function arrival(order, reached, nowMs) {
  if (!order.eta || order.status === 'cancelled') return null;
  const promised = readSpan(order.eta.promised);
  const late = order.eta.late;
  if (order.status === 'delivered') {
    const at = reached.get('delivered') ?? Date.parse(order.updated_at);
    return { state: 'arrived', span: null, at, planned: promised, late };
  }
  const span = readSpan(order.eta.current ?? order.eta.promised);
  const state = nowMs > span.to ? 'overdue' : 'expected';
  return { state, span, at: null, planned: sameMinutes(span, promised) ? null : promised, late };
}

/**
 * @param {{from: string, to: string}} span
 * @returns {Span}
 */
function readSpan(span) {
  return { from: Date.parse(span.from), to: Date.parse(span.to) };
}

/**
 * @param {Span} one
 * @param {Span} other
 */
function sameMinutes(one, other) {
  return minute(one.from) === minute(other.from) && minute(one.to) === minute(other.to);
}

/** @param {number} ms */
function minute(ms) {
  return Math.floor(ms / 60000);
}

/**
 * @param {any} order
 * @param {Log} log
 * @param {Arrival|null} eta
 * @param {boolean} ended
 * @returns {Notice[]}
 */
function notices(order, { reached, last, before, couriers }, eta, ended) {
  /** @type {Notice[]} */
  const found = [];
  /**
   * @param {string} key
   * @param {string|null} [reason]
   * @param {Record<string, string>} [params]
   */
  const add = (key, reason, params) => found.push({ key, params: params ?? {}, reason: reason || null });
  if (order.status === 'cancelled') {
    const role = String(order.cancellation?.by ?? '').split(':')[0];
    add(`cancelled_${CANCELLING_ROLES.includes(role) ? role : 'other'}`, order.cancellation?.reason);
    if (reached.has('picked_up')) add('was_picked_up');
    if (role !== 'customer') add('contact');
  }
  if (last?.type === 'reverted') {
    if (before === 'cancelled') add('restored', last.reason);
    else add('undone', last.reason, { undone: before, to: last.status });
  }
  if (couriers > 1 && !ended) add('courier_replaced');
  if (eta?.state === 'overdue') add('overdue');
  else if (eta?.late) add(ended ? 'delivered_late' : 'late');
  return found;
}
