/**
 * `<order-tracker order="101">`: the steps of an order in any page.
 *
 * Attributes: `order` (id) or `link` (URL of a tracking link); `src` (URL of the server, by default that of this file);
 * `token`; `customer` (id: the widgets of one customer share one poll); `lang`; `theme` (`light`, `dark`, `auto`; by
 * default that of the page). Events: those of `OrderTracker`. Colours: the custom properties of `ordertrack.css`.
 */

import { fill, makeFormat, problemOf, supportedLanguage } from './format.js';
import { announcement, drawView, make, makeSkeleton, setText } from './stepper.js';
import { OrderTracker } from './tracker.js';
import { orderView } from './view.js';

const REDRAW_MS = 15000;
const RIGHT_TO_LEFT = ['ar'];

export class OrderTrackerElement extends HTMLElement {
  static observedAttributes = ['order', 'link', 'src', 'token', 'customer', 'lang'];

  /** @type {OrderTracker|null} the tracker of an element in a page */
  tracker = null;
  #restarting = false;
  /** @type {import('./format.js').Format|null} */
  #format = null;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #redraw;
  #announced = '';
  /** Counts starts, so that a start that waits for its words notices a later one. */
  #starts = 0;

  constructor() {
    super();
    const style = make('link', '');
    style.rel = 'stylesheet';
    style.href = new URL('./ordertrack.css', import.meta.url).href;
    const card = make('article', 'widget');
    card.hidden = true;
    style.onload = style.onerror = () => (card.hidden = false);
    const live = make('p', 'live visually-hidden');
    live.setAttribute('role', 'status');
    card.append(makeSkeleton(), make('p', 'connection'), live);
    this.attachShadow({ mode: 'open' }).append(style, card);
  }

  connectedCallback() {
    this.#restart();
  }

  disconnectedCallback() {
    this.#stop();
  }

  attributeChangedCallback() {
    this.#restart();
  }

  /** Start again after the current task, once for all attributes that changed in it. */
  #restart() {
    if (this.#restarting) return;
    this.#restarting = true;
    queueMicrotask(() => {
      this.#restarting = false;
      this.#stop();
      if (this.isConnected) this.#start();
    });
  }

  #stop() {
    this.#starts += 1;
    const { tracker } = this;
    this.tracker = null;
    tracker?.stopTracking();
    clearInterval(this.#redraw);
  }

  async #start() {
    const start = this.#starts;
    const order = this.getAttribute('order');
    const link = this.getAttribute('link');
    if (!order && !link) return;
    const language = supportedLanguage(this.lang || this.closest('[lang]')?.getAttribute('lang'));
    const { default: words } = await import(`./words/${language}.js`);
    if (start !== this.#starts) return;
    this.#format = makeFormat(words, language);
    this.#announced = '';
    const card = this.#part('widget');
    card.lang = language;
    card.dir = RIGHT_TO_LEFT.includes(language) ? 'rtl' : 'ltr';
    const tracker = link
      ? new OrderTracker({ link })
      : new OrderTracker(order, {
          url: this.getAttribute('src') ?? new URL(import.meta.url).origin,
          token: this.getAttribute('token') ?? undefined,
          customer: this.getAttribute('customer') ?? undefined,
        });
    this.tracker = tracker;
    for (const type of ['update', 'connection', 'end', 'error']) {
      tracker.addEventListener(type, (event) => {
        if (this.tracker !== tracker) return;
        const { detail } = /** @type {CustomEvent} */ (event);
        if (type === 'error') this.#drawRefusal(detail.error);
        else if (!detail.error) this.#draw();
        this.dispatchEvent(new CustomEvent(type, { detail }));
      });
    }
    this.#redraw = setInterval(() => this.#draw(), REDRAW_MS);
    this.#draw();
    tracker.startTracking();
  }

  #draw() {
    const { tracker } = this;
    const format = this.#format;
    if (!tracker || !format) return;
    const { words } = format;
    const card = this.#part('widget');
    const nowMs = Date.now();
    const order = tracker.order;
    this.#part('now').hidden = !order;
    let status = words.connection[tracker.connection] ?? '';
    if (order) {
      const view = orderView(order, nowMs);
      drawView(card, view, format, nowMs);
      card.dataset.status = view.status;
      const ago = format.ago(view.updated, nowMs);
      const updated = ago ? fill(words.updated.ago, { ago }) : words.updated.now;
      status = view.ended ? words.connection.ended : [status, updated].join(' · ');
      const text = announcement(view, format, nowMs);
      if (this.#announced && this.#announced !== text) setText(this.#part('live'), text);
      this.#announced = text;
    }
    const connection = this.#part('connection');
    connection.dataset.state = tracker.connection;
    setText(connection, status);
  }

  /** @param {{status?: number}} error */
  #drawRefusal({ status }) {
    const words = this.#format?.words;
    if (!words) return;
    const problem = problemOf(status ?? 0, Boolean(this.getAttribute('link')));
    this.#part('now').hidden = true;
    const connection = this.#part('connection');
    connection.dataset.state = 'refused';
    setText(connection, `${words.problem[problem]}. ${words.problem[`${problem}_next`]}`);
    clearInterval(this.#redraw);
  }

  /** @param {string} className */
  #part(className) {
    return /** @type {HTMLElement} */ (this.shadowRoot?.querySelector(`.${className}`));
  }
}

if (!customElements.get('order-tracker')) customElements.define('order-tracker', OrderTrackerElement);
