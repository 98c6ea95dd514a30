"""The measurements, one per file. Each measures one contender and returns its figures by name."""
