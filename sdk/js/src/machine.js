/**
 * The protocol of tracking without I/O: events in, commands out. The rules are in README.md, "How it polls".
 * @module
 */

/** @import {Answer, Command, Connection, Learned, MachineEvent, Mode, Pace, Problem} from './types.js' */

/** @type {Pace} */
const PACE = {
  firstHoldS: 28, minHoldS: 15, maxHoldS: 240, marginS: 10, backoffBaseS: 1, backoffCapS: 30, drainSpreadS: 1, quickS: 1,
};

/** @param {unknown} value @returns {value is number} */
const isNumber = (value) => Number.isFinite(value);

/** @param {number} value @param {number} least @param {number} most */
const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** The length of a hold: doubled after holds that worked, halved after one that was lost. */
class Hold {
  /** @param {Pace} pace @param {Learned | null} [learned] */
  constructor(pace, learned) {
    this.pace = pace;
    this.maxS = pace.maxHoldS;
    this.longestS = 0; // of the holds that worked
    this.isDoubted = false;
    const numbers = learned ? [learned.lengthS, learned.needed, learned.worked, learned.lostS] : [];
    /** @type {Learned} */
    this.learned = learned && numbers.every(isNumber) ? { ...learned } : { lengthS: pace.firstHoldS, needed: 1, worked: 0, lostS: 0 };
  }

  get lengthS() {
    return Math.min(Math.max(this.learned.lengthS, this.pace.minHoldS), this.maxS);
  }

  /** Set the server's limit. @param {unknown} limitS */
  allow(limitS) {
    if (isNumber(limitS) && limitS > 0) this.maxS = Math.max(Math.min(limitS, this.pace.maxHoldS), this.pace.quickS);
  }

  /** Record a hold that ended by its timeout. @param {number} tookS */
  worked(tookS) {
    const { lengthS, learned } = this;
    if (tookS < 0.8 * lengthS) return;
    this.isDoubted = false;
    this.longestS = Math.max(this.longestS, Math.min(tookS, lengthS));
    learned.worked += 1;
    if (lengthS >= Math.min(learned.lostS, this.maxS)) [learned.lostS, learned.needed] = [0, 1];
    if (learned.worked < learned.needed) return;
    learned.worked = 0;
    learned.lengthS = Math.max(learned.lengthS, Math.min(2 * lengthS, this.pace.maxHoldS));
  }

  /** Record a loss. One that came before other holds ended is no sign of a limit, unless it is the second in a row. @param {number} tookS */
  lost(tookS) {
    const { lengthS, learned } = this;
    if (tookS < Math.min(this.pace.minHoldS, lengthS)) return;
    if (tookS < this.longestS && !this.isDoubted) {
      this.isDoubted = true;
      return;
    }
    this.longestS = Math.min(this.longestS, tookS);
    const needed = Math.min(8 * learned.needed, 64);
    this.learned = { lengthS: lengthS / 2, needed, worked: 0, lostS: Math.max(learned.lostS, lengthS) };
  }
}

/** Tracks one order or one feed with one request at a time. */
export class Machine {
  /**
   * @param {{mode?: Mode, feed?: boolean, cursor?: string | null, clientId?: string, pace?: Partial<Pace>, learned?: Learned | null}} options
   * @param {() => number} random gives a number from 0 to 1
   */
  constructor({ mode, feed = false, cursor = null, clientId, pace, learned }, random) {
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
    this.version = 0; // of the order in the last answer
    this.hasAnswer = false;
    this.failures = 0;
    this.isProbeNext = true;
    this.reason = ''; // of the last answer; empty after a failure
    this.reasonBefore = '';
    this.repetitions = 0;
    this.isHidden = false;
    this.isOffline = false;
    this.notBeforeS = 0; // by Retry-After
    this.id = 0;
    this.isHold = false;
    this.sentAtS = 0;
    this.restS = 0; // from the check of a hold to its deadline
    this.nowS = 0;
    /** @type {Command[]} */
    this.commands = [];
  }

  /** Process an event at a time of a clock that never goes back. @param {MachineEvent} event @param {number} nowS */
  handle(event, nowS) {
    this.nowS = nowS;
    this.commands = [];
    if (this.state !== 'ended') this._process(event);
    return this.commands;
  }

  /** @param {MachineEvent} event */
  _process(event) {
    const { state } = this;
    const isPolling = state === 'polling';
    switch (event.type) {
      case 'start':
        if (state === 'idle') this._goOn();
        break;
      case 'answer':
        if (isPolling && event.id === this.id) this._receive(event);
        break;
      case 'failure':
        if (isPolling && event.id === this.id) this._fail(event.offline);
        break;
      case 'timer':
        if (state === 'waiting') this._send();
        else if (isPolling && this.restS > 0) {
          this._connect('live'); // the server has not refused to hold
          this._do({ do: 'wait', seconds: this.restS });
          this.restS = 0;
        } else if (isPolling) {
          this._do({ do: 'cancel' });
          this._fail();
        }
        break;
      case 'hidden':
      case 'offline':
        this[event.type === 'hidden' ? 'isHidden' : 'isOffline'] = true;
        if (state !== 'idle') this._pause();
        break;
      case 'visible':
      case 'online':
        this[event.type === 'visible' ? 'isHidden' : 'isOffline'] = false;
        if (state === 'paused' || (state === 'waiting' && this.failures)) this._goOn();
        break;
      case 'network': {
        const { maxS } = this.hold;
        this.hold = new Hold(this.pace, event.learned);
        this.hold.maxS = maxS;
        if (isPolling || state === 'waiting') {
          this._do({ do: 'cancel' }); // the connection on the old network is dead, without a sign
          this._goOn();
        }
        break;
      }
      case 'mode': {
        const wasSaver = this.isSaver;
        this.isSaver = event.mode === 'saver';
        if (wasSaver && !this.isSaver && state === 'waiting' && !this.failures) this._goOn();
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

  /** @param {Connection} state @param {Problem} [error] */
  _end(state, error) {
    this.state = 'ended';
    this._connect(state);
    this._do({ do: 'end', error });
  }

  /** Begin, or continue after a pause. */
  _goOn() {
    if (this.isHidden || this.isOffline) return this._pause();
    this.isProbeNext = true;
    if (this.connection !== 'live') this._connect(this.hasAnswer || this.failures ? 'reconnecting' : 'connecting');
    if (this.notBeforeS > this.nowS) this._wait(this.notBeforeS - this.nowS);
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
    const deadlineS = timeoutS + this.pace.marginS;
    this._do({ do: 'send', id: ++this.id, query, deadlineS });
    const checkS = 3 * this.pace.quickS;
    this.restS = this.isHold && this.connection !== 'live' ? deadlineS - checkS : 0;
    if (this.restS > 0) this._do({ do: 'check', seconds: checkS });
  }

  /** @param {boolean} [isOffline] */
  _fail(isOffline) {
    const tookS = this._endPoll();
    if (this.isHold) this._record('lost', tookS);
    this._backOff({ isProbe: true, isOffline });
  }

  _endPoll() {
    this.reasonBefore = this.reason;
    this.reason = '';
    return this.nowS - this.sentAtS;
  }

  /** @param {'lost' | 'worked'} how @param {number} tookS */
  _record(how, tookS) {
    this.hold[how](tookS);
    this._do({ do: 'remember', learned: { ...this.hold.learned } });
  }

  /** @param {Extract<MachineEvent, {type: 'answer'}>} event */
  _receive({ status, headers = {}, body }) {
    const tookS = this._endPoll();
    const value = parse(body);
    if (status < 200 || (status < 400 && (status >= 300 || !isAnswer(value, this.isFeed)))) return this._backOff({ isProbe: true });
    if (status < 400) return this._accept(value, tookS);
    if (status < 500 && ![408, 425, 429].includes(status)) {
      const { error: code = `http_${status}`, message = `The server answered ${status}` } = value ?? {};
      return this._end('refused', { status, code: String(code), message: String(message) });
    }
    if (this.isHold && [502, 504, 524].includes(status)) this._record('lost', tookS);
    const isBusy = (status === 429 || status === 503) && typeof value?.error === 'string'; // it would answer a probe
    this._backOff({ retryAfterS: retryAfterS(headers), isProbe: !isBusy });
  }

  /** @param {Answer} answer @param {number} tookS */
  _accept(answer, tookS) {
    const { cursor, data: { version }, reset = false } = answer;
    this.hold.allow(answer.max_timeout);
    const isOlder = !this.isFeed && version < this.version && !reset;
    if (isOlder) return this._backOff({});
    const isNews = reset || !this.hasAnswer || (this.isFeed ? answer.has_update && cursor !== this.cursor : version > this.version);
    this.hasAnswer = true;
    this.version = version;
    if (isNews) {
      this.cursor = cursor;
      this._do({ do: 'deliver', answer });
    }
    if (!this.isFeed && (answer.terminal === true || answer.next_poll_interval === 0)) this._end('ended');
    else if (this.isSaver) this._nextSaver(answer);
    else this._nextLive(answer, tookS, isNews);
  }

  /** @param {Answer} answer */
  _nextSaver({ next_poll_interval: advisedS }) {
    this.failures = 0;
    this._connect('live');
    this._wait(clamp(isNumber(advisedS) ? advisedS : this.pace.backoffCapS, 1, 600));
  }

  /** @param {Answer} answer @param {number} tookS @param {boolean} isNews */
  _nextLive({ reset, reason = '' }, tookS, isNews) {
    const { quickS, drainSpreadS } = this.pace;
    this.reason = reset ? 'reset' : reason;
    const isRepeated = this.reason === this.reasonBefore;
    this.repetitions = isRepeated ? this.repetitions + 1 : 0;
    if (this.reason === 'drain') {
      this._connect('live');
      return this._wait(isRepeated ? this._jitterS(this.repetitions) : this.random() * drainSpreadS);
    }
    if (reason === 'superseded' || (reset && isRepeated && tookS < quickS)) return this._backOff({});
    if (this.isHold && !isNews) {
      if (tookS < Math.min(quickS, this.hold.lengthS / 2)) return this._backOff({}); // neither held nor news
      if (reason === 'timeout') this._record('worked', tookS);
    }
    if (this.isHold || isNews) this.failures = 0;
    this._connect('live');
    this._send();
  }

  /** @param {number} times */
  _jitterS(times) {
    const { backoffBaseS, backoffCapS } = this.pace;
    return this.random() * Math.min(backoffCapS, backoffBaseS * 2 ** (times - 1));
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
    return null; // a page of a proxy
  }
}

/** @param {any} order */
const isOrder = (order) => isNumber(order?.id) && isNumber(order.version) && typeof order.status === 'string';

/** @param {any} value @param {boolean} isFeed @returns {value is Answer} */
function isAnswer(value, isFeed) {
  const data = value?.data;
  return typeof value?.cursor === 'string' && (isFeed ? Array.isArray(data?.orders) && data.orders.every(isOrder) : isOrder(data));
}

/** @param {{'retry-after'?: string | null, date?: string | null}} headers */
function retryAfterS({ 'retry-after': text, date }) {
  if (!text) return 0;
  const seconds = isNumber(+text) ? +text : (Date.parse(text) - Date.parse(date ?? '')) / 1000;
  return isNumber(seconds) ? clamp(seconds, 0, 3600) : 0;
}
