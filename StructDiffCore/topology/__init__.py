"""Betti numbers, simple points, thinning, findings."""
