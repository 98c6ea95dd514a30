/** Write the times of the page in the zone of this device, before the other modules have been loaded. */

import { makeFormat, setContent } from '/sdk/stepper.js';

const format = makeFormat({}, document.documentElement.lang);
const nowMs = Date.now();
for (const time of document.querySelectorAll('time')) {
  const [from, to] = [time.dateTime, time.dataset.to].map(Date.parse);
  setContent(time, to ? format.span({ from, to }, nowMs) : format.time(from, nowMs));
}
for (const zone of document.querySelectorAll('.zone')) zone.remove();
