// A program without the types of browsers. It is compiled, not run.
import { OrdersTracker, OrderTracker, TrackerError } from 'ordertrack';
import type { Order, OrderStatus } from 'ordertrack';

const tracker = new OrderTracker(101, { url: 'https://orders.example.com', token: async () => 'token' });
tracker.updateOrderUI = ({ cancellation, eta, items, timeline }: Order): [string | undefined, boolean | undefined, number, string] =>
  [cancellation?.by, eta?.late, items[0].quantity, timeline[0].at];
tracker.addEventListener('connection', ({ detail }) => detail.retryInSeconds?.toFixed());
tracker.addEventListener('error', ({ detail }) => detail.error.code.length);
// @ts-expect-error no such event
tracker.addEventListener('change', () => {});
// @ts-expect-error no such field
tracker.order?.stauts;
// @ts-expect-error no such status
if (tracker.order?.status === 'canceled') tracker.stopTracking();

try {
  for await (const { order, events } of tracker) {
    const statuses: OrderStatus[] = [order.status, ...events.map((event) => event.status)];
    if (statuses.includes('delivered')) break;
  }
} catch (error) {
  if (error instanceof TrackerError && error.status === 401) throw error;
}

const kitchen = new OrdersTracker({ restaurant: 'luigi' });
kitchen.addEventListener('update', ({ detail }) => detail.orders.filter(({ status }) => status !== 'delivered'));
