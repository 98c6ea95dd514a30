export function orderView(order: any, nowMs: number): types.View;
export const PROGRESSION: string[];
import type * as types from './view-types.js';
