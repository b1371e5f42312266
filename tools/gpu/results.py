"""What a run leaves: the folder RESULTS, whole at any moment, and the work folder that is packed
into its results.tgz."""

import json
import os
import shutil
import tarfile
import tempfile
import time
from pathlib import Path

from summary import summary

LARGEST = 16 << 20  # bytes of a file in results.tgz
NO_RESULT = "resume.safetensors"  # nothing resumes these runs
NEW = ".new"  # what is being written, until it is whole and takes its name
NAMES = ["results.tgz", "summary.md", "machine.json", "bench.json", "train.json", "pytorch.json",
         "kernels.md"]


class Results:
    def __init__(self, folder, bundle):
        self.folder, self.bundle = Path(folder), bundle
        self.machine = {"bundle": bundle, "started": now()}
        self.bench, self.train = [], []  # in the order in which they were measured
        self.pytorch = None
        self.kernels = None
        self.parts = []  # of what has begun: name, verdict, seconds, figure, lines
        self.prepare_folder()
        self.work = Path(tempfile.mkdtemp(prefix="digitron-gpu-"))

    def prepare_folder(self):
        """A folder of its own, or one that an earlier run has left."""
        self.folder.mkdir(parents=True, exist_ok=True)
        others = sorted(set(os.listdir(self.folder)) - {NEW, *NAMES})
        if others:
            raise FileExistsError(f"{self.folder} holds other things ({others[0]}); "
                                  "give a new folder, or one of an earlier run")
        for name in (NEW, *NAMES):
            if (self.folder / name).exists():
                (self.folder / name).unlink()

    def write(self, name, text):
        new = self.folder / NEW
        new.write_text(text, encoding="utf-8")
        os.replace(new, self.folder / name)

    def publish(self):
        """All that is measured by now, but for results.tgz."""
        for name in ("machine", "bench", "train", "pytorch"):
            measured = getattr(self, name)
            if measured:
                self.write(f"{name}.json", json.dumps(measured, indent=1, ensure_ascii=False) + "\n")
        if self.kernels:
            self.write("kernels.md", self.kernels)
        self.write("summary.md", summary(self))

    def pack(self):
        """results.tgz: the files beside it, and the work folder: logs, samples, training runs."""
        self.publish()
        left_out = []
        new = self.folder / NEW
        with tarfile.open(new, "w:gz", compresslevel=4) as archive:
            for name in NAMES[1:]:
                if (self.folder / name).exists():
                    archive.add(self.folder / name, f"results/{name}")
            files = (p for p in self.work.rglob("*") if p.is_file() and p.name != NO_RESULT)
            for path in sorted(files):
                inside = path.relative_to(self.work)
                if path.stat().st_size > LARGEST:
                    left_out.append(f"{inside}: {path.stat().st_size:,} bytes, left out")
                else:
                    archive.add(path, f"results/{inside}", recursive=False)
            if left_out:
                note = self.work / "left_out.txt"
                note.write_text("\n".join(left_out) + "\n")
                archive.add(note, "results/left_out.txt")
                note.unlink()
        os.replace(new, self.folder / "results.tgz")

    def remove_work(self):
        shutil.rmtree(self.work, ignore_errors=True)


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
