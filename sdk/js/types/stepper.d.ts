export function makeFormat(words: any, language: string): types.Format;
export function make(tag: string, className: string, ...children: (string | Node)[]): HTMLElement;
export function makeIcon(name: string): Element;
export function setContent(element: Element, ...children: (string | Node)[]): void;
export function drawView(root: ParentNode, view: types.View, format: types.Format, nowMs: number): void;
export function drawConnection(line: HTMLElement, connection: string, view: Pick<types.View, "updated" | "ended"> | null, seenMs: number, format: types.Format, nowMs: number): void;
export function announcement(view: types.View, format: types.Format, nowMs: number): string;
/** @type {types.Fill} */
export const fill: types.Fill;
/** @type {types.MakeSkeleton} */
export const makeSkeleton: types.MakeSkeleton;
import type * as types from './view-types.js';
