"""Play a suite against adapters."""
