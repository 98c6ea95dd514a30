/**
 * Follows all orders of a customer, a restaurant or a courier with one poll, without end.
 * @extends {BaseTracker<OrdersUpdate>}
 */
export class OrdersTracker extends BaseTracker<OrdersUpdate> {
    /** @param {FeedOptions} options */
    constructor(options: FeedOptions);
    /** The orders that have not ended, by id. @type {Map<number, Order>} */
    orders: Map<number, Order>;
    /** True when all pages of the first answer have arrived. */
    isComplete: boolean;
    _isReset: boolean;
}
/** Delivers an order of its customer's feed to a tracker. All of a customer on this page share one poll. */
export class SharedOrder {
    /** @param {import('./tracker.js').OrderTracker} tracker @param {string} customer */
    constructor(tracker: import("./tracker.js").OrderTracker, customer: string);
    tracker: import("./tracker.js").OrderTracker;
    entry: {
        url?: string;
        token: Options["token"];
        customer: string;
        feed: OrdersTracker;
        users: number;
    } | {
        url: any;
        token: any;
        customer: string;
        feed: OrdersTracker;
        users: number;
    };
    feed: OrdersTracker;
    listeners: [any, any][];
    start(): void;
    /** @param {Connection} state */
    end(state: Connection): void;
    _leave(): void;
    /** Take the order from the feed. One that the feed does not have gets a poll of its own. @param {OrdersUpdate} [update] */
    _receive(update?: OrdersUpdate): void;
}
import type { OrdersUpdate } from './types.js';
import { BaseTracker } from './tracker.js';
import type { Order } from './types.js';
import type { FeedOptions } from './types.js';
import type { Options } from './types.js';
import type { Connection } from './types.js';
