export function orderView(order: any, nowMs: number): types.View;
/** What a customer sees, without texts. `ordertrack/web/view.py` is the same in Python. */
/** @import * as types from './view-types.js' */
export const PROGRESSION: string[];
import type * as types from './view-types.js';
