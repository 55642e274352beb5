"""Finding reviews that say the like: two legs, one fused order, one rerank."""
