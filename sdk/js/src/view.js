/** What a customer sees, without texts. `ordertrack/web/view.py` is the same in Python. */

/** @import * as types from './view-types.js' */

const SHORT_DELAY_MS = 300000;
export const PROGRESSION = ['confirmed', 'preparing', 'ready', 'picked_up', 'delivered'];

/** @type {types.OrderView} */
export function orderView(order, nowMs) {
  const { status, timeline } = order;
  const log = readLog(timeline);
  const ended = ['delivered', 'cancelled'].includes(status);
  const eta = readEta(order, log, nowMs);
  return {
    status,
    headline: ended || PROGRESSION.includes(status) ? status : 'unknown',
    steps: readSteps(status, log),
    eta,
    notices: readNotices(order, log, eta, ended),
    updated: Date.parse(order.updated_at),
    ended,
  };
}

/** @type {types.ReadLog} */
function readLog(events) {
  const log = /** @type {types.Log} */ ({ reached: {}, couriers: 0 });
  const { reached } = log;
  for (const event of events) {
    const { type, status, at } = event;
    if (type === 'courier_assigned' || (type === 'created' && event.courier_id !== undefined)) log.couriers += 1;
    if (!['created', 'status_changed', 'reverted'].includes(type)) continue;
    log.before = log.last?.status;
    log.last = event;
    if (type === 'reverted') {
      for (const undone of ['cancelled', ...PROGRESSION.slice(PROGRESSION.indexOf(status) + 1)]) delete reached[undone];
      if (reached[status]) continue;
    }
    reached[status] = Date.parse(at);
  }
  return log;
}

/** @type {types.ReadSteps} */
function readSteps(status, { reached }) {
  const index = PROGRESSION.indexOf(status);
  const furthest = Math.max(...PROGRESSION.map((step, i) => (i === index || reached[step] ? i : -1)));
  const steps = PROGRESSION.map((step, i) => {
    const state = i > furthest ? 'next' : reached[step] ? 'done' : 'skipped';
    return { status: step, state: i === index && step !== 'delivered' ? 'current' : state, at: reached[step] ?? null };
  });
  const current = { status, state: 'current', at: reached[status] ?? null };
  if (index < 0) steps.splice(furthest + 1, status === 'cancelled' ? 5 : 0, current);
  return steps;
}

/** @type {types.ReadEta} */
function readEta({ status, eta }, { reached }, nowMs) {
  if (!eta || status === 'cancelled') return null;
  const { late } = eta;
  const promised = readSpan(eta.promised);
  const span = status === 'delivered' ? null : readSpan(eta.current ?? eta.promised);
  const end = span?.to ?? reached.delivered;
  const isNear = status === 'picked_up' && !late && nowMs <= end + SHORT_DELAY_MS;
  const state = !span ? 'arrived' : nowMs <= end ? 'expected' : isNear ? 'due' : 'overdue';
  const planned = late || end > promised.to + SHORT_DELAY_MS ? promised : null;
  return { state, span, at: span ? null : end, planned, late };
}

/** @type {types.ReadSpan} */
const readSpan = ({ from, to }) => ({ from: Date.parse(from), to: Date.parse(to) });

/** @type {types.ReadNotices} */
function readNotices({ status, cancellation }, { reached, last, before, couriers }, eta, ended) {
  const notices = /** @type {types.Notice[]} */ ([]);
  const add = (/** @type {types.AddNotice} */ ...[key, reason, params = {}]) =>
    notices.push({ key, params, reason: reason || null });
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
  if (eta?.state === 'due' || eta?.state === 'overdue') add(eta.state);
  else if (eta?.late) add(ended ? 'delivered_late' : 'late');
  return notices;
}
