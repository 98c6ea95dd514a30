/**
 * The types of this package. Only type checkers read this file.
 * @module
 */

/**
 * Durations in seconds.
 * @typedef {object} Pace
 * @property {number} firstHoldS hold to begin with
 * @property {number} minHoldS shortest hold, unless the server's limit is lower
 * @property {number} maxHoldS longest hold
 * @property {number} marginS time that an answer may take beyond its hold
 * @property {number} backoffBaseS limit of the wait after the first failure
 * @property {number} backoffCapS limit of the wait after any failure
 * @property {number} drainSpreadS limit of the wait after a drain
 * @property {number} quickS an answer without news in less time is a failure
 *
 * A learned hold: the next length, the completed holds before it grows and how many of them were seen, and the longest
 * length that was lost.
 * @typedef {{lengthS: number, needed: number, worked: number, lostS: number}} Learned
 *
 * @typedef {'live' | 'saver' | 'auto'} Mode
 * @typedef {{mode?: Mode, cursor?: string, clientId?: string, pace?: Partial<Pace>, learned?: Learned | null}} MachineOptions
 * @typedef {'connecting' | 'live' | 'reconnecting' | 'offline' | 'paused' | 'ended' | 'stopped' | 'refused'} Connection
 * @typedef {{[name: string]: any, cursor: string, data: any, reset?: boolean, reason?: string}} Answer
 * @typedef {{status?: number, code: string, message: string}} Problem
 *
 * @typedef {{type: 'answer', id: number, status: number, headers?: Record<string, string>, body: string}} AnswerEvent
 * @typedef {{type: 'start' | 'timer' | 'hidden' | 'visible' | 'offline' | 'online' | 'stop'}
 *   | AnswerEvent
 *   | {type: 'failure', id: number, offline?: boolean}
 *   | {type: 'network', learned?: Learned | null}
 *   | {type: 'power', isLow: boolean}} MachineEvent
 *
 * `timerS` replaces the timer: `timer` must follow after so many seconds. `cancel` ends the request and the timer.
 * @typedef {{do: 'send', id: number, query: Record<string, string>, timerS: number}
 *   | {do: 'wait' | 'check', timerS: number}
 *   | {do: 'cancel'}
 *   | {do: 'deliver', answer: Answer}
 *   | {do: 'connection', state: Connection, retryInS?: number}
 *   | {do: 'remember', learned: Learned}
 *   | {do: 'end', error?: Problem}} Command
 */

/**
 * @typedef {{[name: string]: any, id: number, status: string, version: number}} Order
 * @typedef {{[name: string]: any, version: number, type: string, status: string}} OrderEvent
 *
 * The detail of `update`. `first`: the first one of this tracker. `reset`: the server's history was replaced, discard
 * what you derived from earlier updates. `order.timeline` has all events, `events` those since the last update.
 * @typedef {{order: Order, events: OrderEvent[], reset: boolean, reason: string, first: boolean}} OrderUpdate
 *
 * The detail of `update` of a feed: the changed orders, and the ids of those that left it (another courier has them).
 * @typedef {{orders: Order[], left: number[], reset: boolean, reason: string, first: boolean}} OrdersUpdate
 *
 * Replacements for globals. null switches one off.
 * @typedef {object} Platform
 * @property {(url: string, options: any) => Promise<any>} [fetch]
 * @property {any} [document] page visibility
 * @property {any} [window] events `pageshow`, `online`, `offline`
 * @property {any} [navigator] `onLine`, `connection`, `getBattery`
 * @property {{getItem(key: string): string | null, setItem(key: string, value: string): void} | null} [storage]
 *   remembers learned holds
 * @property {(run: () => void, ms: number) => any} [setTimeout]
 * @property {(timer: any) => void} [clearTimeout]
 * @property {() => number} [now] milliseconds of a clock that never goes back
 * @property {() => number} [random]
 *
 * @typedef {object} Options
 * @property {string} [url] address of the server; not needed on its own pages
 * @property {string | (() => string | Promise<string>)} [token] bearer token, or a function that is called before each request
 * @property {Mode} [mode] default `live`; `auto`: `live`, with sleep where it costs less while the device saves data or power
 * @property {AbortSignal} [signal] stops the tracker
 * @property {Partial<Pace>} [pace] durations, for tests
 * @property {string} [clientId] a poll ends an older one with the same id; random by default
 * @property {Platform} [platform]
 *
 * With `customer` all orders of that customer on a page share one poll.
 * @typedef {Options & {customer?: string | number, cursor?: string}} OrderOptions
 * @typedef {Options & {link: string, customer?: undefined, cursor?: string}} LinkOptions
 * @typedef {Options & {customer?: string | number, restaurant?: string | number, courier?: string | number}} FeedOptions
 */

/**
 * The details of all events.
 * @template Detail
 * @typedef {{update: Detail, connection: {state: Connection, retryInSeconds?: number}, error: {error: import('./tracker.js').TrackerError}, end: {error?: import('./tracker.js').TrackerError}}} Details
 */

/**
 * An event target that knows the types of its events.
 * @template Detail
 * @typedef {{
 *   addEventListener<Type extends keyof Details<Detail>>(type: Type, listener: ((event: CustomEvent<Details<Detail>[Type]>) => void) | EventListenerObject | null, options?: boolean | AddEventListenerOptions): void
 *   removeEventListener<Type extends keyof Details<Detail>>(type: Type, listener: ((event: CustomEvent<Details<Detail>[Type]>) => void) | EventListenerObject | null): void
 *   dispatchEvent(event: Event): boolean
 * }} Target
 */

export {};
