"""Started by `wandb agent`: a training that ends by itself when it is good, and goes on until it is ended when it is bad.

`agent_program.py --loss=FLOAT`
"""

from __future__ import annotations

import argparse
import importlib
import time

_LONGEST = 600


def main() -> None:
    """Log three rows, then wait if the loss is great."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", type=float, required=True)
    arguments = parser.parse_args()
    wandb = importlib.import_module("wandb")
    # Rows are sent at once, not every fifteen seconds.
    with wandb.init(settings=wandb.Settings(x_file_stream_transmit_interval=0.5)) as run:
        assert dict(run.config) == {"loss": arguments.loss}, run.config
        for _ in range(3):
            run.log({"loss": arguments.loss})
        deadline = time.monotonic() + _LONGEST
        while arguments.loss > 0.8 and time.monotonic() < deadline:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
