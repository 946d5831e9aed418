"""Virtual time: clock, network, and the player of scenarios in it."""
