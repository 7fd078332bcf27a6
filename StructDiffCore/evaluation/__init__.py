"""Realism, mask fidelity and the rivals, one harness for all."""
