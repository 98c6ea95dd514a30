// The vectors that the Python client is tested with too: sdk/vectors/tracker/README.md.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Machine } from '../src/machine.js';

const folder = new URL('../../vectors/tracker/', import.meta.url);
const camelCase = (text) => text.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const camelCaseKeys = (object) => object && Object.fromEntries(Object.entries(object).map(([key, value]) => [camelCase(key), value]));
const learned = (hold) => hold && { lengthS: hold.length_s, needed: hold.holds_before_growth, worked: hold.worked, lostS: hold.lost_s };
const rounded = (seconds) => Math.round(seconds * 1e6) / 1e6;

for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const vector = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
  test(`${file}: ${vector.title}`, () => {
    const draws = [...vector.random];
    const { mode, cursor, client_id: clientId, pace, learned_hold: hold } = vector.options;
    const options = { mode, cursor, clientId, pace: camelCaseKeys(pace), learned: learned(hold) };
    const machine = new Machine(options, () => (draws.length > 1 ? draws.shift() : draws[0]));
    let nowS = 0;
    let id = 0;
    vector.steps.forEach((step, number) => {
      nowS += step.after_s ?? 0;
      const { event: type, after_s, status = 200, headers = {}, body, text, low: isLow, learned_hold, id: givenId, ...expected } = step;
      const event = { type, ...(['answer', 'failure'].includes(type) && { id: givenId ?? id }), status, headers, body: text ?? JSON.stringify(body), isLow, learned: learned(learned_hold), offline: step.offline };
      delete expected.offline;
      const outcome = {};
      for (const command of machine.handle(event, nowS)) {
        if (command.do === 'send') {
          id = command.id;
          outcome.send = { query: command.query, deadline_s: command.timerS };
        } else if (command.do === 'wait') outcome.wait_s = rounded(command.timerS);
        else if (command.do === 'cancel') outcome.cancel = true;
        else if (command.do === 'deliver') outcome.deliver = command.answer.data.version ?? command.answer.data.orders.map((order) => order.version);
        else if (command.do === 'end') outcome.end = command.error ? { status: command.error.status, code: command.error.code } : {};
      }
      outcome.connection = machine.connection;
      assert.deepEqual(outcome, expected, `step ${number}: ${type}`);
    });
  });
}
