"""Settings, presets and the words between processes."""
