"""Keys between people: giving mine to others, taking theirs, and finding out who really has one."""
