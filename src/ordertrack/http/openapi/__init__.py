"""The OpenAPI document: `shared` has the types and common parts of descriptions, `document` assembles them."""
