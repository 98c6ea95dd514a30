/**
 * @param {any} order as the server sends it; unknown statuses and event types are tolerated
 * @param {number} nowMs
 * @returns {View}
 */
export function orderView(order: any, nowMs: number): View;
/**
 * What a customer sees of an order, as a value without any formatted text. `ordertrack/web/view.py` is the same
 * function in Python; `sdk/vectors/view` holds both.
 */
/** @import {Arrival, Log, Notice, Span, Step, View} from './view-types.js' */
export const PROGRESSION: string[];
import type { View } from './view-types.js';
