/**
 * Draw a view: headline, arrival, notices and steps. The elements are found by their classes and updated in place, so
 * the tracking page's elements, which the server rendered, and the widget's are drawn by the same functions.
 */

import { fill } from './format.js';
import icons from './icons.js';

/**
 * @typedef {import('./view.js').View} View
 * @typedef {import('./format.js').Format} Format
 */

const SVG = 'http://www.w3.org/2000/svg';

/** @returns {HTMLElement} the empty elements that `drawView` fills */
export function makeSkeleton() {
  const now = make('section', 'now');
  const arrival = make('div', 'arrival');
  arrival.append(make('p', 'arrival-label'), make('p', 'arrival-time'), make('p', 'planned'));
  now.append(make('h1', 'headline'), arrival, make('ul', 'notices'), make('p', 'progress'), make('ol', 'steps'));
  return now;
}

/**
 * @param {ParentNode} root
 * @param {View} view
 * @param {Format} format
 * @param {number} nowMs
 */
export function drawView(root, view, format, nowMs) {
  const { words } = format;
  setText(part(root, 'headline'), words.headline[view.headline]);
  drawArrival(root, view, format, nowMs);
  drawNotices(part(root, 'notices'), view, format);
  const progress = part(root, 'progress');
  progress.hidden = view.number === null;
  setText(progress, progressText(view, format));
  drawSteps(part(root, 'steps'), view, format, nowMs);
}

/**
 * @param {View} view
 * @param {Format} format
 * @param {number} nowMs
 * @returns {string} the view in one paragraph, for a live region
 */
export function announcement(view, format, nowMs) {
  const { words } = format;
  const texts = [words.headline[view.headline], ...view.notices.map((notice) => noticeText(notice, format))];
  if (view.eta?.state === 'expected') texts.push(`${words.eta.expected}: ${arrivalText(view.eta, format, nowMs)}`);
  return texts.map((text) => (/[.!?]$/.test(text) ? text : `${text}.`)).join(' ');
}

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function makeIcon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', /** @type {Record<string, string>} */ (icons)[name] ?? icons.unknown);
  svg.append(path);
  return svg;
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} className
 * @param {string} [text]
 */
export function make(tag, className, text = '') {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {ParentNode} root
 * @param {string} className
 */
function part(root, className) {
  return /** @type {HTMLElement} */ (root.querySelector(`.${className}`));
}

/**
 * @param {View} view
 * @param {Format} format
 */
function progressText({ number, of }, format) {
  if (number === null) return '';
  return fill(format.words.progress, { number: format.number(number), of: format.number(of) });
}

/**
 * @param {ParentNode} root
 * @param {View} view
 * @param {Format} format
 * @param {number} nowMs
 */
function drawArrival(root, { eta }, format, nowMs) {
  const arrival = part(root, 'arrival');
  arrival.hidden = eta === null;
  if (!eta) return;
  arrival.dataset.state = eta.state;
  setText(part(arrival, 'arrival-label'), format.words.eta[eta.state]);
  drawTime(part(arrival, 'arrival-time'), arrivalText(eta, format, nowMs), eta.span?.from ?? eta.at);
  const planned = part(arrival, 'planned');
  planned.hidden = eta.planned === null;
  if (!eta.planned) return;
  drawTime(planned, format.span(eta.planned, nowMs), eta.planned.from, `${format.words.eta.planned} `);
}

/**
 * @param {import('./view.js').Arrival} eta
 * @param {Format} format
 * @param {number} nowMs
 */
function arrivalText(eta, format, nowMs) {
  return eta.span ? format.span(eta.span, nowMs) : format.time(Number(eta.at), nowMs);
}

/**
 * @param {HTMLElement} parent
 * @param {string} text
 * @param {number|null} ms
 * @param {string} [before]
 */
function drawTime(parent, text, ms, before = '') {
  if (parent.textContent === before + text) return;
  const time = make('time', '', text);
  time.dateTime = new Date(Number(ms)).toISOString();
  parent.replaceChildren(before, time);
}

/**
 * @param {HTMLElement} list
 * @param {View} view
 * @param {Format} format
 */
function drawNotices(list, { notices }, format) {
  list.hidden = !notices.length;
  const texts = notices.map((notice) => noticeText(notice, format));
  if (texts.length === list.children.length && texts.every((text, i) => list.children[i].textContent === text)) return;
  list.replaceChildren(...texts.map((text, i) => make('li', `notice ${notices[i].key}`, text)));
}

/**
 * @param {import('./view.js').Notice} notice
 * @param {Format} format
 */
function noticeText({ key, params, reason }, { words }) {
  const labels = Object.entries(params).map(([name, status]) => [name, stepLabel(status, words)]);
  const text = fill(words.notice[key], Object.fromEntries(labels));
  return reason ? `${text} ${fill(words.notice.reason, { reason: `\u2068${reason}\u2069` })}` : text;
}

/**
 * @param {string} status
 * @param {any} words
 * @returns {string}
 */
function stepLabel(status, words) {
  return words.step[status] ?? status.replaceAll('_', ' ');
}

/**
 * @param {HTMLElement} list
 * @param {View} view
 * @param {Format} format
 * @param {number} nowMs
 */
function drawSteps(list, { steps }, format, nowMs) {
  while (list.children.length > steps.length) list.lastElementChild?.remove();
  while (list.children.length < steps.length) list.append(makeStep());
  steps.forEach((step, i) => {
    const item = /** @type {HTMLElement} */ (list.children[i]);
    if (item.dataset.status !== step.status || item.dataset.state !== step.state) {
      item.dataset.status = step.status;
      item.dataset.state = step.state;
      item.toggleAttribute('aria-current', step.state === 'current');
      if (step.state === 'current') item.setAttribute('aria-current', 'step');
      part(item, 'marker').replaceChildren(makeIcon(iconOf(step)));
    }
    setText(part(item, 'step-label'), stepLabel(step.status, format.words));
    setText(part(item, 'step-state'), format.words.state[step.state]);
    const time = /** @type {HTMLTimeElement} */ (part(item, 'step-time'));
    setText(time, step.at === null ? '' : format.time(step.at, nowMs));
    if (step.at === null) time.removeAttribute('datetime');
    else time.dateTime = new Date(step.at).toISOString();
  });
}

/** @param {import('./view.js').Step} step */
function iconOf({ status, state }) {
  return state === 'done' || state === 'skipped' ? state : status;
}

function makeStep() {
  const item = make('li', 'step');
  item.append(make('span', 'marker'), make('span', 'step-label'), make('span', 'step-state'), make('time', 'step-time'));
  return item;
}
