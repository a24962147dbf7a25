#!/usr/bin/env python3
"""Whether side_by_side.py sees that others take the machine's time: drives HAProxy alone, and with `yes` running beside it.

    tests/bench/disturbance.py        # exits 1 when the two can't be told apart; a machine of any load will do

Needs haproxy, nginx and wrk. `yes` is started so that it is no child of this process, like anybody else's compiler.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import contenders
import measure
from gateway import RELEASE_BINARY, end_on_sigterm

SECONDS = 2
ROUNDS = 3
# One busy process against three busy families on every core takes a good deal more than this.
NOTICED = 0.05


@contextlib.contextmanager
def beside(word):
    """Runs `word` as a grandchild whose parent has gone."""
    starting = ["sh", "-c", f"{word} > /dev/null & echo $!"]
    pid = int(subprocess.run(starting, stdout=subprocess.PIPE, check=True).stdout)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)


def main():
    end_on_sigterm()
    alone, disturbed = [], []
    with tempfile.TemporaryDirectory(prefix="disturbance-") as folder:
        with contenders.Field(RELEASE_BINARY, Path(folder), os.cpu_count()) as ground:
            case = ground.haproxy()
            ground.settle([case])
            load = measure.Load("1 KiB, 64 connections")
            for _ in range(ROUNDS):
                alone.append(measure.cost(case, load, SECONDS, ground.folder)["others"])
                with beside("yes"):
                    disturbed.append(measure.cost(case, load, SECONDS, ground.folder)["others"])
    for name, shares in (("alone", alone), ("with `yes` beside", disturbed)):
        print(f"{name}: others took {', '.join(f'{share:.1%}' for share in shares)} of the machine's CPU time")
    if min(disturbed) < min(alone) + NOTICED:
        sys.exit("the busy process was not noticed")


if __name__ == "__main__":
    main()
