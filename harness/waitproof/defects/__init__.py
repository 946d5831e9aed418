"""The library of defects and equivalents, and the proof that a suite catches them."""
