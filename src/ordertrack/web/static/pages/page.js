/**
 * The tracking page: follow the order and update the elements that the server rendered.
 *
 * A page of `/orders/{id}` may get a token as `#token=...`: a fragment is not sent to the server. Its page is then the
 * problem page for a missing token, which becomes the page of the order.
 */

import { fill, makeFormat, problemOf } from '/sdk/format.js';
import { announcement, drawView, make, makeIcon, makeSkeleton, setText } from '/sdk/stepper.js';
import { OrderTracker } from '/sdk/tracker.js';
import { orderView } from '/sdk/view.js';

const REDRAW_MS = 15000;
const COPIED_MS = 3000;

const language = document.documentElement.lang;
const { default: words } = await import(`/sdk/words/${language}.js`);
const format = makeFormat(words, language);

const main = document.querySelector('main');
const { track } = main.dataset;
const isLink = 'link' in main.dataset;
const orderOfPath = location.pathname.match(/^\/orders\/([^/]+)$/)?.[1];
const token = orderOfPath && takeToken(`ordertrack.token.${orderOfPath}`);

if (track || token) follow();

function follow() {
  const tracker = isLink
    ? new OrderTracker({ link: location.origin + track.replace(/\/track$/, '') })
    : new OrderTracker(main.dataset.order ?? orderOfPath, { url: location.origin, token: token || undefined });
  /** The time of the last state that is known to be current; of the server's rendering at first. */
  let seenMs = Number(main.dataset.seen) || Date.now();
  let shownVersion = Number(main.dataset.version) || 0;
  let announced = '';
  let wasLost = false;

  tracker.addEventListener('update', ({ detail: { order } }) => {
    if (!main.classList.contains('order')) showOrder(order);
    seenMs = Date.now();
    const isNews = order.version !== shownVersion && shownVersion > 0;
    shownVersion = order.version;
    draw();
    const text = announcement(orderView(order, Date.now()), format, Date.now());
    if (isNews && text !== announced) {
      announce(wasLost ? `${words.connection.back} ${text}` : text);
      wasLost = false;
    }
    announced = text;
    if (isNews) keepPage();
  });
  tracker.addEventListener('connection', ({ detail: { state } }) => {
    if (state === 'live' || wasLive) seenMs = Date.now();
    wasLive = state === 'live';
    if (state === 'offline') announce(words.connection.offline);
    if (state === 'live' && wasLost) announce(words.connection.back);
    wasLost = state === 'offline' || (wasLost && state !== 'live');
    draw();
  });
  tracker.addEventListener('error', ({ detail: { error } }) => {
    clearInterval(redraw);
    if (token && error.status === 401) sessionStorage.removeItem(`ordertrack.token.${orderOfPath}`);
    showProblem(problemOf(error.status, isLink));
    keepPage();
  });
  tracker.addEventListener('end', () => {
    clearInterval(redraw);
    draw();
  });
  let wasLive = false;
  const redraw = setInterval(() => document.hidden || draw(), REDRAW_MS);
  document.addEventListener('visibilitychange', () => document.hidden || draw());
  localizeTimes();
  if (isLink) offerShare();
  if (track) startServiceWorker();
  tracker.startTracking();

  function draw() {
    const nowMs = Date.now();
    if (!main.classList.contains('order')) return;
    const { order, connection } = tracker;
    const view = order && orderView(order, nowMs);
    if (view) {
      drawView(main, view, format, nowMs);
      document.title = `${words.headline[view.headline]} · ${nameOf(order)}`;
      setIcon(view.headline);
    }
    drawConnection(connection, view, nowMs);
  }

  function drawConnection(state, view, nowMs) {
    const line = main.querySelector('.connection');
    const age = format.ago(seenMs, nowMs);
    const parts = [words.connection[state] ?? ''];
    if (view?.ended) parts[0] = words.connection.ended;
    else if (state === 'live' && view) parts.push(updatedText(view.updated, nowMs));
    else if (age) parts.push(fill(words.connection.checked, { ago: age }));
    line.dataset.state = view?.ended ? 'ended' : state;
    setText(line, parts.filter(Boolean).join(state === 'live' ? ' · ' : ' '));
  }
}

function updatedText(ms, nowMs) {
  const ago = format.ago(ms, nowMs);
  return ago ? fill(words.updated.ago, { ago }) : words.updated.now;
}

function nameOf(order) {
  return order.restaurant_name ?? fill(words.order, { id: order.id });
}

/** Take the token out of the address bar and keep it for this tab. */
function takeToken(key) {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return sessionStorage.getItem(key);
  history.replaceState(null, '', location.pathname + location.search);
  sessionStorage.setItem(key, token);
  return token;
}

/** Replace the times of the restaurant's zone by those of this device. */
function localizeTimes() {
  const nowMs = Date.now();
  for (const time of main.querySelectorAll('.steps time[datetime]')) {
    setText(time, format.time(Date.parse(time.dateTime), nowMs));
  }
  main.querySelector('.zone')?.remove();
}

function announce(text) {
  setText(main.querySelector('.live'), text);
}

function setIcon(name) {
  const link = document.querySelector('link[rel="icon"]');
  const href = `/pages/icons/${name}.svg`;
  if (link.getAttribute('href') !== href) link.setAttribute('href', href);
}

/** Make the elements of an order where the page has none. */
function showOrder(order) {
  main.className = 'order';
  const names = make('div', 'names');
  const restaurant = make('p', 'restaurant');
  restaurant.append(make('bdi', '', nameOf(order)));
  names.append(restaurant);
  if (order.restaurant_name) names.append(make('p', 'order-number', fill(words.order, { id: order.id })));
  const masthead = make('header', 'masthead');
  masthead.append(names);
  const statusLine = make('footer', 'status-line');
  statusLine.append(make('p', 'connection'));
  const live = make('p', 'live visually-hidden');
  live.setAttribute('role', 'status');
  main.replaceChildren(masthead, makeSkeleton(), ...makeSummary(order), statusLine, live);
}

function makeSummary({ items, total, currency }) {
  if (!items.length && total === null) return [];
  const list = make('ul', 'items');
  for (const { quantity, name, price } of items) {
    const item = make('li', 'item');
    const amount = price == null ? '' : format.money(price, currency);
    item.append(make('span', 'quantity', `${format.number(quantity)} ×`), make('bdi', '', name), make('span', 'price', amount));
    list.append(item);
  }
  const summary = make('section', 'summary');
  summary.append(make('h2', 'summary-title', words.summary.title), list);
  if (total !== null) {
    const line = make('p', 'total');
    line.append(make('span', '', words.summary.total), make('span', 'price', format.money(total, currency)));
    summary.append(line);
  }
  return [summary];
}

/** Replace the order, which may not be shown any longer. */
function showProblem(problem) {
  main.className = 'problem';
  const title = words.problem[problem];
  document.title = title;
  setIcon('unknown');
  const text = make('p', 'problem-text', words.problem[`${problem}_next`]);
  text.setAttribute('role', 'status');
  const sign = make('span', 'sign');
  sign.append(makeIcon('missing'));
  main.replaceChildren(sign, make('h1', 'headline', title), text);
}

function offerShare() {
  const button = main.querySelector('.share');
  const label = button.querySelector('.share-text');
  button.hidden = false;
  button.addEventListener('click', async () => {
    const url = location.origin + location.pathname;
    try {
      if (navigator.share) return await navigator.share({ title: document.title, url });
      await navigator.clipboard.writeText(url);
    } catch (error) {
      if (error.name === 'AbortError') return;
      announce(words.share.failed);
      return;
    }
    setText(label, words.share.copied);
    button.querySelector('svg').replaceWith(makeIcon('done'));
    announce(words.share.copied);
    setTimeout(() => {
      setText(label, words.share.button);
      button.querySelector('svg').replaceWith(makeIcon('share'));
    }, COPIED_MS);
  });
}

async function startServiceWorker() {
  if (!('serviceWorker' in navigator)) return;
  await navigator.serviceWorker.register('/service-worker.js');
  keepPage();
}

/** Let the service worker fetch this page again, to have its latest state without a connection. */
async function keepPage() {
  if (!('serviceWorker' in navigator) || !track) return;
  const files = performance.getEntriesByType('resource').map((entry) => new URL(entry.name).pathname);
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage({ page: location.pathname, files: files.filter((file) => /^\/(sdk|pages)\//.test(file)) });
}
