"""`/metrics`: `declarations` is the table of metrics, `exposition` writes it for Prometheus."""
