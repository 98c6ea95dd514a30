/**
 * Yield the details of `update`. A slow reader gets the newest ones.
 * @template {{reset: boolean, first: boolean}} Detail
 * @param {BaseTracker<Detail>} tracker
 * @returns {AsyncGenerator<Detail, void>}
 */
export function iterate<Detail extends {
    reset: boolean;
    first: boolean;
}>(tracker: BaseTracker<Detail>): AsyncGenerator<Detail, void>;
import type { BaseTracker } from './tracker.js';
