"""The API described: `operations` is the table, `document` makes /openapi.json of it."""
