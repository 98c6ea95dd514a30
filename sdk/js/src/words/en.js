export default {
  "order": "Order {id}",
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
  "progress": "Step {number} of {of}",
  "eta": {
    "expected": "Expected arrival",
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
    "overdue": "Your order is later than planned. There is no new estimate yet.",
    "delivered_late": "Your order arrived later than planned."
  },
  "connection": {
    "connecting": "Connecting…",
    "live": "Live",
    "reconnecting": "Connection lost. Trying again…",
    "offline": "You are offline.",
    "ended": "This order has ended. There will be no more updates.",
    "back": "You are connected again.",
    "checked": "Last checked {ago}."
  },
  "updated": {
    "ago": "Updated {ago}",
    "now": "Updated just now",
    "at": "Updated at {time}"
  },
  "share": {
    "button": "Share",
    "copied": "Link copied",
    "failed": "The link could not be copied. Please copy it from the address bar."
  },
  "summary": {
    "title": "Your order",
    "total": "Total"
  },
  "page": {
    "reload": "Reload",
    "noscript": "Reload this page to see the latest status.",
    "zone": "Time zone: {zone}"
  },
  "problem": {
    "gone": "This link no longer works",
    "gone_next": "Tracking links end some time after delivery. If you are still waiting for an order, please ask the restaurant for a new link.",
    "unknown": "We cannot find this order",
    "unknown_next": "Please check the address, or open the link you were sent once more.",
    "foreign": "This order is not yours to view",
    "foreign_next": "Please open the link you were sent for your own order.",
    "token": "This page needs the link you were sent",
    "token_next": "Please open the link from your order confirmation once more.",
    "busy": "Too many requests",
    "busy_next": "Please wait a moment, then reload this page.",
    "down": "We cannot show your order right now",
    "down_next": "Please reload this page in a minute. The status will be up to date then.",
    "other": "Something went wrong",
    "other_next": "Please reload this page. If that does not help, please contact the restaurant."
  }
};
