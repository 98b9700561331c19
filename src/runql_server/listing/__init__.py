"""Lists of runs and others, as SQL: filters, orders, cursors and pages."""
