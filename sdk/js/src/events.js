/**
 * Minimal `EventTarget` and `CustomEvent` for React Native, which has none.
 * @module
 */

const globals = /** @type {any} */ (globalThis);

if (!globals.EventTarget || !globals.CustomEvent) {
  globals.CustomEvent = class {
    /** @param {string} type @param {{detail?: unknown}} [options] */
    constructor(type, { detail } = {}) {
      this.type = type;
      this.detail = detail;
    }
  };

  globals.EventTarget = class {
    constructor() {
      /** @type {{type: string, listener: any, once: boolean}[]} */
      this._listeners = [];
    }

    /** @param {string} type @param {any} listener @param {any} [options] */
    addEventListener(type, listener, options) {
      this._listeners.push({ type, listener, once: options?.once === true });
    }

    /** @param {string} type @param {any} listener */
    removeEventListener(type, listener) {
      this._listeners = this._listeners.filter((entry) => entry.type !== type || entry.listener !== listener);
    }

    /** @param {{type: string}} event */
    dispatchEvent(event) {
      for (const { type, listener, once } of this._listeners.slice()) {
        if (type !== event.type) continue;
        if (once) this.removeEventListener(type, listener);
        try {
          (listener.handleEvent ?? listener).call(this, event);
        } catch (error) {
          console.error(error);
        }
      }
      return true;
    }
  };
}
