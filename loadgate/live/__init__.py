"""The live state of a run, and its display as lines or as a view on a terminal."""
