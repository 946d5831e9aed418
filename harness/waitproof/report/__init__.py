"""Reports: what people and CI read."""
