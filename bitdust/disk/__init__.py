"""What both roles do to a disk: group commits, careful writes, the reserve."""
