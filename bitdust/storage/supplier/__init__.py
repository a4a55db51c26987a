"""What a supplier keeps for its customers, and who may have it back: `store` joins the parts, `rows` answers."""
