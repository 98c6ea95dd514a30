/**
 * Watches whether the device saves data or power; loaded for `mode: 'auto'`.
 * @module
 */

const LOW_BATTERY = 0.2;

/** @param {import('./tracker.js').BaseTracker<any>} tracker */
export async function watchPower(tracker) {
  const { navigator } = tracker._platform;
  const connection = navigator?.connection;
  /** @type {any} */
  let battery;
  const report = () => {
    const isLow = battery?.level < LOW_BATTERY && !battery.charging;
    tracker._handle({ type: 'power', isLow: isLow || connection?.saveData === true });
  };
  tracker._listen(connection, 'change', report);
  report();
  battery = await navigator?.getBattery?.().catch(() => null); // may be forbidden
  for (const type of ['levelchange', 'chargingchange']) tracker._listen(battery, type, report);
  report();
}
