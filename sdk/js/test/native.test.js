// The entry for React Native, which has neither EventTarget nor CustomEvent.
import assert from 'node:assert/strict';
import { test } from 'node:test';

delete globalThis.EventTarget;
delete globalThis.CustomEvent;
const { OrderTracker } = await import('../src/native.js');

test('a tracker has events without those of the platform', async () => {
  const tracker = new OrderTracker(101, { url: 'http://localhost', signal: AbortSignal.abort() });
  const seen = [];
  const removed = () => seen.push('removed');
  tracker.addEventListener('end', removed);
  tracker.removeEventListener('end', removed);
  tracker.addEventListener('end', ({ type, detail }) => seen.push([type, detail]), { once: true });
  await tracker.startTracking();
  await tracker.startTracking();
  assert.deepEqual(seen, [['end', { error: undefined }]]);
});
