"""Files, data sets, exports: the border where LPS becomes RAS+ and back."""
