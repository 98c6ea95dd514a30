import type { Details, OrderUpdate } from './types/types.js';
import type { OrderTrackerElement } from './types/widget.js';

export { OrderTrackerElement } from './types/widget.js';

type WidgetDetails = Details<OrderUpdate>;

declare module './types/widget.js' {
  interface OrderTrackerElement {
    addEventListener<Type extends keyof WidgetDetails>(
      type: Type,
      listener: (event: CustomEvent<WidgetDetails[Type]>) => void,
      options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener<Type extends Exclude<keyof HTMLElementEventMap, 'error'>>(
      type: Type,
      listener: (event: HTMLElementEventMap[Type]) => void,
      options?: boolean | AddEventListenerOptions,
    ): void;
    addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'order-tracker': OrderTrackerElement;
  }
}
