export { OrderTracker, TrackerError } from './tracker.js';
export { OrdersTracker } from './orders.js';

/**
 * @typedef {import('./types.js').ArrivalWindow} ArrivalWindow
 * @typedef {import('./types.js').Connection} Connection
 * @typedef {import('./types.js').FeedOptions} FeedOptions
 * @typedef {import('./types.js').LinkOptions} LinkOptions
 * @typedef {import('./types.js').Options} Options
 * @typedef {import('./types.js').Order} Order
 * @typedef {import('./types.js').OrderEta} OrderEta
 * @typedef {import('./types.js').OrderEvent} OrderEvent
 * @typedef {import('./types.js').OrderItem} OrderItem
 * @typedef {import('./types.js').OrderOptions} OrderOptions
 * @typedef {import('./types.js').OrderStatus} OrderStatus
 * @typedef {import('./types.js').OrderUpdate} OrderUpdate
 * @typedef {import('./types.js').OrdersUpdate} OrdersUpdate
 * @typedef {import('./types.js').Platform} Platform
 */
