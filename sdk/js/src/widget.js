/** `<order-tracker>`, see the README of the SDK. */

import { announcement, drawConnection, drawView, make, makeFormat, makeSkeleton, setContent } from './stepper.js';
import { OrderTracker } from './tracker.js';
import { orderView } from './view.js';

/** @import {Format} from './view-types.js' */

const REDRAW_MS = 15000;
const ATTRIBUTES = ['order', 'link', 'src', 'token', 'customer'];

export class OrderTrackerElement extends (/** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? Object)) {
  static observedAttributes = [...ATTRIBUTES, 'lang'];

  tracker = /** @type {OrderTracker | null} */ (null);
  #format = /** @type {Format | undefined} */ (undefined);
  #redraw = 0;
  #seenMs = 0;
  #announced = '';
  #starts = 0;
  #now = makeSkeleton('h2');
  #connection = make('p', 'connection');
  #live = make('p', 'visually-hidden');
  #card = make('article', 'widget', this.#now, this.#connection, this.#live);

  constructor() {
    super();
    const href = new URL('./ordertrack.css', import.meta.url);
    const style = Object.assign(make('link', ''), { rel: 'stylesheet', href });
    this.#live.role = 'status';
    this.#card.hidden = true;
    style.onload = style.onerror = () => { this.#card.hidden = false; };
    this.attachShadow({ mode: 'open' }).append(style, this.#card);
  }

  connectedCallback() {
    this.#restart();
  }

  disconnectedCallback() {
    this.#restart();
  }

  attributeChangedCallback() {
    this.#restart();
  }

  /** Start once for all attributes that change together. */
  async #restart() {
    const start = ++this.#starts;
    const { tracker: old } = this;
    this.tracker = null;
    old?.stopTracking();
    clearInterval(this.#redraw);
    await null;
    const [order, link, src, token, customer] = ATTRIBUTES.map((name) => this.getAttribute(name) ?? undefined);
    const tag = this.closest('[lang]')?.getAttribute('lang') ?? '';
    const language = /^(ar|de|es|fr|vi)\b/i.exec(tag)?.[1].toLowerCase() ?? 'en';
    if (start !== this.#starts || !this.isConnected || !(order || link)) return;
    const { default: words } = await import(`./words/${language}.js`);
    if (start !== this.#starts) return;
    this.#format = makeFormat(words, language);
    this.#announced = '';
    this.#seenMs = 0;
    this.#now.hidden = true;
    Object.assign(this.#card, { lang: language, dir: language === 'ar' ? 'rtl' : 'ltr' });
    const tracker = link ? new OrderTracker({ link })
      : new OrderTracker(String(order), { url: src ?? new URL(import.meta.url).origin, token, customer });
    this.tracker = tracker;
    for (const type of /** @type {const} */ (['update', 'connection', 'end', 'error'])) {
      tracker.addEventListener(type, (event) => {
        if (this.tracker !== tracker) return;
        const { detail } = /** @type {CustomEvent<any>} */ (event);
        if (type === 'error') this.#refuse();
        else if (!detail.error) this.#draw();
        this.dispatchEvent(new CustomEvent(type, { detail }));
      });
    }
    this.#redraw = setInterval(() => this.#draw(), REDRAW_MS);
    tracker.startTracking();
  }

  #draw() {
    const format = this.#format;
    if (!this.tracker || !format) return;
    const { order, connection } = this.tracker;
    const nowMs = Date.now();
    const view = order && orderView(order, nowMs);
    if (connection === 'live') this.#seenMs = nowMs;
    drawConnection(this.#connection, connection, view, this.#seenMs, format, nowMs);
    if (!view) return;
    this.#now.hidden = false;
    drawView(this.#now, view, format, nowMs);
    const text = announcement(view, format, nowMs);
    if (this.#announced && this.#announced !== text) setContent(this.#live, text);
    this.#announced = text;
  }

  #refuse() {
    clearInterval(this.#redraw);
    this.#now.hidden = true;
    this.#connection.dataset.state = 'refused';
    setContent(this.#connection, this.#format?.words.problem[this.hasAttribute('link') ? 'gone' : 'unknown']);
  }
}

if (globalThis.customElements && !customElements.get('order-tracker')) customElements.define('order-tracker', OrderTrackerElement);
