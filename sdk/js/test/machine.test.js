// Promises that hold for any order of events. Single rules are in the vectors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Machine } from '../src/machine.js';

/** Return a function that gives the same numbers from 0 to 1 for a seed (mulberry32). */
function seeded(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A server with one order, a path that fails at random, and a device that is hidden and offline at random. */
class World {
  constructor(seed) {
    this.random = seeded(seed);
    this.machine = new Machine({}, this.random);
    this.nowS = 0;
    this.epoch = 0;
    this.version = 1;
    this.hasRequest = false;
    this.isBlocked = { hidden: false, offline: false };
    this.delivered = [];
    this.quick = 0; // requests in a row without news, hold or wait
  }

  pick(values) {
    return values[Math.floor(this.random() * values.length)];
  }

  give(event) {
    const commands = this.machine.handle(event, this.nowS);
    let isNews = false;
    for (const command of commands) {
      switch (command.do) {
        case 'send':
          assert.ok(!this.hasRequest, 'one request at a time');
          assert.ok(!this.isBlocked.hidden && !this.isBlocked.offline, 'no request while hidden or offline');
          assert.ok(command.timerS <= 250);
          this.hasRequest = true;
          this.request = command;
          this.timerS = this.nowS + command.timerS;
          break;
        case 'wait':
          assert.ok(command.timerS >= 0 && command.timerS <= 3630);
          this.timerS = this.nowS + command.timerS;
          break;
        case 'cancel':
          this.hasRequest = false;
          this.timerS = undefined;
          break;
        case 'deliver':
          isNews = true;
          this.delivered.push(command.answer);
      }
    }
    return isNews;
  }

  answer(body, status = 200, headers = {}) {
    this.hasRequest = false;
    return this.give({ type: 'answer', id: this.request.id, status, headers, body });
  }

  honestAnswer() {
    const { cursor, timeout = '0' } = this.request.query;
    const position = `${this.epoch}.${this.version}`;
    const [epoch, version] = (cursor ?? '').split('.');
    const reason = !cursor ? 'snapshot' : Number(epoch) !== this.epoch ? 'reset' : Number(version) < this.version ? 'changed' : 'timeout';
    if (reason === 'timeout') this.nowS += Number(timeout);
    return this.answer(JSON.stringify({
      success: true, data: { id: 1, status: 'ready', version: this.version }, cursor: position, reason, reset: reason === 'reset',
      has_update: reason !== 'timeout', next_poll_interval: 30, max_timeout: 120,
    }));
  }

  step() {
    this.nowS += this.random() * 2;
    const choice = this.random();
    if (choice < 0.1) this.version += 1;
    else if (choice < 0.12) [this.epoch, this.version] = [this.epoch + 1, 1];
    else if (choice < 0.3) {
      const type = this.pick(['hidden', 'visible', 'offline', 'online']);
      const which = type === 'hidden' || type === 'visible' ? 'hidden' : 'offline';
      this.isBlocked[which] = type === which;
      this.give({ type });
    } else if (choice < 0.33) this.give({ type: 'power', isLow: this.pick([true, false]) });
    else if (choice < 0.35) this.give({ type: 'network' });
    else if (this.hasRequest) this.outcome();
    else if (this.timerS !== undefined) {
      this.nowS = Math.max(this.nowS, this.timerS);
      this.timerS = undefined;
      this.give({ type: 'timer' });
    }
  }

  outcome() {
    const choice = this.random();
    if (choice < 0.5) this.honestAnswer();
    else if (choice < 0.6) this.answer('<html>A proxy</html>');
    else if (choice < 0.7) this.answer('{}', this.pick([429, 500, 502, 503, 504, 524]), { 'retry-after': this.pick(['3', null]) });
    else if (choice < 0.8) {
      this.hasRequest = false;
      this.give({ type: 'failure', id: this.request.id });
    } else if (choice < 0.9) {
      this.nowS += this.request.timerS;
      this.give({ type: 'timer' });
    } else {
      const version = Math.max(1, this.version - 1);
      this.answer(JSON.stringify({ data: { id: 1, status: 'ready', version }, cursor: `${this.epoch}.${version}`, reason: this.pick(['drain', 'superseded', 'changed']) }));
    }
  }

  /** After any history, an honest path brings the newest state. */
  finish() {
    for (const type of ['visible', 'online']) {
      this.isBlocked = { hidden: false, offline: false };
      this.give({ type });
    }
    for (let tries = 0; tries < 5; tries += 1) {
      if (!this.hasRequest) {
        this.nowS = this.timerS;
        this.give({ type: 'timer' });
      }
      this.honestAnswer();
    }
    const { data, cursor } = this.delivered.at(-1);
    assert.deepEqual([cursor, data.version], [`${this.epoch}.${this.version}`, this.version]);
  }
}

test('any order of events keeps the promises', () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const world = new World(seed);
    world.give({ type: 'start' });
    for (let steps = 0; steps < 200; steps += 1) world.step();
    world.finish();
    world.delivered.reduce((before, answer) => {
      assert.ok(answer.reset || answer.data.version > before.data.version, `seed ${seed}: the position went back`);
      return answer;
    });
    world.give({ type: 'stop' });
    assert.deepEqual(world.give({ type: 'timer' }), false);
  }
});

test('a server that answers at once without news causes no busy loop', () => {
  const machine = new Machine({}, () => 1);
  let nowS = 0;
  let requests = 0;
  let commands = machine.handle({ type: 'start' }, nowS);
  while (nowS < 600 && requests < 100) {
    const last = commands.at(-1);
    if (last.do === 'send') {
      requests += 1;
      const body = { data: { id: 1, status: 'ready', version: 1 }, cursor: 'e.1', reason: 'changed', has_update: true };
      commands = machine.handle({ type: 'answer', id: last.id, status: 200, body: JSON.stringify(body) }, nowS);
    } else {
      nowS += last.timerS;
      commands = machine.handle({ type: 'timer' }, nowS);
    }
  }
  assert.ok(requests < 30, `${requests} requests in 10 minutes`);
});

test('what was learned on a path is remembered', () => {
  const first = new Machine({}, () => 1);
  const send = (commands) => commands.find((command) => command.do === 'send');
  const answer = (machine, command, reason, nowS) => machine.handle({
    type: 'answer', id: command.id, status: 200,
    body: JSON.stringify({ data: { id: 1, status: 'ready', version: 1 }, cursor: 'e.1', reason, max_timeout: 120 }),
  }, nowS);
  const snapshot = send(first.handle({ type: 'start' }, 0));
  answer(first, snapshot, 'snapshot', 0);
  const { learned } = first.handle({ type: 'timer' }, 38).find((command) => command.do === 'remember');
  assert.equal(learned.lengthS, 14);
  const second = new Machine({ learned }, () => 1);
  const hold = send(answer(second, send(second.handle({ type: 'start' }, 0)), 'snapshot', 0));
  assert.equal(hold.query.timeout, '15');
});

test('a damaged memory is ignored', () => {
  const machine = new Machine({ learned: { lengthS: 'x' } }, () => 1);
  assert.equal(machine.hold.lengthS, 28);
});
