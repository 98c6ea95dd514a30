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
 */

/**
 * A learned hold: the next length, the completed holds before it grows and how many of them were seen, and the longest
 * length that was lost.
 * @typedef {{lengthS: number, needed: number, worked: number, lostS: number}} Learned
 */

/**
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
 */

/**
 * `timerS` replaces the timer: `timer` must follow after so many seconds. `cancel` ends the request and the timer.
 * @typedef {{do: 'send', id: number, query: Record<string, string>, timerS: number}
 *   | {do: 'wait' | 'check', timerS: number}
 *   | {do: 'cancel'}
 *   | {do: 'deliver', answer: Answer}
 *   | {do: 'connection', state: Connection, retryInS?: number}
 *   | {do: 'remember', learned: Learned}
 *   | {do: 'end', error?: Problem}} Command
 */

/** @typedef {'confirmed' | 'preparing' | 'ready' | 'picked_up' | 'delivered' | 'cancelled'} OrderStatus */

/**
 * A time in which the order is expected to arrive. All times are UTC, such as `2026-11-22T10:15:30.123Z`.
 * @typedef {{from: string, to: string}} ArrivalWindow
 */

/**
 * The expected arrival.
 * @typedef {object} OrderEta
 * @property {ArrivalWindow} promised given at creation; never changes
 * @property {ArrivalWindow | null} current expected now; null once the order has ended
 * @property {boolean} late the order is, or was delivered, later than promised
 */

/**
 * One line of an order.
 * @typedef {object} OrderItem
 * @property {string} name
 * @property {number} quantity
 * @property {number | null} price of one
 * @property {string | null} note null for a tracking link
 */

/**
 * One entry of an order's log. Ignore types that you do not know: later servers may have more.
 * @typedef {object} OrderEvent
 * @property {number} version
 * @property {'created' | 'status_changed' | 'reverted' | 'courier_assigned' | 'eta_changed'} type
 * @property {OrderStatus} status of the order after it
 * @property {string} at when it happened, as the client reported it
 * @property {string} recorded_at when it was recorded
 * @property {string} actor
 * @property {string | null} reason
 * @property {OrderStatus[]} [skipped] statuses that were skipped
 * @property {string} [courier_id]
 * @property {number} [undoes] the version that this event undoes
 * @property {ArrivalWindow} [eta] the expected arrival from now on
 */

/**
 * The state of an order. PROTOCOL.md says what each field means. Later servers may have more fields.
 * @typedef {object} Order
 * @property {number} id
 * @property {string | null} reference null for a tracking link
 * @property {string | null} customer_id null for a tracking link
 * @property {string} restaurant_id
 * @property {string | null} restaurant_name
 * @property {string | null} courier_id
 * @property {OrderStatus} status
 * @property {OrderItem[]} items
 * @property {number | null} total
 * @property {string | null} currency
 * @property {string | null} address null for a tracking link
 * @property {string | null} note null for a tracking link
 * @property {number} version
 * @property {string} created_at
 * @property {string} updated_at
 * @property {OrderEvent[]} timeline all events, oldest first
 * @property {{by: string, reason: string | null} | null} cancellation
 * @property {OrderEta | null} eta null when none was given at creation
 */

/**
 * The detail of `update`. `first`: the first one of this tracker. `reset`: the server's history was replaced, discard
 * what you derived from earlier updates. `order.timeline` has all events, `events` those since the last update.
 * @typedef {{order: Order, events: OrderEvent[], reset: boolean, reason: string, first: boolean}} OrderUpdate
 */

/**
 * The detail of `update` of a feed: the changed orders, and the ids of those that left it (another courier has them).
 * @typedef {{orders: Order[], left: number[], reset: boolean, reason: string, first: boolean}} OrdersUpdate
 */

/**
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
 */

/**
 * An `AbortSignal`.
 * @typedef {{readonly aborted: boolean, addEventListener(type: 'abort', listener: () => void, options?: any): void}} Signal
 */

/**
 * The options of every tracker.
 * @typedef {object} Options
 * @property {string} [url] address of the server; not needed on its own pages
 * @property {string | (() => string | Promise<string>)} [token] bearer token, or a function that is called before each request
 * @property {Mode} [mode] default `live`; `auto`: `live`, with sleep where it costs less while the device saves data or power
 * @property {Signal} [signal] stops the tracker
 * @property {Partial<Pace>} [pace] durations, for tests
 * @property {string} [clientId] a poll ends an older one with the same id; random by default
 * @property {Platform} [platform]
 */

/**
 * With `customer` all orders of that customer on a page share one poll.
 * @typedef {Options & {customer?: string | number, cursor?: string}} OrderOptions
 */

/**
 * `link`: the URL of a tracking link, such as `https://orders.example.com/t/otl_...`.
 * @typedef {Options & {link: string, customer?: undefined, cursor?: string}} LinkOptions
 */

/**
 * One of `customer`, `restaurant` and `courier`.
 * @typedef {Options & {customer?: string | number, restaurant?: string | number, courier?: string | number}} FeedOptions
 */

/**
 * The details of all events.
 * @template Detail
 * @typedef {{update: Detail, connection: {state: Connection, retryInSeconds?: number}, error: {error: import('./tracker.js').TrackerError}, end: {error?: import('./tracker.js').TrackerError}}} Details
 */

/**
 * A `CustomEvent`, without the types of browsers, which Node.js does not have.
 * @template Detail
 * @typedef {{readonly type: string, readonly detail: Detail}} TrackerEvent
 */

/**
 * `handleEvent` is a method, so that a function whose parameter is a `CustomEvent` has its type too.
 * @template Detail
 * @typedef {{handleEvent(event: TrackerEvent<Detail>): void}} Listener
 */

/**
 * The detail of `update` of a tracker, which is what iterating over it yields.
 * @template Tracker
 * @typedef {Tracker extends AsyncIterable<infer Detail> ? Detail : never} DetailOf
 */

/**
 * The type of an event's listener; any listener where a tracker is used as an `EventTarget`.
 * @template Tracker
 * @template {keyof Details<unknown>} Type
 * @typedef {unknown extends Tracker ? any : Listener<Details<DetailOf<Tracker>>[Type]>['handleEvent'] | Listener<Details<DetailOf<Tracker>>[Type]> | null} ListenerOf
 */

/**
 * An event target that knows the types of its events. It has no type parameter: tsc loses that of a base class which is cast.
 * @typedef {{
 *   addEventListener<Tracker, Type extends keyof Details<unknown>>(this: Tracker, type: Type, listener: ListenerOf<Tracker, Type>, options?: boolean | {once?: boolean, signal?: Signal}): void
 *   removeEventListener<Tracker, Type extends keyof Details<unknown>>(this: Tracker, type: Type, listener: ListenerOf<Tracker, Type>): void
 *   dispatchEvent(event: any): boolean
 * }} Target
 */

export {};
