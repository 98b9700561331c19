"""The script of `runql demo`: the best run by a summary value, all metrics of all runs in one frame, the best model."""

from runql import Api

api = Api()  # reads WANDB_BASE_URL and WANDB_API_KEY
runs = api.runs("digits", order="-summary_metrics.val_accuracy")
table = [(run.name, run.state, run.summary.get("val_accuracy")) for run in runs]
longest = max(run.history_line_count or 0 for run in runs)
# As many samples as the longest run has rows, so that the server downsamples nothing.
metrics = runs.histories(samples=longest, format="polars")
complete = metrics.height == sum(run.history_line_count or 0 for run in runs)
best = runs[0]
loss = "train/loss" if "train/loss" in best.summary else "loss"
curve = best.scan_history(keys=[loss]).to_polars()
model = next(artifact for artifact in best.logged_artifacts() if artifact.type == "model")
weights, data = model.download(), best.used_artifacts()[0].download()
model.verify(weights)
