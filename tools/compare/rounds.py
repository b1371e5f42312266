"""One model on so many threads: every competitor's ways tried, then an epoch of each in turn."""

import json
import math
import statistics
import subprocess
import sys

from competitors import Failed


def say(text):
    print(text, file=sys.stderr, flush=True)


def best_way(competitor):
    """The way whose second epoch takes least, and both epochs of all ways: the first compiles and warms
    up. Trains from the initial weights again afterwards."""
    trials = {}
    for way in competitor.ways:
        try:
            first, second = (competitor.epoch(way)[0] for _ in range(2))
            trials[way] = {"first_epoch_seconds": first, "second_epoch_seconds": second}
        except Failed as error:
            trials[way] = {"error": str(error)}
    working = [way for way in trials if "error" not in trials[way]]
    if not working:
        raise Failed(trials[competitor.ways[-1]]["error"])
    competitor.reset()
    return min(working, key=lambda way: trials[way]["second_epoch_seconds"]), trials


class Group:
    """starts: name -> a function that starts the competitor for this model and number of threads."""

    def __init__(self, model, threads, starts, probe):
        self.result = {"model": model, "threads": threads, "machine_states": [], "competitors": {},
                       "failed": {}}
        self.probe, self.running = probe, {}
        for name, start in starts.items():
            self.attempt(name, lambda: self.prepare(name, start))

    def attempt(self, name, work):
        """One competitor's failure is noted, and the others go on without it."""
        try:
            work()
        except Failed as error:
            say(f"  {name} is left out: {error}")
            self.result["failed"][name] = str(error)
            self.result["competitors"].pop(name, None)
            if name in self.running:
                self.running.pop(name).close()

    def prepare(self, name, start):
        competitor = self.running[name] = start()
        way, trials = best_way(competitor)
        self.result["competitors"][name] = {"versions": competitor.versions, "way": way, "trials": trials,
                                            "seconds": [], "losses": []}
        say(f"  {name}: {way}, {trials[way]['second_epoch_seconds']:.3f} s an epoch")

    def epoch(self, name):
        entry = self.result["competitors"][name]
        seconds, loss = self.running[name].epoch(entry["way"])
        entry["seconds"].append(seconds)
        entry["losses"].append(loss)

    def finish(self, name):
        self.result["competitors"][name]["test_accuracy"] = self.running[name].accuracy()
        self.running.pop(name).close()

    def run(self, epochs):
        for _ in range(epochs):
            self.result["machine_states"].append(machine_state(self.probe))
            for name in list(self.running):
                self.attempt(name, lambda: self.epoch(name))
        for name in list(self.running):
            self.attempt(name, lambda: self.finish(name))
        if not self.result["competitors"]:
            sys.exit("tools/compare_cpu: nobody is left to compare; the reasons are above")
        return self.result


def machine_state(probe):
    """What tools/compare/probe.cpp tells; empty where there is no probe."""
    if probe is None:
        return {}
    return json.loads(subprocess.run([probe], check=True, capture_output=True, text=True).stdout)


def untrained(result, loss_tolerance, accuracy_tolerance):
    """What speaks against everybody having trained the same: one line for each who stands apart from
    the median of all."""
    entries = result["competitors"]
    loss = median_of_numbers(entry["losses"][-1] for entry in entries.values())
    accuracy = median_of_numbers(entry["test_accuracy"] for entry in entries.values())
    lines = []
    for name, entry in entries.items():
        off = abs(entry["losses"][-1] - loss) / loss, abs(entry["test_accuracy"] - accuracy)
        if not (off[0] <= loss_tolerance and off[1] <= accuracy_tolerance):
            lines.append(f"{result['model']}, {result['threads']} threads: {name} has a loss of "
                         f"{entry['losses'][-1]:.4f} and an accuracy of {entry['test_accuracy']:.4f}, "
                         f"where the median of all is {loss:.4f} and {accuracy:.4f}")
    return lines


def median_of_numbers(values):
    return statistics.median([value for value in values if math.isfinite(value)] or [math.nan])
