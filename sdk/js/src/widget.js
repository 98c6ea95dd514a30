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

/** @import {Format} from './view-types.js' */

const REDRAW_MS = 15000;

export class OrderTrackerElement extends HTMLElement {
  static observedAttributes = ['order', 'link', 'src', 'token', 'customer', 'lang'];

  /** @type {OrderTracker | null} the tracker while the element is in a page */
  tracker = null;
  /** @type {Format | undefined} */
  #format;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #redraw;
  #announced = '';
  /** Counts starts: a start that waits for its words notices a later one. */
  #starts = 0;

  constructor() {
    super();
    const style = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: new URL('./ordertrack.css', import.meta.url) });
    const live = make('p', 'live visually-hidden');
    live.setAttribute('role', 'status');
    const card = make('article', 'widget', makeSkeleton(), make('p', 'connection'), live);
    card.hidden = true;
    style.onload = style.onerror = () => { card.hidden = false; };
    this.attachShadow({ mode: 'open' }).append(style, card);
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

  /** Stop, and start after the current task: once for all attributes that change in it. */
  async #restart() {
    const start = ++this.#starts;
    const { tracker } = this;
    this.tracker = null;
    tracker?.stopTracking();
    clearInterval(this.#redraw);
    await null;
    const [order, link, src, token, customer] = ['order', 'link', 'src', 'token', 'customer'].map((name) => this.getAttribute(name) ?? undefined);
    const language = supportedLanguage(this.closest('[lang]')?.getAttribute('lang'));
    if (start !== this.#starts || !this.isConnected || !(order || link)) return;
    const { default: words } = await import(`./words/${language}.js`);
    if (start !== this.#starts) return;
    this.#format = makeFormat(words, language);
    this.#announced = '';
    const card = this.#part('widget');
    card.lang = language;
    card.dir = language === 'ar' ? 'rtl' : 'ltr';
    this.#part('now').hidden = true;
    this.#follow(link ? new OrderTracker({ link })
      : new OrderTracker(String(order), { url: src ?? new URL(import.meta.url).origin, token, customer }));
  }

  /** @param {OrderTracker} tracker */
  #follow(tracker) {
    this.tracker = tracker;
    for (const type of /** @type {const} */ (['update', 'connection', 'end', 'error'])) {
      tracker.addEventListener(type, (event) => {
        if (this.tracker !== tracker) return;
        const { detail } = /** @type {CustomEvent<any>} */ (event);
        if (type === 'error') this.#refuse(detail.error.status);
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
    const { words } = format;
    const { order, connection } = this.tracker;
    const nowMs = Date.now();
    const line = [words.connection[connection]];
    if (order) {
      const view = orderView(order, nowMs);
      this.#part('now').hidden = false;
      drawView(this.#part('widget'), view, format, nowMs);
      const ago = format.ago(view.updated, nowMs);
      line.push(ago ? fill(words.updated.ago, { ago }) : words.updated.now);
      if (view.ended) line.splice(0, 2, words.connection.ended);
      const text = announcement(view, format, nowMs);
      if (this.#announced && this.#announced !== text) setText(this.#part('live'), text);
      this.#announced = text;
    }
    this.#say(connection, line.filter(Boolean).join(' · '));
  }

  /** @param {number} status */
  #refuse(status) {
    clearInterval(this.#redraw);
    const texts = this.#format?.words.problem;
    const problem = problemOf(status, this.hasAttribute('link'));
    this.#part('now').hidden = true;
    this.#say('refused', `${texts[problem]}. ${texts[`${problem}_next`]}`);
  }

  /** @param {string} state @param {string} text */
  #say(state, text) {
    const line = this.#part('connection');
    line.dataset.state = state;
    setText(line, text);
  }

  /** @param {string} className */
  #part(className) {
    return /** @type {HTMLElement} */ (this.shadowRoot?.querySelector(`.${className}`));
  }
}

if (!customElements.get('order-tracker')) customElements.define('order-tracker', OrderTrackerElement);
