"""Rules for every request on every transport, before an endpoint sees it."""
