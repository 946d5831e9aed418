"""The mock task server."""
