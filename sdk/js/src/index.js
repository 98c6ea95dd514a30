export { OrderTracker, TrackerError } from './tracker.js';
export { OrdersTracker } from './orders.js';

/**
 * @typedef {import('./types.js').Order} Order
 * @typedef {import('./types.js').OrderEvent} OrderEvent
 * @typedef {import('./types.js').OrderUpdate} OrderUpdate
 * @typedef {import('./types.js').OrdersUpdate} OrdersUpdate
 * @typedef {import('./types.js').Options} Options
 * @typedef {import('./types.js').Platform} Platform
 * @typedef {import('./types.js').Connection} Connection
 */
