"""Generator training loop, EMA, exact resume."""
