"""Messages to everybody in the network."""
