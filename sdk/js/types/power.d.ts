/**
 * @param {any} navigator
 * @param {(isLow: boolean) => void} report
 * @param {(target: any, type: string, listener: () => void) => void} listen
 */
export function watchPower(navigator: any, report: (isLow: boolean) => void, listen: (target: any, type: string, listener: () => void) => void): Promise<void>;
