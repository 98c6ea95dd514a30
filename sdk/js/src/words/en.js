export default {
  "headline": {
    "confirmed": "Your order is confirmed",
    "preparing": "Your order is being prepared",
    "ready": "Your order is ready",
    "picked_up": "Your order is on its way",
    "delivered": "Delivered. Enjoy!",
    "cancelled": "Your order was cancelled",
    "unknown": "Your order is in progress"
  },
  "step": {
    "confirmed": "Confirmed",
    "preparing": "Preparing",
    "ready": "Ready",
    "picked_up": "On its way",
    "delivered": "Delivered",
    "cancelled": "Cancelled"
  },
  "state": {
    "done": "Done",
    "current": "Now",
    "next": "Still to come",
    "skipped": "Skipped"
  },
  "eta": {
    "expected": "Expected arrival",
    "due": "Expected arrival",
    "overdue": "Latest estimate",
    "arrived": "Delivered at",
    "planned": "Originally planned:"
  },
  "notice": {
    "cancelled_restaurant": "The restaurant cancelled this order.",
    "cancelled_customer": "The order was cancelled at the customer’s request.",
    "cancelled_courier": "The courier cancelled the delivery.",
    "cancelled_other": "The order will not be delivered.",
    "was_picked_up": "The order had already left the restaurant.",
    "contact": "If you have questions, please contact the restaurant.",
    "reason": "Reason: {reason}",
    "undone": "Correction: “{undone}” was set by mistake. Your order is at “{to}” again.",
    "restored": "The cancellation was withdrawn. Your order continues.",
    "courier_replaced": "Another courier has taken over your order.",
    "late": "Your order will arrive later than planned.",
    "due": "Your order should be with you any moment.",
    "overdue": "Your order is taking longer than expected. There is no new estimate yet.",
    "delivered_late": "Your order arrived later than planned."
  },
  "connection": {
    "connecting": "Connecting…",
    "live": "Always up to date",
    "reconnecting": "Connection lost. Trying again…",
    "offline": "You are offline",
    "ended": "This order has ended. There will be no more updates.",
    "back": "You are connected again.",
    "checked": "Last checked {ago}"
  },
  "updated": {
    "ago": "Changed {ago}",
    "now": "Changed just now"
  },
  "problem": {
    "gone": "This link no longer works",
    "unknown": "We cannot find this order"
  }
};
