"""Reads everything and answers nothing."""

from hostile_kit import read, write

write("ready")
while True:
    read()
