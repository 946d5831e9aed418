"""waitproof: proves that an SDK's wait helper keeps the promises of its documentation."""
