"""`/metrics`: `declarations` is the table, `exposition` writes it in Prometheus' words."""
