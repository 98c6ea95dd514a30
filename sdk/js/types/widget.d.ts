export class OrderTrackerElement extends HTMLElement {
    static observedAttributes: string[];
    /** @type {OrderTracker | null} the tracker while the element is in a page */
    tracker: OrderTracker | null;
    connectedCallback(): void;
    disconnectedCallback(): void;
    attributeChangedCallback(): void;
    #private;
}
import { OrderTracker } from './tracker.js';
