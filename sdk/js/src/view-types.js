/**
 * The types of views and their texts. Only type checkers read this file. Times are milliseconds since 1970.
 * @module
 */

/**
 * @typedef {{from: number, to: number}} Span
 * @typedef {{status: string, state: 'done' | 'current' | 'next' | 'skipped', at: number | null}} Step
 *
 * `params` are statuses; `reason` is free text.
 * @typedef {{key: string, params: Record<string, string>, reason: string | null}} Notice
 *
 * `span` until the order has arrived, then `at`; `planned` is null while it is the same as `span`.
 * @typedef {{state: 'expected' | 'overdue' | 'arrived', span: Span | null, at: number | null, planned: Span | null, late: boolean}} Arrival
 *
 * What a customer sees. `number` of the current step, null outside of the progression.
 * @typedef {object} View
 * @property {string} status
 * @property {string} headline
 * @property {Step[]} steps
 * @property {number | null} number
 * @property {number} of
 * @property {Arrival | null} eta
 * @property {Notice[]} notices
 * @property {number} updated
 * @property {boolean} ended
 *
 * The events of an order: when each status was reached, without undone ones; the latest event that set a status and the
 * status before it; the number of known assignments of couriers.
 * @typedef {{reached: Record<string, number>, last: any, before: string, couriers: number}} Log
 *
 * @typedef {ReturnType<typeof import('./format.js').makeFormat>} Format
 */

export {};
