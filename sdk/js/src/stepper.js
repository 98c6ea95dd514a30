/** Draw a view in the elements of a widget, or in those that the server rendered. */

import icons from './icons.js';

/** @import * as types from './view-types.js' */

const UNITS = /** @type {const} */ ([['day', 1440], ['hour', 60], ['minute', 1]]);

/** @type {types.MakeFormat} */
export function makeFormat(words, language) {
  const known = navigator.languages.find((known) => known.startsWith(language)) ?? language;
  const tag = `${new Intl.Locale(known, { numberingSystem: 'latn' })}`;
  const clock = new Intl.DateTimeFormat(tag, { timeStyle: 'short' });
  const date = new Intl.DateTimeFormat(tag, { weekday: 'short', day: 'numeric', month: 'short' });
  const relative = new Intl.RelativeTimeFormat(tag, { style: 'short' });
  /** @type {types.Format['ago']} */
  const day = (ms, nowMs) => (date.format(ms) === date.format(nowMs) ? '' : `${date.format(ms)}, `);
  return {
    words,
    tag,
    time: (ms, nowMs) => day(ms, nowMs) + clock.format(ms),
    span: ({ from, to }, nowMs) =>
      day(from, nowMs) + (day(from, to) ? `${clock.format(from)} – ${clock.format(to)}` : clock.formatRange(from, to)),
    ago(ms, nowMs) {
      const minutes = Math.floor((nowMs - ms) / 60000);
      const unit = UNITS.find(([, length]) => minutes >= length);
      return unit ? relative.format(-Math.floor(minutes / unit[1]), unit[0]) : '';
    },
  };
}

/** @type {types.Fill} */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

/** @type {types.Make} */
export function make(tag, className, ...children) {
  const element = Object.assign(document.createElement(tag), { className });
  element.append(...children);
  return element;
}

/** @type {types.MakeSkeleton} */
export const makeSkeleton = (heading) =>
  make('section', 'now', make(heading, 'headline'), make('div', 'arrival'), make('ul', 'notices'), make('ol', 'steps'));

/** @type {types.MakeIcon} */
export function makeIcon(name) {
  const [svg, path] = ['svg', 'path'].map((tag) => document.createElementNS('http://www.w3.org/2000/svg', tag));
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  path.setAttribute('d', /** @type {any} */ (icons)[name] ?? icons.unknown);
  svg.append(path);
  return svg;
}

/** @type {types.SetContent} */
export function setContent(element, ...children) {
  const copy = /** @type {Element} */ (element.cloneNode());
  copy.append(...children);
  if (copy.innerHTML !== element.innerHTML) element.replaceChildren(...copy.childNodes);
}

/** @type {types.DrawView} */
export function drawView(root, { headline, steps, eta, notices }, { words, time, span }, nowMs) {
  /** @type {types.Draw} */
  const draw = (name, ...children) => {
    const element = /** @type {HTMLElement} */ (root.querySelector(`.${name}`));
    element.hidden = !children.length;
    setContent(element, ...children);
    return element.dataset;
  };
  draw('headline', words.headline[headline]);
  if (eta) {
    const { state, planned, at } = eta;
    const arrival = eta.span ? span(eta.span, nowMs) : time(Number(at), nowMs);
    draw('arrival', make('p', 'arrival-label', words.eta[state]), make('p', 'arrival-time', arrival),
      planned ? make('p', 'planned', `${words.eta.planned} ${span(planned, nowMs)}`) : '').state = state;
  } else draw('arrival');
  draw('notices', ...notices.map((notice) => make('li', `notice ${notice.key}`, noticeText(notice, words))));
  draw('steps', ...steps.map(({ status, state, at }) => {
    const icon = makeIcon(['done', 'skipped'].includes(state) ? state : status);
    const step = make('li', 'step', make('span', 'marker', icon), make('span', 'step-label', stepLabel(status, words)),
      make('span', 'step-state', words.state[state]), make('span', 'step-time', at ? time(at, nowMs) : ''));
    Object.assign(step.dataset, { status, state });
    if (state === 'current') step.ariaCurrent = 'step';
    return step;
  }));
}

/** @type {types.DrawConnection} */
export function drawConnection(line, connection, view, seenMs, { words, ago }, nowMs) {
  const [changed, checked] = [view?.updated, seenMs].map((ms) => (ms ? ago(ms, nowMs) : ''));
  const state = view?.ended ? 'ended' : connection;
  const texts = [words.connection[state]];
  if (view && !view.ended) texts.push(changed ? fill(words.updated.ago, { ago: changed }) : words.updated.now);
  if (checked && !['live', 'ended'].includes(state)) texts.push(fill(words.connection.checked, { ago: checked }));
  line.dataset.state = state;
  setContent(line, texts.filter(Boolean).join(' · '));
}

/** @type {types.Announcement} */
export function announcement({ headline, notices, eta }, { words, span }, nowMs) {
  const texts = [words.headline[headline], ...notices.map((notice) => noticeText(notice, words))];
  if (eta?.span && eta.state === 'expected') texts.push(`${words.eta.expected}: ${span(eta.span, nowMs)}`);
  return texts.map((text) => text.replace(/[^.!?]$/, '$&.')).join(' ');
}

/** @type {types.StepLabel} */
const stepLabel = (status, words) => words.step[status] ?? status.replaceAll('_', ' ');

/** @type {types.NoticeText} */
function noticeText({ key, params, reason }, words) {
  const labels = Object.entries(params).map(([name, status]) => [name, stepLabel(status, words)]);
  const text = fill(words.notice[key], Object.fromEntries(labels));
  return reason ? `${text} ${fill(words.notice.reason, { reason: `\u2068${reason}\u2069` })}` : text;
}
