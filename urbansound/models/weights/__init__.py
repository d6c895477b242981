"""Published weights read from their files and put into new models; one module per source."""
