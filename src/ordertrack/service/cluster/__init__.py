"""Several nodes on one store: `cluster.py` explains how they stay up to date."""
