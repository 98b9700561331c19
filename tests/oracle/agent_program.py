"""A program for `wandb agent`: a good training ends by itself, a bad one continues until the agent stops it.

`agent_program.py --loss=FLOAT`
"""

from __future__ import annotations

import argparse
import importlib
import time

_LONGEST = 600


def main() -> None:
    """Log three rows, then wait if the loss is high."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--loss", type=float, required=True)
    arguments = parser.parse_args()
    wandb = importlib.import_module("wandb")
    # The SDK sends rows immediately, not every fifteen seconds.
    with wandb.init(settings=wandb.Settings(x_file_stream_transmit_interval=0.5)) as run:
        assert dict(run.config) == {"loss": arguments.loss}, run.config
        for _ in range(3):
            run.log({"loss": arguments.loss})
        deadline = time.monotonic() + _LONGEST
        while arguments.loss > 0.8 and time.monotonic() < deadline:
            time.sleep(0.1)


if __name__ == "__main__":
    main()
