"""The tabs: Draw, Train and Look inside."""
