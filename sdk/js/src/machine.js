/**
 * The protocol of tracking without I/O: events in, commands out. Times are seconds of one clock that never goes back.
 *
 * 1. The first request has no cursor, so its answer comes at once. Every later one continues from the cursor.
 * 2. After an answer the next request follows at once, and the server holds it. Saver mode waits and does not hold.
 * 3. `Hold` finds the longest hold that the network path survives.
 * 4. After a loss or a pause the next request is a probe (`timeout=0`): it shows at once that the connection is back.
 * 5. An answer without news that was not held is a failure, so that no server can cause a busy loop.
 * 6. After `drain` the client waits a short random time. That is not a failure.
 * 7. Failures back off with full jitter, and never before `Retry-After`. News or a completed hold resets their count.
 * 8. The position never goes back, except by `reset`.
 * 9. A hidden page or a device without network sends nothing; on return a probe follows at once.
 *
 * The Python client has the same rules 1 to 8; `sdk/vectors/tracker` tests both.
 * @module
 */

/** @import {Pace, Learned, Mode, Connection, Answer, Problem, MachineEvent, Command} from './types.js' */

/** @type {Pace} */
const PACE = {
  firstHoldS: 30, minHoldS: 15, maxHoldS: 240, marginS: 10, backoffBaseS: 1, backoffCapS: 30, drainSpreadS: 1, quickS: 1,
};
const MAX_HOLDS_BEFORE_GROWTH = 64;
const MAX_RETRY_AFTER_S = 3600;
const PATH_CUTS_HOLDS = [502, 504, 524];
const TEMPORARY_4XX = [408, 425, 429];

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => Number.isFinite(value);

/** @param {number} value @param {number} least @param {number} most */
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/**
 * The length of a hold: doubled after holds that worked, halved after one that was lost. After the first loss 8 holds
 * must work before the next growth, after the second 64: a path that cuts at 60 s costs two polls.
 */
class Hold {
  /** @param {Pace} pace @param {Learned | null | undefined} learned */
  constructor(pace, learned) {
    this.pace = pace;
    this.maxS = pace.maxHoldS;
    this.longestS = 0; // of the holds that worked
    this.doubted = false;
    /** @type {Learned} */
    this.learned = { lengthS: pace.firstHoldS, needed: 1, worked: 0, lostS: 0 };
    if (learned) this.learn(learned);
  }

  /** Continue with what was learned on another network or in an earlier session. @param {Learned | null} [learned] */
  learn(learned) {
    this.longestS = 0;
    this.doubted = false;
    this.learned = { lengthS: this.pace.firstHoldS, needed: 1, worked: 0, lostS: 0 };
    if (!learned || ![learned.lengthS, learned.needed, learned.worked, learned.lostS].every(isNumber)) return;
    this.learned = { ...learned, needed: clamp(learned.needed, 1, MAX_HOLDS_BEFORE_GROWTH) };
  }

  get lengthS() {
    return Math.min(Math.max(this.learned.lengthS, this.pace.minHoldS), this.maxS);
  }

  /** Set the server's limit. @param {unknown} maxTimeoutS */
  allow(maxTimeoutS) {
    if (isNumber(maxTimeoutS) && maxTimeoutS > 0) this.maxS = Math.max(Math.min(maxTimeoutS, this.pace.maxHoldS), this.pace.quickS);
  }

  /** Record a hold that ended by its timeout. @param {number} tookS */
  worked(tookS) {
    const { lengthS, learned } = this;
    if (tookS < 0.8 * lengthS) return;
    this.doubted = false;
    this.longestS = Math.max(this.longestS, Math.min(tookS, lengthS));
    learned.worked += 1;
    if (lengthS >= Math.min(learned.lostS, this.maxS)) [learned.lostS, learned.needed] = [0, 1];
    if (learned.worked < learned.needed) return;
    learned.worked = 0;
    learned.lengthS = Math.max(learned.lengthS, Math.min(2 * lengthS, this.pace.maxHoldS));
  }

  /**
   * Record a hold that was lost after `tookS`. One that was lost earlier than others worked is no sign of a limit,
   * unless it happens twice in a row.
   * @param {number} tookS
   */
  lost(tookS) {
    const { lengthS, learned } = this;
    if (tookS < Math.min(this.pace.minHoldS, lengthS)) return;
    if (tookS < this.longestS && !this.doubted) {
      this.doubted = true;
      return;
    }
    this.longestS = Math.min(this.longestS, tookS);
    learned.worked = 0;
    learned.needed = Math.min(8 * learned.needed, MAX_HOLDS_BEFORE_GROWTH);
    learned.lostS = Math.max(learned.lostS, lengthS);
    learned.lengthS = lengthS / 2;
  }
}

/** Tracks one order or one feed with one request at a time. */
export class Machine {
  /**
   * @param {{mode?: Mode, feed?: boolean, cursor?: string | null, clientId?: string, pace?: Partial<Pace>, learned?: Learned | null}} options
   * @param {() => number} random gives a number from 0 to 1
   */
  constructor({ mode = 'live', feed = false, cursor = null, clientId, pace, learned }, random) {
    this.isFeed = feed;
    this.clientId = clientId;
    this.cursor = cursor;
    this.random = random;
    this.pace = { ...PACE, ...pace };
    this.hold = new Hold(this.pace, learned);
    this.isSaver = mode === 'saver';
    /** @type {'idle' | 'polling' | 'waiting' | 'paused' | 'ended'} */
    this.state = 'idle';
    /** @type {Connection | null} */
    this.connection = null;
    /** @type {number | null} */
    this.version = null; // of the answer that was delivered last
    this.hasAnswer = false;
    this.failures = 0;
    this.isProbeNext = true;
    /** @type {string | null} */
    this.reason = null; // of the last answer; null after a failure
    /** @type {string | null} */
    this.reasonBefore = null;
    this.repetitions = 0;
    this.isHidden = false;
    this.isOffline = false;
    this.notBeforeS = -Infinity; // by Retry-After
    this.id = 0;
    this.isHold = false;
    this.sentAtS = 0;
    this.nowS = 0;
    /** @type {Command[]} */
    this.commands = [];
  }

  /** Process an event. @param {MachineEvent} event @param {number} nowS @returns {Command[]} */
  handle(event, nowS) {
    this.nowS = nowS;
    this.commands = [];
    if (this.state !== 'ended') this._process(event);
    return this.commands;
  }

  /** @param {MachineEvent} event */
  _process(event) {
    switch (event.type) {
      case 'start':
        if (this.state === 'idle') this._goOn();
        break;
      case 'answer':
        if (this.state === 'polling' && event.id === this.id) this._receive(event);
        break;
      case 'failure':
        if (this.state === 'polling' && event.id === this.id) this._fail(event.offline);
        break;
      case 'timer':
        if (this.state === 'waiting') this._send();
        else if (this.state === 'polling') {
          this._do({ do: 'cancel' });
          this._fail();
        }
        break;
      case 'hidden':
      case 'offline':
        this[event.type === 'hidden' ? 'isHidden' : 'isOffline'] = true;
        if (this.state !== 'idle') this._pause();
        break;
      case 'visible':
      case 'online':
        this[event.type === 'visible' ? 'isHidden' : 'isOffline'] = false;
        if (this.state === 'paused' || (this.state === 'waiting' && this.failures > 0)) this._goOn();
        break;
      case 'network':
        this.hold.learn(event.learned);
        if (this.state === 'polling' || this.state === 'waiting') {
          this._do({ do: 'cancel' }); // the connection of the old network is dead, without a sign
          this._goOn();
        }
        break;
      case 'mode': {
        const wasSaver = this.isSaver;
        this.isSaver = event.mode === 'saver';
        if (wasSaver && !this.isSaver && this.state === 'waiting' && !this.failures) this._goOn();
        break;
      }
      case 'stop':
        this._do({ do: 'cancel' });
        this._end('stopped');
    }
  }

  /** @param {Command} command */
  _do(command) {
    this.commands.push(command);
  }

  /** @param {Connection} state @param {number} [retryInS] */
  _connect(state, retryInS) {
    if (state === this.connection && retryInS === undefined) return;
    this.connection = state;
    this._do({ do: 'connection', state, retryInS });
  }

  /** @param {'ended' | 'stopped' | 'refused'} state @param {Problem} [error] */
  _end(state, error) {
    this.state = 'ended';
    this._connect(state);
    this._do({ do: 'end', error });
  }

  /** Begin, or continue after a pause. */
  _goOn() {
    if (this.isHidden || this.isOffline) return this._pause();
    this.isProbeNext = true;
    if (!this.hasAnswer && !this.failures) this._connect('connecting');
    else if (this.connection !== 'live') this._connect('reconnecting');
    const seconds = this.notBeforeS - this.nowS;
    if (seconds > 0) this._wait(seconds);
    else this._send();
  }

  _pause() {
    if (this.state === 'polling' || this.state === 'waiting') this._do({ do: 'cancel' });
    this.state = 'paused';
    this._connect(this.isHidden ? 'paused' : 'offline');
  }

  /** @param {number} seconds */
  _wait(seconds) {
    this.state = 'waiting';
    this._do({ do: 'wait', seconds });
  }

  _send() {
    /** @type {Record<string, string>} */
    const query = this.clientId ? { client_id: this.clientId } : {};
    this.isHold = this.cursor !== null && !this.isSaver && !this.isProbeNext;
    const timeoutS = this.isHold ? this.hold.lengthS : 0;
    if (this.cursor !== null) {
      query.cursor = this.cursor;
      query.timeout = String(Math.round(timeoutS * 1000) / 1000);
    }
    this.isProbeNext = false;
    this.sentAtS = this.nowS;
    this.state = 'polling';
    this._do({ do: 'send', id: ++this.id, query, deadlineS: timeoutS + this.pace.marginS });
  }

  /** @param {boolean} [isOffline] */
  _fail(isOffline) {
    const tookS = this._endPoll();
    if (this.isHold) this._lose(tookS);
    this._backOff({ isProbe: true, isOffline });
  }

  _endPoll() {
    this.reasonBefore = this.reason;
    this.reason = null;
    return this.nowS - this.sentAtS;
  }

  /** @param {number} tookS */
  _lose(tookS) {
    this.hold.lost(tookS);
    this._do({ do: 'remember', learned: { ...this.hold.learned } });
  }

  /** @param {Extract<MachineEvent, {type: 'answer'}>} event */
  _receive({ status, headers = {}, body }) {
    const tookS = this._endPoll();
    const value = parse(body);
    if (status >= 400) {
      if (status < 500 && !TEMPORARY_4XX.includes(status)) {
        const code = typeof value?.error === 'string' ? value.error : `http_${status}`;
        const message = typeof value?.message === 'string' ? value.message : `The server answered ${status}`;
        return this._end('refused', { status, code, message });
      }
      if (this.isHold && PATH_CUTS_HOLDS.includes(status)) this._lose(tookS);
      return this._backOff({ retryAfterS: retryAfterS(headers), isProbe: status !== 429 && status !== 503 });
    }
    if (status < 200 || status >= 300 || !isUpdate(value, this.isFeed)) return this._backOff({ isProbe: true });
    this._accept(value, tookS);
  }

  /** @param {Answer} update @param {number} tookS */
  _accept(update, tookS) {
    this.hold.allow(update.max_timeout);
    const first = !this.hasAnswer;
    const isReset = update.reset === true;
    const version = this.isFeed ? null : update.data.version;
    if (!first && !isReset && version !== null && version < Number(this.version)) return this._backOff({});
    const isNews = isReset || first ||
      (version === null ? update.has_update === true && update.cursor !== this.cursor : version > Number(this.version));
    this.hasAnswer = true;
    this.version = version;
    if (isNews) {
      this.cursor = update.cursor;
      this._do({ do: 'deliver', answer: update });
    }
    if (!this.isFeed && (update.terminal === true || update.next_poll_interval === 0)) return this._end('ended');
    if (this.isSaver) return this._nextSaver(update);
    this._nextLive(update, tookS, isNews);
  }

  /** @param {Answer} update */
  _nextSaver({ next_poll_interval: advisedS }) {
    this.failures = 0;
    this._connect('live');
    this._wait(clamp(isNumber(advisedS) ? advisedS : this.pace.backoffCapS, 1, 600));
  }

  /** @param {Answer} update @param {number} tookS @param {boolean} isNews */
  _nextLive(update, tookS, isNews) {
    this.reason = update.reset ? 'reset' : update.reason ?? '';
    const isRepeated = this.reason === this.reasonBefore;
    this.repetitions = isRepeated ? this.repetitions + 1 : 0;
    if (this.reason === 'drain') {
      this._connect('live');
      const { drainSpreadS } = this.pace;
      return this._wait(this.repetitions ? this._jitterS(this.repetitions) : this.random() * drainSpreadS);
    }
    if (update.reset && isRepeated && tookS < this.pace.quickS) return this._backOff({});
    if (update.reason === 'superseded') return this._backOff({});
    if (isNews) this.failures = 0;
    else if (this.isHold) {
      if (tookS < Math.min(this.pace.quickS, this.hold.lengthS / 2)) return this._backOff({});
      this.failures = 0;
      if (update.reason === 'timeout') {
        this.hold.worked(tookS);
        this._do({ do: 'remember', learned: { ...this.hold.learned } });
      }
    }
    this._connect('live');
    this._send();
  }

  /** @param {number} times */
  _jitterS(times) {
    const { backoffBaseS, backoffCapS } = this.pace;
    return this.random() * Math.min(backoffCapS, backoffBaseS * 2 ** Math.min(times - 1, 30));
  }

  /** @param {{retryAfterS?: number, isProbe?: boolean, isOffline?: boolean}} how */
  _backOff({ retryAfterS = 0, isProbe = false, isOffline = false }) {
    this.failures += 1;
    this.isProbeNext = isProbe;
    this.notBeforeS = this.nowS + retryAfterS;
    const seconds = retryAfterS + this._jitterS(this.failures);
    this._connect(isOffline ? 'offline' : 'reconnecting', seconds);
    this._wait(seconds);
  }
}

/** @param {string} text @returns {any} */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // a page of a proxy
  }
}

/** @param {any} order */
const isOrder = (order) => isNumber(order?.id) && isNumber(order.version) && typeof order.status === 'string';

/** @param {any} value @param {boolean} isFeed @returns {value is Answer} */
function isUpdate(value, isFeed) {
  const data = value?.data;
  const isValid = isFeed ? Array.isArray(data?.orders) && data.orders.every(isOrder) : isOrder(data);
  return isValid && typeof value.cursor === 'string';
}

/**
 * Return the seconds of `Retry-After`, 0 when it is missing or invalid. A date is compared with the answer's own date.
 * @param {{'retry-after'?: string | null, date?: string | null}} headers
 */
function retryAfterS(headers) {
  const text = (headers['retry-after'] ?? '').trim();
  if (!text) return 0;
  const seconds = isNumber(+text) ? +text : (Date.parse(text) - Date.parse(headers.date ?? '')) / 1000;
  return isNumber(seconds) ? clamp(seconds, 0, MAX_RETRY_AFTER_S) : 0;
}
