"""Dice, clDice, surface distances, Betti errors, image and noise statistics."""
