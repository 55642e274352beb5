"""What anyone may ask for. Adapters stand elsewhere; only `wiring` and `extensions` name them."""
