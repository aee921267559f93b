"""The files of a search for the capacity: `capacity.json`, the page and the summary in Markdown."""
