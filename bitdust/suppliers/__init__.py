"""My suppliers: how they are found, hired and replaced, and the family record that names them."""
