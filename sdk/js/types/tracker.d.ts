/** A refusal that a retry cannot help. */
export class TrackerError extends Error {
    /** @param {types.Problem} problem */
    constructor({ status, code, message }: types.Problem);
    status: number | undefined;
    code: string;
}
export function baseOf(url?: string): string;
declare const BaseTracker_base: new () => types.Target;
/** @template {{reset: boolean, first: boolean}} Detail */
export class BaseTracker<Detail extends {
    reset: boolean;
    first: boolean;
}> extends BaseTracker_base {
    /** @param {types.OrderOptions} options @param {string} path */
    constructor(options: types.OrderOptions, path: string);
    /** @type {types.Connection} */
    connection: types.Connection;
    /** @type {Machine | undefined} */
    _machine: Machine | undefined;
    /** @type {Promise<void> | undefined} */
    _done: Promise<void> | undefined;
    /** @type {string | undefined} */
    _networkType: string | undefined;
    _isFirst: boolean;
    _batches: number;
    options: types.OrderOptions;
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
    _run: any;
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
    /** @param {types.MachineEvent} event */
    _handle(event: types.MachineEvent): void;
    _timer: any;
    /** @param {Extract<types.Command, {do: 'send'}>} command */
    _send({ id, query }: Extract<types.Command, {
        do: "send";
    }>): Promise<void>;
    _request: any;
    /** @param {string} [type] */
    _changeNetwork(type?: string): void;
    get _key(): string;
    /** @returns {types.Learned | null} */
    _remembered(): types.Learned | null;
    /** @param {types.Answer} answer */
    _accept(answer: types.Answer): void;
    /** @param {types.Connection} state @param {number} [retryInSeconds] */
    _connect(state: types.Connection, retryInSeconds?: number): void;
    /** @param {TrackerError} [error] */
    _end(error?: TrackerError): void;
    _emit(type?: string, detail?: {}): void;
    /** Yield the details of `update`; starts tracking. */
    [Symbol.asyncIterator](): AsyncGenerator<Detail, void, any>;
}
/** Follows one order to its end. @extends {BaseTracker<types.OrderUpdate>} */
export class OrderTracker extends BaseTracker<types.OrderUpdate> {
    /** @param {number | string | types.LinkOptions} order id, or options with a link @param {types.OrderOptions} [options] */
    constructor(order: number | string | types.LinkOptions, options?: types.OrderOptions);
    /** The last state. @type {types.Order | null} */
    order: types.Order | null;
    _isReset: boolean;
    /** @type {import('./orders.js').SharedOrder | undefined} */
    _shared: import("./orders.js").SharedOrder | undefined;
    orderId: number | null;
    /** Override it. @param {types.Order} order */
    updateOrderUI(order: types.Order): void;
    _begin(isAlone?: boolean): void;
}
import type * as types from './types.js';
import { Machine } from './machine.js';
export {};
