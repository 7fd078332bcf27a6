"""HU window, grids, orientation, registration, the painted prior."""
