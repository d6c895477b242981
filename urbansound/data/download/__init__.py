"""Public data sets from their authors' servers: transfer, check, unpack."""
