/** @param {import('./tracker.js').BaseTracker<any>} tracker */
export function watchPower(tracker: import("./tracker.js").BaseTracker<any>): Promise<void>;
