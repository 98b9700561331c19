"""Deadlines and retry budgets of calls."""
