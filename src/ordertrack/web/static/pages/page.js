/**
 * The tracking page: follow the order and update the elements that the server rendered.
 *
 * A page of `/orders/{id}` may get a token as `#token=...`: a fragment is not sent to the server. Its page is then the
 * problem page for a missing token, which becomes the page of the order.
 */

import { announcement, drawConnection, drawView, fill, make, makeFormat, makeIcon, makeSkeleton, setContent } from '/sdk/stepper.js';
import { OrderTracker } from '/sdk/tracker.js';
import { orderView } from '/sdk/view.js';

const REDRAW_MS = 15000;
const COPIED_MS = 3000;
const PROBLEMS = { 401: 'token', 403: 'foreign', 404: 'unknown', 410: 'gone' };

const language = document.documentElement.lang;
const [{ default: common }, { default: own }] = await Promise.all([import(`/sdk/words/${language}.js`), import(`./words/${language}.js`)]);
const words = { ...common, ...own, problem: { ...common.problem, ...own.problem } };
const format = makeFormat(words, language);

const main = document.querySelector('main');
const { track } = main.dataset;
const isLink = 'link' in main.dataset;
const orderOfPath = location.pathname.match(/^\/orders\/([^/]+)$/)?.[1];
const tokenKey = `ordertrack.token.${orderOfPath}`;
const token = orderOfPath && takeToken();

if (track || token) follow();

function follow() {
  const tracker = isLink
    ? new OrderTracker({ link: location.origin + track.replace(/\/track$/, '') })
    : new OrderTracker(main.dataset.order ?? orderOfPath, { url: location.origin, token: token ?? undefined });
  /** The time at which the shown state was known to be current; at first that of the server's rendering. */
  let seenMs = Number(main.dataset.seen);
  let shownVersion = Number(main.dataset.version);
  let wasLost = false;
  let announced = '';
  const redraw = setInterval(draw, REDRAW_MS);

  tracker.addEventListener('update', ({ detail: { order, reset } }) => {
    if (!main.classList.contains('order')) showOrder(order);
    const isNews = shownVersion && (order.version !== shownVersion || reset);
    shownVersion = order.version;
    seenMs = Date.now();
    draw();
    const text = announcement(orderView(order, seenMs), format, seenMs);
    if (isNews && text !== announced) {
      announce(wasLost ? `${words.connection.back} ${text}` : text);
      wasLost = false;
    }
    announced = text;
    if (isNews) keepPage();
  });
  tracker.addEventListener('connection', ({ detail: { state } }) => {
    const isLive = state === 'live';
    if (state === 'offline') announce(words.connection.offline);
    if (isLive && wasLost) announce(words.connection.back);
    wasLost = !isLive && (wasLost || state === 'offline');
    draw();
  });
  tracker.addEventListener('error', ({ detail: { error } }) => {
    if (error.status === 401) sessionStorage.removeItem(tokenKey);
    showProblem(isLink && error.status in PROBLEMS ? 'gone' : PROBLEMS[error.status] ?? 'other');
    keepPage();
  });
  tracker.addEventListener('end', () => {
    clearInterval(redraw);
    draw();
  });
  document.addEventListener('visibilitychange', draw);

  main.querySelector('.reload')?.remove();
  if (track) startServiceWorker();
  if (isLink) offerShare();
  tracker.startTracking();

  function draw() {
    if (document.hidden || !main.classList.contains('order')) return;
    const { order, connection } = tracker;
    const nowMs = Date.now();
    const view = order && orderView(order, nowMs);
    if (connection === 'live') seenMs = nowMs;
    const shown = view ?? { updated: Number(main.dataset.updated), ended: false };
    drawConnection(main.querySelector('.connection'), connection, shown, seenMs, format, nowMs);
    if (view) {
      drawView(main, view, format, nowMs);
      const sign = main.querySelector('.sign');
      sign.dataset.status = view.status;
      setContent(sign, makeIcon(view.status));
      document.title = `${words.headline[view.headline]} · ${nameOf(order)}`;
      setIcon(view.headline);
    }
  }
}

function nameOf(order) {
  return order.restaurant_name ?? fill(words.order, { id: order.id });
}

/** Take the token out of the address bar and keep it for this tab. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return sessionStorage.getItem(tokenKey);
  history.replaceState(null, '', location.pathname + location.search);
  sessionStorage.setItem(tokenKey, token);
  return token;
}

function announce(text) {
  setContent(main.querySelector('.live'), text);
}

function setIcon(name) {
  const link = document.querySelector('link[rel="icon"]');
  const href = `/pages/icons/${name}.svg`;
  if (link.getAttribute('href') !== href) link.setAttribute('href', href);
}

/** Make the elements of an order where the page has none. */
function showOrder(order) {
  main.className = 'order';
  const names = make('div', 'names', make('p', 'restaurant', make('bdi', '', nameOf(order))));
  if (order.restaurant_name) names.append(make('p', 'order-number', fill(words.order, { id: order.id })));
  const now = makeSkeleton('h1');
  now.classList.add('card');
  now.prepend(make('span', 'sign'));
  replaceContent(make('header', 'masthead', names), make('p', 'connection'), now, ...makeSummary(order));
}

/** Replace all but the languages and the live region: a region that comes together with its text is not announced. */
function replaceContent(...elements) {
  for (const element of [...main.children]) if (!element.matches('.status-line, .live')) element.remove();
  main.prepend(...elements);
}

function makeSummary({ items, total, currency }) {
  if (!items.length && total === null) return [];
  const lines = items.map(({ quantity, name, price }) => {
    const label = make('span', '', make('bdi', '', name));
    if (price !== null && quantity > 1) label.append(make('span', 'each', fill(words.summary.each, { price: money(price, currency) })));
    const sum = make('span', 'price', price === null ? '' : money(quantity * price, currency));
    return make('li', 'item', make('span', 'quantity', `${number(quantity)} ×`), label, sum);
  });
  const summary = make('section', 'summary card', make('h2', 'summary-title', words.summary.title), make('ul', 'items', ...lines));
  if (total !== null) {
    const sum = make('span', 'price', money(total, currency));
    summary.append(make('p', 'total', make('span', '', words.summary.total), sum));
  }
  return [summary];
}

function number(value, options) {
  return new Intl.NumberFormat(format.tag, options).format(value);
}

function money(amount, currency) {
  if (currency && Intl.supportedValuesOf('currency').includes(currency)) {
    return number(amount, { style: 'currency', currency });
  }
  return [number(amount, { minimumFractionDigits: 2, maximumFractionDigits: 2 }), currency].filter(Boolean).join(' ');
}

/** Replace the order, which may not be shown any longer. */
function showProblem(problem) {
  main.className = 'problem';
  document.title = words.problem[problem];
  setIcon('unknown');
  const text = make('p', 'problem-text', words.problem[`${problem}_next`]);
  const title = make('h1', 'headline', words.problem[problem]);
  replaceContent(make('span', 'sign', makeIcon('missing')), title, text);
  title.tabIndex = -1;
  title.focus();
  announce(text.textContent);
}

function offerShare() {
  const button = main.querySelector('.share');
  const label = button.querySelector('.share-text');
  const icon = button.querySelector('svg');
  button.hidden = false;
  button.addEventListener('click', async () => {
    const url = location.origin + location.pathname;
    try {
      if (navigator.share) return await navigator.share({ title: document.title, url });
      await navigator.clipboard.writeText(url);
    } catch (error) {
      if (error.name !== 'AbortError') showLink(url);
      return;
    }
    setContent(label, words.share.copied);
    const done = makeIcon('done');
    icon.replaceWith(done);
    announce(words.share.copied);
    setTimeout(() => {
      setContent(label, words.share.button);
      done.replaceWith(icon);
    }, COPIED_MS);
  });
}

/** Show the link in a field, to be copied by hand: a page without https may not use the clipboard. */
function showLink(url) {
  let field = main.querySelector('.share-link input');
  if (!field) {
    field = Object.assign(make('input', ''), { readOnly: true, value: url });
    main.querySelector('.masthead').after(make('label', 'share-link', words.share.copy, field));
    announce(words.share.copy);
  }
  field.focus();
  field.select();
}

async function startServiceWorker() {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const hasWorker = workers.controller !== null;
  workers.addEventListener('controllerchange', () => {
    if (!hasWorker) document.querySelector('link[rel="manifest"]').href += '?'; // the worker adds the page as its start
  });
  await workers.register('/service-worker.js');
  keepPage();
}

/** Let the service worker fetch this page again, to have its latest state without a connection. */
async function keepPage() {
  if (!navigator.serviceWorker || !track) return;
  const files = Array.from(document.querySelectorAll('link[href], script'), (file) => file.getAttribute('href') ?? file.src);
  const { active } = await navigator.serviceWorker.ready;
  active.postMessage({ page: location.pathname + location.search, files });
}
