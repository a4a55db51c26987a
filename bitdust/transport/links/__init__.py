"""Links: what carries a session. `link` says what a session needs of its carrier, the other modules are carriers."""
