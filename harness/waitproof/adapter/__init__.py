"""One SDK's program: its folder, its process, and the kits to write one."""
