"""Whole volumes by tiles, local re-synthesis, acquisition noise, the renderer."""
