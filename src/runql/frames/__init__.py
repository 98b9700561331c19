"""Rows to dataframes: typed columns, and one module for each dataframe library."""
