/** The rules of README.md, "How it polls", without I/O. @module */
/** @import {Answer, AnswerEvent, Command, Connection, Learned, MachineEvent, MachineOptions, Pace, Problem} from './types.js' */

const PACE = {
  firstHoldS: 28, minHoldS: 15, maxHoldS: 240, marginS: 10, backoffBaseS: 1, backoffCapS: 30, drainSpreadS: 1, quickS: 1,
};
const { isFinite } = Number;
const clamp = (value = 0, least = 0, most = 0) => Math.min(Math.max(value, least), most);

/** The length of holds. */
class Hold {
  longestS = 0; // of the holds that worked
  isDoubted = false;

  /** @param {Pace} pace @param {Learned | null} [learned] */
  constructor(pace, learned, limitS = pace.maxHoldS) {
    this.pace = pace;
    this.limitS = limitS;
    const fresh = { lengthS: pace.firstHoldS, needed: 1, worked: 0, lostS: 0 };
    const known = { ...fresh, ...learned };
    this.learned = Object.values(known).every(isFinite) ? known : fresh;
  }

  get lengthS() {
    return clamp(this.learned.lengthS, this.pace.minHoldS, this.limitS);
  }

  worked(tookS = 0) {
    const { lengthS, learned } = this;
    if (tookS < 0.8 * lengthS) return;
    this.isDoubted = false;
    this.longestS = Math.max(this.longestS, Math.min(tookS, lengthS));
    learned.worked += 1;
    if (lengthS >= Math.min(learned.lostS, this.limitS)) Object.assign(learned, { lostS: 0, needed: 1 });
    if (learned.worked < learned.needed) return;
    learned.worked = 0;
    learned.lengthS = clamp(2 * lengthS, learned.lengthS, this.pace.maxHoldS);
  }

  /** A first loss that came earlier than other holds ended is no sign of a limit. */
  lost(tookS = 0) {
    const { lengthS, learned, longestS } = this;
    if (tookS < Math.min(this.pace.minHoldS, lengthS)) return;
    if (tookS < longestS && !this.isDoubted) {
      this.isDoubted = true;
      return;
    }
    this.longestS = Math.min(longestS, tookS);
    this.learned = { lengthS: lengthS / 2, needed: Math.min(8 * learned.needed, 64), worked: 0, lostS: Math.max(learned.lostS, lengthS) };
  }
}

export class Machine {
  /** @type {'idle' | 'polling' | 'waiting' | 'paused' | 'ended'} */
  state = 'idle';
  /** @type {Connection | null} */
  connection = null;
  /** @type {Command[]} */
  commands = [];
  version = 0; // of the order in the last answer
  hasAnswer = false;
  failures = 0;
  reason = ''; // of the last answer; empty after a failure
  reasonBefore = '';
  repetitions = 0;
  isProbeNext = true;
  isHold = false;
  isLow = false; // on power or data
  isHidden = false;
  isOffline = false;
  id = 0;
  nowS = 0;
  sentAtS = 0;
  tookS = 0; // by the last poll
  notBeforeS = 0; // by Retry-After
  restS = 0; // from the check of a hold to its deadline

  /** @param {MachineOptions} options @param {() => number} random */
  constructor({ mode, cursor, clientId, pace, learned }, random) {
    this.clientId = clientId;
    this.cursor = cursor;
    this.random = random;
    this.pace = { ...PACE, ...pace };
    this.hold = new Hold(this.pace, learned);
    this.isSaver = this.isSleeping = mode === 'saver';
  }

  /** @param {MachineEvent} event @param {number} nowS of a clock that never goes back */
  handle(event, nowS) {
    const { state } = this;
    const { type } = event;
    const isPolling = state === 'polling';
    const isWaiting = state === 'waiting';
    this.nowS = nowS;
    this.commands = [];
    if (state === 'ended' || ('id' in event && !(isPolling && event.id === this.id))) return [];
    if (type === 'start') this._goOn();
    else if (type === 'answer') this._receive(event);
    else if (type === 'failure') this._fail(event.offline);
    else if (type === 'timer') {
      if (isWaiting) this._send();
      else if (isPolling && this.restS) {
        this._connect('live'); // the server has not refused to hold
        this.commands.push({ do: 'wait', timerS: this.restS });
        this.restS = 0;
      } else if (isPolling) {
        this.commands.push({ do: 'cancel' });
        this._fail();
      }
    } else if (type === 'network') {
      this.hold = new Hold(this.pace, event.learned, this.hold.limitS);
      if (isPolling || isWaiting) {
        this.commands.push({ do: 'cancel' }); // the connection on the old network is dead, without a sign
        this._goOn();
      }
    } else if (type === 'power') {
      this.isLow = event.isLow;
      if (!this.isLow && this.isSleeping && isWaiting && !this.failures) this._goOn();
    } else if (type === 'stop') {
      this.commands.push({ do: 'cancel' });
      this._end('stopped');
    } else {
      if (type === 'hidden' || type === 'visible') this.isHidden = type === 'hidden';
      else this.isOffline = type === 'offline';
      if (this.isBlocked ? state !== 'idle' : state === 'paused' || (isWaiting && this.failures)) this._goOn();
    }
    return this.commands;
  }

  get isBlocked() {
    return this.isHidden || this.isOffline;
  }

  /** @param {Connection} state @param {number} [retryInS] */
  _connect(state, retryInS) {
    if (state === this.connection && retryInS === undefined) return;
    this.connection = state;
    this.commands.push({ do: 'connection', state, retryInS });
  }

  /** @param {Connection} state @param {Problem} [error] */
  _end(state, error) {
    this.state = 'ended';
    this._connect(state);
    this.commands.push({ do: 'end', error });
  }

  _goOn() {
    if (this.isBlocked) {
      if (this.state === 'polling' || this.state === 'waiting') this.commands.push({ do: 'cancel' });
      this.state = 'paused';
      return this._connect(this.isHidden ? 'paused' : 'offline');
    }
    this.isProbeNext = true;
    if (this.connection !== 'live') this._connect(this.hasAnswer || this.failures ? 'reconnecting' : 'connecting');
    if (this.notBeforeS > this.nowS) this._wait(this.notBeforeS - this.nowS);
    else this._send();
  }

  _wait(timerS = 0) {
    this.state = 'waiting';
    this.commands.push({ do: 'wait', timerS });
  }

  _send() {
    const { clientId, cursor, pace } = this;
    this.isHold = Boolean(cursor) && !this.isSleeping && !this.isProbeNext;
    const timeoutS = this.isHold ? this.hold.lengthS : 0;
    const query = { ...clientId && { client_id: clientId }, ...cursor && { cursor, timeout: String(Math.round(timeoutS * 1000) / 1000) } };
    this.isProbeNext = false;
    this.sentAtS = this.nowS;
    this.state = 'polling';
    const timerS = timeoutS + pace.marginS;
    this.commands.push({ do: 'send', id: ++this.id, query, timerS });
    const checkS = 3 * pace.quickS;
    this.restS = this.isHold && this.connection !== 'live' ? Math.max(timerS - checkS, 0) : 0;
    if (this.restS) this.commands.push({ do: 'check', timerS: checkS });
  }

  _fail(isOffline = false) {
    this._endPoll();
    if (this.isHold) this._record('lost');
    this._backOff(true, 0, isOffline);
  }

  _endPoll() {
    this.tookS = this.nowS - this.sentAtS;
    this.reasonBefore = this.reason;
    this.reason = '';
  }

  /** @param {'lost' | 'worked'} how */
  _record(how) {
    this.hold[how](this.tookS);
    this.commands.push({ do: 'remember', learned: { ...this.hold.learned } });
  }

  /** @param {AnswerEvent} event */
  _receive({ status, headers = {}, body }) {
    this._endPoll();
    const value = parse(body);
    if (status >= 200 && status < 300 && isAnswer(value)) return this._accept(value);
    const code = value?.error;
    if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) {
      return this._end('refused', { status, code: String(code ?? `http_${status}`), message: String(value?.message ?? `HTTP ${status}`) });
    }
    if (this.isHold && [502, 504, 524].includes(status)) this._record('lost');
    const isBusy = [429, 503].includes(status) && typeof code === 'string'; // it would answer a probe
    this._backOff(!isBusy, retryAfterS(headers));
  }

  /** @param {Answer} answer */
  _accept(answer) {
    const { cursor, data: { version }, more, reset, max_timeout: limitS, next_poll_interval: advisedS } = answer;
    const { hold, pace } = this;
    if (isFinite(limitS) && limitS > 0) hold.limitS = clamp(limitS, pace.quickS, pace.maxHoldS);
    if (version < this.version && !reset) return this._backOff();
    const isNews = reset || !this.hasAnswer || version > this.version || (!version && answer.has_update && cursor !== this.cursor);
    this.hasAnswer = true;
    this.version = version;
    if (isNews) {
      this.cursor = cursor;
      this.commands.push({ do: 'deliver', answer });
    }
    if (answer.terminal === true || advisedS === 0) return this._end('ended');
    // a hold costs less, except where the path loses holds that are no longer
    this.isSleeping = this.isSaver || (this.isLow && hold.learned.lostS > 0 && 2 * hold.lengthS <= advisedS);
    if (!this.isSleeping) return this._nextLive(answer, isNews);
    this.failures = 0;
    this._connect('live');
    if (more && isNews) this._send();
    else this._wait(clamp(isFinite(advisedS) ? advisedS : pace.backoffCapS, 1, 600));
  }

  /** @param {Answer} answer @param {boolean} isNews */
  _nextLive({ reset, reason = '' }, isNews) {
    const { isHold, pace: { quickS, drainSpreadS }, tookS } = this;
    this.reason = reset ? 'reset' : reason;
    const times = this.repetitions = this.reason === this.reasonBefore ? this.repetitions + 1 : 0;
    if (this.reason === 'drain') {
      this._connect('live');
      return this._wait(times ? this._jitterS(times) : this.random() * drainSpreadS);
    }
    if (reason === 'superseded' || (reset && times && tookS < quickS)) return this._backOff();
    if (isHold && !isNews) {
      if (tookS < Math.min(quickS, this.hold.lengthS / 2)) return this._backOff(); // neither held nor news
      if (reason === 'timeout') this._record('worked');
    }
    if (isHold || isNews) this.failures = 0;
    this._connect('live');
    this._send();
  }

  _jitterS(times = 1) {
    return this.random() * Math.min(this.pace.backoffCapS, this.pace.backoffBaseS * 2 ** (times - 1));
  }

  _backOff(isProbe = false, leastS = 0, isOffline = false) {
    this.failures += 1;
    this.isProbeNext = isProbe;
    this.notBeforeS = this.nowS + leastS;
    const waitS = leastS + this._jitterS(this.failures);
    this._connect(isOffline ? 'offline' : 'reconnecting', waitS);
    this._wait(waitS);
  }
}

/** @param {string} text @returns {any} null for a page of a proxy */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** @param {any} value @returns {value is Answer} */
function isAnswer(value) {
  const data = value?.data;
  const orders = data?.orders ?? [data];
  return typeof value?.cursor === 'string' && Array.isArray(orders)
    && orders.every((order) => isFinite(order?.id) && isFinite(order.version) && typeof order.status === 'string');
}

/** @param {Record<string, any>} headers */
function retryAfterS({ 'retry-after': text, date }) {
  const seconds = isFinite(+text) ? +text : (Date.parse(text) - Date.parse(date)) / 1000;
  return clamp(seconds, 0, 3600) || 0;
}
