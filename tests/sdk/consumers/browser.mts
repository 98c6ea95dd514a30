// The script of a page. It is compiled, not run.
import { OrderTracker } from 'ordertrack';
import type { Order, OrderUpdate } from 'ordertrack';
import { OrderTrackerElement } from 'ordertrack/widget';

const tracker = new OrderTracker({ link: 'https://orders.example.com/t/otl_...', signal: AbortSignal.timeout(1000) });
const target: EventTarget = tracker;
tracker.addEventListener('update', (event: CustomEvent<OrderUpdate>) => event.preventDefault(), { once: true });

const element: OrderTrackerElement = document.createElement('order-tracker');
const order: Order | null | undefined = element.tracker?.order;
element.addEventListener('update', ({ detail }) => detail.order.timeline.at(-1)?.type);
element.addEventListener('error', ({ detail }) => detail.error.status);
element.addEventListener('click', (event) => event.clientX);
document.querySelector('order-tracker')?.setAttribute('token', 'token');
document.body.append(element);
export { order, target };
