"""Slices, curved views and 3D views of volumes and masks."""
