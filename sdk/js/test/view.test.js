import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { orderView } from '../src/view.js';

const vectors = new URL('../../vectors/view/', import.meta.url);

for (const file of readdirSync(vectors)) {
  for (const { name, now, order, view } of JSON.parse(readFileSync(new URL(file, vectors), 'utf8'))) {
    test(`${file}: ${name}`, () => assert.deepEqual(orderView(order, Date.parse(now)), view));
  }
}
