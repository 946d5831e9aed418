"""Takes stdout for a log file."""

from hostile_kit import greet, read, write

greet()
read()
for number in range(1, 101):
    write(f"debug {number}")
read()
