-- One index for each party: SQLite adds the id, so each final status, none included, is a range in the order of ids.
DROP INDEX orders_customer_active;
DROP INDEX orders_restaurant_active;
DROP INDEX orders_courier_active;
DROP INDEX orders_customer;
DROP INDEX orders_restaurant;
DROP INDEX orders_courier;
CREATE INDEX orders_customer ON orders (customer_id, final_status);
CREATE INDEX orders_restaurant ON orders (restaurant_id, final_status);
CREATE INDEX orders_courier ON orders (courier_id, final_status) WHERE courier_id IS NOT NULL;
