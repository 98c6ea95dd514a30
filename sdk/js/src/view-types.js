/**
 * The types of views and their texts. Only type checkers read this file. Times are milliseconds since 1970.
 * @module
 */

/**
 * @typedef {{from: number, to: number}} Span
 */

/**
 * `state`: `done`, `current`, `next` or `skipped`.
 * @typedef {{status: string, state: string, at: number | null}} Step
 */

/**
 * `params` are statuses; `reason` is free text.
 * @typedef {{key: string, params: Record<string, string>, reason: string | null}} Notice
 */

/**
 * `due`: shortly after its window an order on its way is expected any moment.
 * `span` until the order has arrived, then `at`; `planned` is null unless the order is late or some minutes behind it.
 * @typedef {{state: 'expected' | 'due' | 'overdue' | 'arrived', span: Span | null, at: number | null, planned: Span | null, late: boolean}} Arrival
 */

/**
 * What a customer sees.
 * @typedef {object} View
 * @property {string} status
 * @property {string} headline
 * @property {Step[]} steps
 * @property {Arrival | null} eta
 * @property {Notice[]} notices
 * @property {number} updated
 * @property {boolean} ended
 */

/**
 * The events of an order: when each status was reached, without undone ones; the latest event that set a status and the
 * status before it; the number of known assignments of couriers.
 * @typedef {{reached: Record<string, number>, last: any, before: string, couriers: number}} Log
 */

/**
 * `words`: the table of the language; `tag`: the language as the device prefers it, with the digits of all pages:
 * `en-GB-u-nu-latn`. `ago` is empty below one minute. `span` writes two times over midnight, as `formatRange` would write both dates.
 * @typedef {object} Format
 * @property {any} words
 * @property {string} tag
 * @property {(ms: number, nowMs: number) => string} time
 * @property {(span: Span, nowMs: number) => string} span
 * @property {(ms: number, nowMs: number) => string} ago
 */

// The functions of `view.js`. An order is as the server sends it; unknown statuses and event types are tolerated.

/**
 * @typedef {(order: any, nowMs: number) => View} OrderView
 * @typedef {(events: any[]) => Log} ReadLog
 * @typedef {(status: string, log: Log) => Step[]} ReadSteps
 * @typedef {(order: any, log: Log, nowMs: number) => Arrival | null} ReadEta
 * @typedef {(span: {from: string, to: string}) => Span} ReadSpan
 * @typedef {(order: any, log: Log, eta: Arrival | null, ended: boolean) => Notice[]} ReadNotices
 * @typedef {[key: string, reason?: string | null, params?: Record<string, string>]} AddNotice
 */

// The functions of `stepper.js`.

/**
 * @typedef {(words: any, language: string) => Format} MakeFormat
 */

/**
 * Replaces placeholders such as `{ago}`.
 * @typedef {(text: string, values: Record<string, string>) => string} Fill
 */

/**
 * @typedef {(tag: string, className: string, ...children: (string | Node)[]) => HTMLElement} Make
 * @typedef {(name: string) => Element} MakeIcon
 * @typedef {(heading: string) => HTMLElement} MakeSkeleton
 */

/**
 * Keeps children that are the same: a live region stays silent.
 * @typedef {(element: Element, ...children: (string | Node)[]) => void} SetContent
 */

/**
 * @typedef {(root: ParentNode, view: View, format: Format, nowMs: number) => void} DrawView
 * @typedef {(name: string, ...children: (string | Node)[]) => DOMStringMap} Draw
 */

/**
 * `seenMs`: when the state was last known to be current.
 * @typedef {(line: HTMLElement, connection: string, view: Pick<View, 'updated' | 'ended'> | null, seenMs: number, format: Format, nowMs: number) => void} DrawConnection
 */

/**
 * The text for a live region.
 * @typedef {(view: View, format: Format, nowMs: number) => string} Announcement
 */

/**
 * @typedef {(status: string, words: any) => string} StepLabel
 * @typedef {(notice: Notice, words: any) => string} NoticeText
 */

export {};
