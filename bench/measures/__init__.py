"""One file a question. Each measures one contender and returns its figures by name."""
