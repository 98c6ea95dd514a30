export default {
  "order": "Order {id}",
  "summary": {
    "title": "What you ordered",
    "each": "{price} each",
    "total": "Total"
  },
  "share": {
    "button": "Share",
    "copied": "Link copied",
    "copy": "Please copy this link:"
  },
  "page": {
    "reload": "Reload",
    "latest": "Reload this page to see the latest status.",
    "languages": "Language",
    "zone": "Time zone: {zone}",
    "updated": "Updated at {time}"
  },
  "problem": {
    "gone_next": "Tracking links end some time after delivery. If you are still waiting for an order, please ask the restaurant for a new link.",
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
