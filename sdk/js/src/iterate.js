/**
 * Asynchronous iteration over a tracker; loaded when it is used.
 * @module
 */

/** @import {BaseTracker} from './tracker.js' */

const MAX_BUFFERED = 16;

/**
 * Yield the details of `update`. A slow reader gets the newest ones.
 * @template {{reset: boolean, first: boolean}} Detail
 * @param {BaseTracker<Detail>} tracker
 * @returns {AsyncGenerator<Detail, void>}
 */
export async function* iterate(tracker) {
  /** @type {any[]} */
  const events = [];
  /** @type {(value?: any) => void} */
  let wake = () => {};
  const listener = (/** @type {any} */ { type, detail }) => {
    events.push({ type, detail: { ...detail } });
    if (type === 'update' && events.length > MAX_BUFFERED && events.shift().detail.reset) events[0].detail.reset = true;
    wake();
  };
  tracker.addEventListener('update', listener);
  tracker.addEventListener('end', listener);
  const isOwner = !tracker.isTracking;
  try {
    tracker.startTracking();
    for (;;) {
      if (!events.length) await new Promise((resolve) => { wake = resolve; });
      const { type, detail } = events.shift();
      if (type === 'update') yield detail;
      else if (detail.error) throw detail.error;
      else return;
    }
  } finally {
    tracker.removeEventListener('update', listener);
    tracker.removeEventListener('end', listener);
    if (isOwner) tracker.stopTracking();
  }
}
