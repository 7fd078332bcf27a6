"""The mask generation module: new hearts and trees from a few reference masks, each with its recipe and its proof."""
