"""Polls that wait for news: `tracking.py` explains them."""
