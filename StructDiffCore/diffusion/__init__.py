"""Schedules, denoiser face, samplers, losses. They know no network."""
