"""Where this machine has CUDA's libraries and tools."""

import glob
import json
import os
import re
import shutil
from pathlib import Path

from processes import answer

ASK_SITES = """
import json, site, sys
user = site.getusersitepackages()
print(json.dumps(site.getsitepackages() + [user] + sys.path))
"""


def site_packages():
    """The folders in which the `python3` on the PATH looks for packages."""
    text = answer(["python3", "-c", ASK_SITES])
    folders = json.loads(text) if text else []
    return [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]


def toolkits():
    """Folders of CUDA toolkits, the best guess first."""
    nvcc = shutil.which("nvcc")
    guesses = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"),
               nvcc and str(Path(nvcc).resolve().parent.parent), "/usr/local/cuda",
               *sorted(glob.glob("/usr/local/cuda-*"), reverse=True)]
    return [folder for folder in dict.fromkeys(guesses) if folder and os.path.isdir(folder)]


def loader_folders():
    """Where the dynamic loader finds libraries by itself: name -> folder."""
    listing = answer(["ldconfig", "-p"]) or answer(["/sbin/ldconfig", "-p"]) or ""
    found = {}
    for name, path in re.findall(r"^\s*(\S+) \(.*=> (\S+)$", listing, re.MULTILINE):
        found.setdefault(name, os.path.dirname(path))
    return found


class Place:
    """One place with libraries: `folders` go to the library path when it is taken."""

    def __init__(self, what, folders, in_loader=None):
        self.what, self.folders, self.in_loader = what, folders, in_loader

    def folder_of(self, library):
        if self.in_loader is not None:
            return self.in_loader.get(library)
        return next((f for f in self.folders if os.path.exists(os.path.join(f, library))), None)


def library_places():
    """In the order in which they are searched."""
    given = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":") if folder]
    places = [Place("LD_LIBRARY_PATH", given), Place("the system", [], loader_folders())]
    for toolkit in toolkits():
        folders = [os.path.join(toolkit, name)
                   for name in ("lib64", "lib", "targets/x86_64-linux/lib")]
        places.append(Place("the toolkit", [f for f in folders if os.path.isdir(f)]))
    for site in site_packages():
        places.append(Place("Python's wheels", sorted(glob.glob(f"{site}/nvidia/*/lib"))))
    return places


class Libraries:
    """Where the libraries with the given names are. Those of one place go together, so a place that
    has them all comes before one that has the first of them."""

    def __init__(self, needs):
        places = library_places()
        whole = next((p for p in places if all(map(p.folder_of, needs))), None)
        self.found, self.missing, self.path = {}, [], []
        for name in needs:
            place = whole or next((p for p in places if p.folder_of(name)), None)
            if place is None:
                self.missing.append(name)
                continue
            folder = place.folder_of(name)
            self.found[name] = {"folder": folder, "in": place.what}
            # Its own folder first: the others of the place hold what cuDNN opens while it runs.
            for each in ([folder] if place.folders else []) + place.folders:
                if each not in self.path:
                    self.path.append(each)

    def lines(self):
        """For people: one line a folder, and one of what is missing."""
        folders = {}
        for name, where in self.found.items():
            folders.setdefault((where["folder"], where["in"]), []).append(name)
        lines = [f"{', '.join(names)}: {folder} ({what})"
                 for (folder, what), names in folders.items()]
        if self.missing:
            lines.append(f"Not found: {', '.join(self.missing)}, neither in the toolkit, nor in the "
                         "system, nor in nvidia/*/lib of python3's packages; install cuDNN 9 and "
                         "cuBLAS, or name their folders in LD_LIBRARY_PATH")
        return lines


def find_tool(name):
    """compute-sanitizer or ncu: on the PATH, in a toolkit, in Nsight's folders, in wheels."""
    found = shutil.which(name)
    patterns = [f"{toolkit}/{bin_}" for toolkit in toolkits()
                for bin_ in ("bin", "compute-sanitizer", "nsight-compute*")]
    patterns += ["/opt/nvidia/nsight-compute/*"]
    patterns += [f"{site}/nvidia/*/bin" for site in site_packages()]
    for pattern in patterns if not found else []:
        for path in sorted(glob.glob(f"{pattern}/{name}"), reverse=True):
            if os.access(path, os.X_OK):
                return path
    return found
