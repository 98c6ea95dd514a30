"""Use a client made by openapi-python-client, which is importable as `generated`. Print its answers."""

import json
import os

from generated import AuthenticatedClient, Client
from generated.api.changes import set_courier, set_status, set_statuses
from generated.api.links import get_linked_order, list_links, make_link, revoke_link
from generated.api.orders import create_order, get_order, list_events, list_orders
from generated.api.simulation import start_simulation, stop_simulation
from generated.api.system import healthz, system_stats
from generated.api.tracking import track_customer, track_link, track_order
from generated.models import (
    BulkStatusBody,
    CourierBody,
    CreateOrderBody,
    ItemBody,
    OrderStatusBody,
    SimulationBody,
    Status,
    StatusBody,
)

URL = os.environ["ORDERTRACK_URL"]
guest = Client(base_url=URL)
client = AuthenticatedClient(base_url=URL, token=os.environ["ORDERTRACK_TOKEN"])

new = CreateOrderBody(customer_id="ann", restaurant_id="luigi", items=["Lemonade", ItemBody(name="Pizza", quantity=2)])
created = create_order.sync(client=client, body=new).data
id_ = created.id
changed = set_status.sync(id_, client=client, body=StatusBody(status=Status.PREPARING))
refused = set_status.sync(id_, client=client, body=StatusBody(status=Status.CONFIRMED))
assigned = set_courier.sync(id_, client=client, body=CourierBody(courier_id=7))
first = track_order.sync(id_, client=client)
second = track_order.sync(id_, client=client, cursor=first.cursor, timeout=0)
feed = track_customer.sync("ann", client=client)
link = make_link.sync(id_, client=client).data
linked = get_linked_order.sync(link.token, client=guest).data
link_poll = track_link.sync(link.token, client=guest)
revoked = revoke_link.sync(id_, link.id, client=client).data
updates = [OrderStatusBody(order_id=id_, status=Status.READY), OrderStatusBody(order_id=10**9, status=Status.READY)]
bulk = set_statuses.sync(client=client, body=BulkStatusBody(updates=updates)).data.results
simulated = start_simulation.sync(id_, client=client, body=SimulationBody(speed=1)).data
stopped = stop_simulation.sync(id_, client=client).data
stranger = get_order.sync(id_, client=guest)

print(
    json.dumps(
        {
            "health": healthz.sync(client=guest).data.status,
            "created": [created.status, created.customer_id, [item.name for item in created.items], created.note],
            "changed": [changed.success, changed.changed, changed.data.status, changed.data.timeline[-1].type_],
            "refused": [refused.success, refused.status, refused.error, refused.current_version, refused.legal_next],
            "assigned": assigned.data.courier_id,
            "polls": [first.reason, first.has_update, second.reason, second.has_update, second.next_poll_interval],
            "feed": [feed.more, id_ in [order.id for order in feed.data.orders]],
            "linked": [linked.customer_id, linked.status, link_poll.reason, link_poll.data.courier_id],
            "links": [one.id for one in list_links.sync(id_, client=client).data.links] == [link.id],
            "revoked": isinstance(revoked.revoked_at, str),
            "bulk": [[result.success, result.error or None] for result in bulk],
            "simulated": [[step.status for step in simulated.steps], len(stopped.steps)],
            "listed": [order.id == id_ for order in list_orders.sync(client=client, limit=1).data.orders],
            "events": [event.version for event in list_events.sync(id_, client=client, after=2).data.events],
            "stranger": [stranger.error, stranger.why],
            "stats": system_stats.sync(client=client).data.lost_wakeups_total,
        }
    )
)
