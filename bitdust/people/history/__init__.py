"""What people wrote to each other, as it is stored on this node, and the programs that listen to it."""
