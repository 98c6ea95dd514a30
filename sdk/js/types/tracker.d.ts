/** A refusal that a retry cannot help. `status`: of HTTP; `code`: the server's name of the error. */
export class TrackerError extends Error {
    /** @param {Problem} problem */
    constructor({ status, code, message }: Problem);
    status: number | undefined;
    code: string;
}
export function baseOf(url?: string): string;
declare const BaseTracker_base: new <Detail_1>() => Target<Detail_1>;
/**
 * What all trackers have: events, start and stop, iteration.
 * @template {{reset: boolean, first: boolean}} Detail
 * @extends {TypedTarget<Detail>}
 */
export class BaseTracker<Detail extends {
    reset: boolean;
    first: boolean;
}> extends BaseTracker_base {
    /** @param {Options & {cursor?: string}} options @param {string} path */
    constructor(options: Options & {
        cursor?: string;
    }, path: string);
    /** @type {Connection} */
    connection: Connection;
    /** @type {Machine | undefined} */
    _machine: Machine | undefined;
    /** @type {Promise<void> | undefined} */
    _done: Promise<void> | undefined;
    /** @type {string | undefined} */
    _networkType: string | undefined;
    _isFirst: boolean;
    _batches: number;
    options: Options & {
        cursor?: string;
    };
    _path: string;
    _cursor: string | undefined;
    _platform: {
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
    get isTracking(): boolean;
    /** Track until the end, a stop or a refusal; then the promise resolves. @returns {Promise<void>} */
    startTracking(): Promise<void>;
    _resolve: ((value: void | PromiseLike<void>) => void) | undefined;
    _run: AbortController | undefined;
    stopTracking(): void;
    /** Send nothing until `resume`, as while a page is hidden. */
    pause(): void;
    /** Poll at once after a `pause`. */
    resume(): void;
    /** Report the device's network where the platform has no events for it. @param {boolean} isOnline @param {string} [type] such as `wifi` */
    setNetwork(isOnline: boolean, type?: string): void;
    /** The tracker that polls for this one. @returns {BaseTracker<any>} */
    get _source(): BaseTracker<any>;
    _begin(): void;
    /** Listen until the end of this run. @param {any} target @param {string} type @param {() => void} listener */
    _listen(target: any, type: string, listener: () => void): void;
    /** @param {MachineEvent} event */
    _handle(event: MachineEvent): void;
    /** @param {Command} command */
    _execute(command: Command): void;
    _timer: any;
    /** @param {{id: number, query: Record<string, string>}} command */
    _send({ id, query }: {
        id: number;
        query: Record<string, string>;
    }): Promise<void>;
    _request: AbortController | undefined;
    /** Continue with the hold that was learned on this network. @param {string} [type] */
    _changeNetwork(type?: string): void;
    get _key(): string;
    /** @returns {Learned | null} */
    _remembered(): Learned | null;
    /** @param {Answer} answer */
    _accept(answer: Answer): void;
    /** @param {Connection} state @param {number} [retryInSeconds] */
    _connect(state: Connection, retryInSeconds?: number): void;
    /** @param {Connection} state */
    _close(state: Connection): void;
    /** @param {TrackerError} [error] */
    _end(error?: TrackerError): void;
    /** @param {string} type @param {object} detail */
    _emit(type: string, detail: object): void;
    /** Yield the details of `update`; starts tracking. A slow reader gets the newest ones. @returns {AsyncGenerator<Detail, void>} */
    [Symbol.asyncIterator](): AsyncGenerator<Detail, void>;
}
/**
 * Follows one order to its end. Override `updateOrderUI`, listen to events, or iterate.
 * @extends {BaseTracker<OrderUpdate>}
 */
export class OrderTracker extends BaseTracker<OrderUpdate> {
    /**
     * @param {number | string | LinkOptions} order id of the order, or the options with a tracking link
     * @param {OrderOptions} [options] with `customer` all orders of that customer on this page share one poll
     */
    constructor(order: number | string | LinkOptions, options?: OrderOptions);
    /** @type {Order | null} the last state */
    order: Order | null;
    _isReset: boolean;
    /** @type {import('./orders.js').SharedOrder | undefined} */
    _shared: import("./orders.js").SharedOrder | undefined;
    orderId: number | null;
    /** Show an order. Override it. @param {Order} order */
    updateOrderUI(order: Order): void;
    /** Track with a poll of its own. */
    _beginAlone(): void;
}
import type { Problem } from './types.js';
import type { Target } from './types.js';
import type { Connection } from './types.js';
import { Machine } from './machine.js';
import type { Options } from './types.js';
import type { MachineEvent } from './types.js';
import type { Command } from './types.js';
import type { Learned } from './types.js';
import type { Answer } from './types.js';
import type { OrderUpdate } from './types.js';
import type { Order } from './types.js';
import type { LinkOptions } from './types.js';
import type { OrderOptions } from './types.js';
export {};
