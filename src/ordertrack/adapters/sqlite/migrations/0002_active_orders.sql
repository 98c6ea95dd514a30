-- A snapshot of a party's feed is the orders that have not ended: few, however many there were.
CREATE INDEX orders_customer_active ON orders (customer_id, customer_feed_version)
    WHERE status NOT IN ('delivered', 'cancelled');
CREATE INDEX orders_restaurant_active ON orders (restaurant_id, restaurant_feed_version)
    WHERE status NOT IN ('delivered', 'cancelled');
CREATE INDEX orders_courier_active ON orders (courier_id, courier_feed_version)
    WHERE status NOT IN ('delivered', 'cancelled');
