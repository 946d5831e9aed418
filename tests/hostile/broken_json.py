"""Writes its answer by hand, and forgets a quote."""

from hostile_kit import greet, read, write

greet()
call = read()
write('{"id":"1","outcome":"returned,"task_id":7}')
read()
