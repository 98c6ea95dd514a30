/** The reason why a tracker was refused. `status`: HTTP status; `code`: the server's name of the error. */
export class TrackerError extends Error {
    /** @param {Problem} problem */
    constructor({ status, code, message }: Problem);
    status: number | undefined;
    code: string;
}
/**
 * Follows all orders of a customer, a restaurant or a courier with one poll. Never ends by itself.
 *
 * Events: `update`, `connection`, `error`, `end`. `orders` has the current orders by id, without ended ones.
 * @extends {BaseTracker<OrdersUpdate>}
 */
export class OrdersTracker extends BaseTracker<OrdersUpdate> {
    /** @param {FeedOptions} options */
    constructor(options: FeedOptions);
    _path: string;
    /** @type {Map<number, Order>} */
    orders: Map<number, Order>;
    /** True when all pages of the first answer have arrived. */
    isComplete: boolean;
}
/**
 * Follows one order to its end. Override `updateOrderUI`, listen to events, or iterate.
 *
 *     const tracker = new OrderTracker(101, {url: 'https://orders.example.com', token});
 *     tracker.addEventListener('update', ({detail}) => show(detail.order));
 *     tracker.startTracking();
 *
 * Events: `update`, `connection`, `error` (a refusal that a retry cannot help), `end`.
 * @extends {BaseTracker<OrderUpdate>}
 */
export class OrderTracker extends BaseTracker<OrderUpdate> {
    /**
     * @param {number | string | LinkOptions} order id of the order, or the options with a tracking link
     * @param {OrderOptions} [options] with `customer`, all orders of that customer on this page share one poll
     */
    constructor(order: number | string | LinkOptions, options?: OrderOptions);
    /** @type {number | null} */
    orderId: number | null;
    _path: string;
    /** @type {Order | null} the last state */
    order: Order | null;
    _isReset: boolean;
    /** @type {OrdersTracker | undefined} */
    _feed: OrdersTracker | undefined;
    _leave: () => void;
    /** Show an order. Override it. @param {Order} order */
    updateOrderUI(order: Order): void;
    _beginAlone(): void;
    /** @param {Order} order @param {OrderEvent[]} events @param {boolean} reset @param {string} reason */
    _deliver(order: Order, events: OrderEvent[], reset: boolean, reason: string): void;
    /** Share the poll of the customer's feed. @param {string} customer */
    _join(customer: string): void;
    /** Take this order from the feed. One that the feed does not have gets a poll of its own. @param {OrdersTracker} feed @param {OrdersUpdate} [update] */
    _receive(feed: OrdersTracker, update?: OrdersUpdate): void;
}
import type { Problem } from './types.js';
import type { OrdersUpdate } from './types.js';
/**
 * Events, start and stop, and iteration: the same for one order and for a feed.
 * @template {{reset: boolean, first: boolean}} Detail
 */
declare class BaseTracker<Detail extends {
    reset: boolean;
    first: boolean;
}> extends EventTarget {
    /** @param {Options & {cursor?: string}} options */
    constructor(options: Options & {
        cursor?: string;
    });
    options: Options & {
        cursor?: string;
    };
    /** @type {Connection} the state of the connection */
    connection: Connection;
    /** @type {Poll | undefined} */
    _poll: Poll | undefined;
    _isFirst: boolean;
    /** @type {Promise<void> | undefined} */
    _done: Promise<void> | undefined;
    /** @type {() => void} */
    _resolve: () => void;
    /**
     * @template {'update' | 'connection' | 'error' | 'end'} Type
     * @param {Type} type @param {((event: CustomEvent<Details<Detail>[Type]>) => void) | EventListenerObject | null} listener
     * @param {boolean | AddEventListenerOptions} [options]
     */
    addEventListener<Type extends "update" | "connection" | "error" | "end">(type: Type, listener: ((event: CustomEvent<Details<Detail>[Type]>) => void) | EventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
    get isTracking(): boolean;
    /** Track until the end, a stop or a refusal: then the promise resolves. @returns {Promise<void>} */
    startTracking(): Promise<void>;
    _abort: (() => void) | undefined;
    stopTracking(): void;
    /** The poll that delivers to this tracker. @returns {Poll | undefined} */
    get _source(): Poll | undefined;
    /** Send nothing until `resume`, as if the page were hidden; for apps without pages. */
    pause(): void;
    /** Poll at once after a `pause`. */
    resume(): void;
    /** Report the device's network, where the platform has no events for it. @param {boolean} isOnline @param {string} [type] such as `wifi` */
    setNetwork(isOnline: boolean, type?: string): void;
    _begin(): void;
    /** @param {string} path @param {boolean} feed @param {(answer: Answer) => void} deliver */
    _startPoll(path: string, feed: boolean, deliver: (answer: Answer) => void): void;
    /** @param {Connection} state @param {number} [retryInSeconds] */
    _connect(state: Connection, retryInSeconds?: number): void;
    /** @param {TrackerError} [error] */
    _end(error?: TrackerError): void;
    /** @param {string} type @param {object} detail */
    _emit(type: string, detail: object): void;
    /**
     * Iterate over the details of `update`; starts tracking. A slow reader gets the newest ones. Throws the `TrackerError`
     * of a refusal.
     * @returns {AsyncIterator<Detail, void>}
     */
    [Symbol.asyncIterator](): AsyncIterator<Detail, void>;
}
import type { Order } from './types.js';
import type { FeedOptions } from './types.js';
import type { OrderUpdate } from './types.js';
import type { OrderEvent } from './types.js';
import type { LinkOptions } from './types.js';
import type { OrderOptions } from './types.js';
import type { Options } from './types.js';
import type { Connection } from './types.js';
/** One loop of requests: runs a machine on a platform. */
declare class Poll {
    /**
     * @param {Options & {cursor?: string}} options
     * @param {string} path @param {boolean} feed
     * @param {{deliver(answer: Answer): void, connection(state: Connection, retryInS?: number): void, end(error?: TrackerError): void}} sink
     */
    constructor(options: Options & {
        cursor?: string;
    }, path: string, feed: boolean, sink: {
        deliver(answer: Answer): void;
        connection(state: Connection, retryInS?: number): void;
        end(error?: TrackerError): void;
    });
    options: Options & {
        cursor?: string;
    };
    platform: {
        fetch: (url: string, options: any) => Promise<any>;
        /**
         * page visibility
         */
        document: any;
        /**
         * events `pageshow`, `online`, `offline`
         */
        window: any;
        /**
         * `onLine`, `connection`, `getBattery`
         */
        navigator: any;
        /**
         * remembers learned holds
         */
        storage: {
            getItem(key: string): string | null;
            setItem(key: string, value: string): void;
        } | null;
        setTimeout: (run: () => void, ms: number) => any;
        clearTimeout: (timer: any) => void;
        /**
         * milliseconds of a clock that never goes back
         */
        now: () => number;
        random: () => number;
    };
    path: string;
    sink: {
        deliver(answer: Answer): void;
        connection(state: Connection, retryInS?: number): void;
        end(error?: TrackerError): void;
    };
    batches: number;
    /** @type {(() => void)[]} */
    cleanups: (() => void)[];
    networkType: any;
    machine: Machine;
    start(): void;
    /** @param {MachineEvent} event */
    handle(event: MachineEvent): void;
    /** @param {Command} command */
    _run(command: Command): void;
    /** @param {number} seconds */
    _timer(seconds: number): void;
    timer: any;
    /** @param {{id: number, query: Record<string, string>}} request */
    _send({ id, query }: {
        id: number;
        query: Record<string, string>;
    }): Promise<void>;
    request: AbortController | undefined;
    /** Pass the platform's hints to the machine until the end. */
    _watch(): void;
    /** Continue on another network with the hold that was learned there. @param {string} [type] */
    changeNetwork(type?: string): void;
    _watchPower(): Promise<void>;
    /** @param {any} target @param {string} type @param {() => void} listener */
    _listen(target: any, type: string, listener: () => void): void;
    get _key(): string;
    /** @returns {Learned | null} */
    _remembered(): Learned | null;
    /** @param {Learned} learned */
    _remember(learned: Learned): void;
}
import type { Details } from './types.js';
import type { Answer } from './types.js';
import { Machine } from './machine.js';
import type { MachineEvent } from './types.js';
import type { Command } from './types.js';
import type { Learned } from './types.js';
export {};
