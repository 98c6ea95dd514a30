/** @import {Arrival, Format, Notice, Span, Step, View} from './view-types.js' */
/** Make an element. @param {string} tag @param {string} className @param {...(string | Node)} children */
export function make(tag: string, className: string, ...children: (string | Node)[]): HTMLElement;
/** @param {string} name */
export function makeIcon(name: string): SVGElement;
/** @param {Element} element @param {string} text */
export function setText(element: Element, text: string): void;
/** @param {ParentNode} root @param {View} view @param {Format} format @param {number} nowMs */
export function drawView(root: ParentNode, view: View, format: Format, nowMs: number): void;
/** Return the view in one paragraph, for a live region. @param {View} view @param {Format} format @param {number} nowMs */
export function announcement({ headline, notices, eta }: View, format: Format, nowMs: number): string;
export function makeSkeleton(): HTMLElement;
import type { View } from './view-types.js';
import type { Format } from './view-types.js';
