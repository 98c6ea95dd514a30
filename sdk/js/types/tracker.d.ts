/** A refusal that a retry cannot help. */
export class TrackerError extends Error {
    /** @param {Problem} problem */
    constructor({ status, code, message }: Problem);
    status: number | undefined;
    code: string;
}
export function baseOf(url?: string): string;
declare const BaseTracker_base: new <Detail_1>() => Target<Detail_1>;
/**
 * @template {{reset: boolean, first: boolean}} Detail
 * @extends {TypedTarget<Detail>}
 */
export class BaseTracker<Detail extends {
    reset: boolean;
    first: boolean;
}> extends BaseTracker_base {
    /** @param {OrderOptions} options @param {string} path */
    constructor(options: OrderOptions, path: string);
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
    options: OrderOptions;
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
    /** The promise resolves at the end, after a stop or a refusal. @returns {Promise<void>} */
    startTracking(): Promise<void>;
    _resolve: ((value: void | PromiseLike<void>) => void) | undefined;
    _run: AbortController | undefined;
    stopTracking(): void;
    /** Send nothing until `resume`. */
    pause(): void;
    resume(): void;
    /** @param {boolean} isOnline @param {string} [type] such as `wifi` */
    setNetwork(isOnline: boolean, type?: string): void;
    /** The one that polls. @returns {BaseTracker<any>} */
    get _source(): BaseTracker<any>;
    _begin(): void;
    /** @param {any} target @param {string} type @param {() => void} listener */
    _listen(target: any, type: string, listener: () => void): void;
    /** @param {MachineEvent} event */
    _handle(event: MachineEvent): void;
    _timer: any;
    /** @param {Extract<Command, {do: 'send'}>} command */
    _send({ id, query }: Extract<Command, {
        do: "send";
    }>): Promise<void>;
    _request: AbortController | undefined;
    /** @param {string} [type] */
    _changeNetwork(type?: string): void;
    get _key(): string;
    /** @returns {Learned | null} */
    _remembered(): Learned | null;
    /** @param {Answer} answer */
    _accept(answer: Answer): void;
    /** @param {Connection} state @param {number} [retryInSeconds] */
    _connect(state: Connection, retryInSeconds?: number): void;
    /** @param {TrackerError} [error] */
    _end(error?: TrackerError): void;
    _emit(type?: string, detail?: {}): void;
    /** Yield the details of `update`; starts tracking. @returns {AsyncGenerator<Detail, void>} */
    [Symbol.asyncIterator](): AsyncGenerator<Detail, void>;
}
/** Follows one order to its end. @extends {BaseTracker<OrderUpdate>} */
export class OrderTracker extends BaseTracker<OrderUpdate> {
    /** @param {number | string | LinkOptions} order id, or the options with a tracking link @param {OrderOptions} [options] */
    constructor(order: number | string | LinkOptions, options?: OrderOptions);
    /** @type {Order | null} the last state */
    order: Order | null;
    _isReset: boolean;
    /** @type {import('./orders.js').SharedOrder | undefined} */
    _shared: import("./orders.js").SharedOrder | undefined;
    orderId: number | null;
    /** Show an order. Override it. @param {Order} order */
    updateOrderUI(order: Order): void;
    _begin(isAlone?: boolean): void;
}
import type { Problem } from './types.js';
import type { Target } from './types.js';
import type { Connection } from './types.js';
import { Machine } from './machine.js';
import type { OrderOptions } from './types.js';
import type { MachineEvent } from './types.js';
import type { Command } from './types.js';
import type { Learned } from './types.js';
import type { Answer } from './types.js';
import type { OrderUpdate } from './types.js';
import type { Order } from './types.js';
import type { LinkOptions } from './types.js';
export {};
