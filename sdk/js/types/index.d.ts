export { OrdersTracker } from "./orders.js";
export type Order = import("./types.js").Order;
export type OrderEvent = import("./types.js").OrderEvent;
export type OrderUpdate = import("./types.js").OrderUpdate;
export type OrdersUpdate = import("./types.js").OrdersUpdate;
export type Options = import("./types.js").Options;
export type Platform = import("./types.js").Platform;
export type Connection = import("./types.js").Connection;
export { OrderTracker, TrackerError } from "./tracker.js";
