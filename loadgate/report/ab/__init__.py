"""The files of a comparison of two sides: `ab.json`, the page and the summary in Markdown."""
