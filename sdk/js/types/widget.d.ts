export class OrderTrackerElement extends HTMLElement {
    static observedAttributes: string[];
    tracker: OrderTracker | null;
    connectedCallback(): void;
    disconnectedCallback(): void;
    attributeChangedCallback(): void;
    #private;
}
import { OrderTracker } from './tracker.js';
