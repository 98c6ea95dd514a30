/**
 * Draw a view: headline, arrival, notices and steps. Elements are found by their classes and changed only where the view
 * differs, so these functions draw the tracking page's elements, which the server rendered, and the widget's.
 */
import { fill } from './format.js';
import icons from './icons.js';

/** @import {Arrival, Format, Notice, Span, Step, View} from './view-types.js' */

/** Make an element. @param {string} tag @param {string} className @param {...(string | Node)} children */
export function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/** Make the empty elements that `drawView` fills. */
export const makeSkeleton = () =>
  make('section', 'now',
    make('span', 'sign'), make('h1', 'headline'),
    make('div', 'arrival', make('p', 'arrival-label'), make('p', 'arrival-time'), make('p', 'planned')),
    make('ul', 'notices'), make('p', 'progress'), make('ol', 'steps'));

/** @param {string} name */
export function makeIcon(name) {
  const [svg, path] = ['svg', 'path'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', /** @type {Record<string, string>} */ (icons)[name] ?? icons.unknown);
  svg.append(path);
  return svg;
}

/** @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {ParentNode} root @param {View} view @param {Format} format @param {number} nowMs */
export function drawView(root, view, format, nowMs) {
  const { words } = format;
  const { eta, notices, number, of, steps } = view;
  /** @param {string} name @param {unknown} isShown */
  const part = (name, isShown) => {
    const element = /** @type {HTMLElement} */ (root.querySelector(`.${name}`));
    element.hidden = !isShown;
    return element;
  };
  const sign = part('sign', true);
  if (sign.dataset.status !== view.status) sign.replaceChildren(makeIcon(view.status));
  sign.dataset.status = view.status;
  setText(part('headline', true), words.headline[view.headline]);
  const arrival = part('arrival', eta);
  const planned = part('planned', eta?.planned);
  if (eta) {
    arrival.dataset.state = eta.state;
    setText(part('arrival-label', true), words.eta[eta.state]);
    replace(part('arrival-time', true), [makeTime(eta.span?.from ?? eta.at, arrivalText(eta, format, nowMs))]);
    const { planned: span } = eta;
    if (span) replace(planned, [`${words.eta.planned} `, makeTime(span.from, format.span(span, nowMs))]);
  }
  replace(part('notices', notices.length), notices.map((notice) => make('li', `notice ${notice.key}`, noticeText(notice, words))));
  setText(part('progress', number), number ? fill(words.progress, { number: format.number(number), of: format.number(of) }) : '');
  replace(part('steps', true), steps.map((step) => makeStep(step, format, nowMs)));
}

/** Return the view in one paragraph, for a live region. @param {View} view @param {Format} format @param {number} nowMs */
export function announcement({ headline, notices, eta }, format, nowMs) {
  const { words } = format;
  const texts = [words.headline[headline], ...notices.map((notice) => noticeText(notice, words))];
  if (eta?.span && eta.state === 'expected') texts.push(`${words.eta.expected}: ${format.span(eta.span, nowMs)}`);
  return texts.map((text) => text.replace(/[^.!?]$/, '$&.')).join(' ');
}

/** Replace children that differ. @param {HTMLElement} parent @param {(string | HTMLElement)[]} children */
function replace(parent, children) {
  const copy = /** @type {HTMLElement} */ (parent.cloneNode());
  copy.append(...children);
  if (copy.innerHTML !== parent.innerHTML) parent.replaceChildren(...copy.childNodes);
}

/** @param {number | null} ms @param {string} text @param {string} [className] */
function makeTime(ms, text, className = '') {
  const time = make('time', className, text);
  if (ms) time.setAttribute('datetime', new Date(ms).toISOString());
  return time;
}

/** @param {Arrival} eta @param {Format} format @param {number} nowMs */
const arrivalText = ({ span, at }, format, nowMs) => (span ? format.span(span, nowMs) : format.time(Number(at), nowMs));

/** @param {string} status @param {any} words @returns {string} */
const stepLabel = (status, words) => words.step[status] ?? status.replaceAll('_', ' ');

/** @param {Notice} notice @param {any} words @returns {string} */
function noticeText({ key, params, reason }, words) {
  const labels = Object.entries(params).map(([name, status]) => [name, stepLabel(status, words)]);
  const text = fill(words.notice[key], Object.fromEntries(labels));
  return reason ? `${text} ${fill(words.notice.reason, { reason: `\u2068${reason}\u2069` })}` : text;
}

/** @param {Step} step @param {Format} format @param {number} nowMs */
function makeStep({ status, state, at }, format, nowMs) {
  const step = make('li', 'step',
    make('span', 'marker', makeIcon(state === 'done' || state === 'skipped' ? state : status)),
    make('span', 'step-label', stepLabel(status, format.words)),
    make('span', 'step-state', format.words.state[state]),
    makeTime(at, at ? format.time(at, nowMs) : '', 'step-time'));
  Object.assign(step.dataset, { status, state });
  if (state === 'current') step.setAttribute('aria-current', 'step');
  return step;
}
