/**
 * Watches whether the device saves data or power; loaded for `mode: 'auto'`.
 * @module
 */

const LOW_BATTERY = 0.2;

/**
 * @param {any} navigator
 * @param {(isLow: boolean) => void} report
 * @param {(target: any, type: string, listener: () => void) => void} listen
 */
export async function watchPower(navigator, report, listen) {
  const connection = navigator?.connection;
  const isSaving = () => connection?.saveData === true;
  let check = () => report(isSaving());
  listen(connection, 'change', () => check());
  check();
  try {
    const battery = await navigator.getBattery();
    check = () => report(isSaving() || (battery.level < LOW_BATTERY && !battery.charging));
    for (const type of ['levelchange', 'chargingchange']) listen(battery, type, check);
    check();
  } catch {
    // not every browser has it or permits it
  }
}
