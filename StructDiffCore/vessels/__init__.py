"""Rooted vessel graph, growth along a surface, taper, painting."""
